"""What a run will take on a machine that is not at hand.

Compiles the programs of the run, training and scoring, for the devices of a
topology and reads off what they hold, compute, move and send. Nothing runs,
and nothing of the state is allocated. Times are rooflines: the longest of
what computing, moving and sending would take at the speeds of the data sheet,
so they are lower bounds.
"""

import dataclasses
import logging
import math
import pathlib
import re
import time
from typing import Any

import jax

from memae_jax import config as config_lib
from memae_jax.data import feed
from memae_jax.methods import base
from memae_jax.planning import fitting, flops, hlo, machines, table
from memae_jax.runtime import atomic, errors, parallel, strict_json
from memae_jax.training import experiment

_LOG = logging.getLogger(__name__)
_UNITS = {'': 1, 'K': 2**10, 'M': 2**20, 'G': 2**30, 'T': 2**40}

NOTES = {
  'all': 'compiled, not run; of the first family of methods, and of `others`,'
  ' which come after it; train: null for a method without gradient descent',
  'bytes': 'of one device; peak is their sum',
  'flops': 'of matrix products and convolutions of one device, a step; scans'
  ' count as often as they run; a loop of unknown length, as over training'
  ' steps, once',
  'matrix_unit_flops': 'the same in products of bfloat16 numbers, of which one'
  ' of float32 numbers at the highest precision takes six',
  'bytes_moved': 'what the compiled instructions read from and write to the'
  ' memory of one device, a step; loops count as in flops',
  'xla': 'the totals of XLA, which counts the body of every loop once',
  'collectives': 'nbytes: of one device, a step',
  'seconds': 'of a step: the longest of compute, memory and links at full'
  ' speed, so at least that',
}


def run(
  config: Any, topology: str, folder: pathlib.Path | None, limits: bool
) -> None:
  """Prints the plan of a run, and writes plan.json if there is a folder.

  Args:
    config: resolved.
    topology: see `machines.devices`.
    folder: of plan.json, or None.
    limits: also look for the largest memory and batch that fit.

  Raises:
    UserError: it does not fit the devices.
  """
  with jax.disable_jit(False):  # The programs are compiled, not run.
    plan = make(config, *machines.devices(topology), limits)
  print(table.text(plan))
  if folder is not None:
    path = folder / 'plan.json'
    atomic.write(path, strict_json.text(plan))
    print(f'plan: {path}')
  if not plan['fits']:
    raise errors.UserError(_too_large(plan))


def make(
  config: Any, devices: list[jax.Device], chip: machines.Chip, limits: bool
) -> dict[str, Any]:
  """Compiles the programs of a run.

  Args:
    config: resolved.
    devices: of the machine.
    chip: what each can do.
    limits: as of `run`.

  Returns:
    Plain values, as plan.json has them.
  """
  exp = _described(config, devices)
  first = _family(exp, chip)
  others = {other.family: _family(other, chip) for other in exp.others}
  # What the compiler says it has is more exact than a data sheet.
  chip = dataclasses.replace(chip, memory=first['score']['memory'])
  plan = {
    'notes': NOTES,
    'config': config.to_dict(),
    'chip': dataclasses.asdict(chip),
    'devices': len(devices),
    'environment': exp.started_in,
    **first,
    'others': others,
    'fits': all(family['fits'] for family in (first, *others.values())),
  }
  if limits and chip.memory and first['train']:
    peak = first['train']['bytes']['peak']
    plan['limits'] = _limits(exp, devices, chip, peak)
  return plan


def _family(exp: experiment.Experiment, chip: machines.Chip) -> dict[str, Any]:
  """What the replicas of one family take; they train one family at a time."""
  method = exp.trainer.method
  trains = any(isinstance(stage, base.Train) for stage in method.stages)
  train = _program('train', exp, chip) if trains else None
  score = _program('score', exp, chip)
  return {
    'family': exp.family,
    'mesh': dict(exp.mesh.shape),
    'feed': exp.programs.name,
    'replicas': len(exp.replicas),
    'slots': max(method.memories.values(), default=None),
    'steps': exp.steps,
    'train': train,
    'score': score,
    'fits': (train is None or train['fits']) and score['fits'],
  }


def _described(config, devices) -> experiment.Experiment:
  """The experiment, of which no array is placed."""
  with parallel.abstract():
    return experiment.build(config, devices=devices)


def _shard_bytes(tree: Any) -> int:
  """Bytes that one device holds of a tree of shapes."""
  return sum(
    math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize
    for x in jax.tree.leaves(tree)
  )


def _held(exp) -> dict[str, int]:
  """Bytes that stay on a device for the whole run, by kind."""
  programs, state = exp.programs, exp.programs.init_shapes
  inputs = [programs.hyper, programs.transform]
  if programs.name == 'resident':
    inputs += [programs.data.train, programs.data.train_count, programs.inputs]
  return {
    'parameters': _shard_bytes((state.params, state.collections)),
    'optimizer': _shard_bytes(state.opt_state),
    'best_weights': _shard_bytes(state.best),
    'inputs': _shard_bytes(inputs),
  }


def _program(name: str, exp, chip: machines.Chip) -> dict[str, Any]:
  """Compiles the program that trains or that scores, and reads it."""
  held, training = _held(exp), name == 'train'
  resident = exp.programs.name == 'resident'
  begun = time.perf_counter()
  with parallel.abstract():
    trace, given = getattr(exp.programs, _CALLS[name])()
  traced = trace(*given)
  known = sum(held.values())
  if not training:
    known = _shard_bytes(given[:3])  # Weights, hyper, transform.
  arguments = _shard_bytes(given)
  sizes = held | {'batch': arguments - known}
  if training and not resident:
    sizes['read_ahead'] = feed.AHEAD * sizes['batch']
  _LOG.info('compiling: %s', name)
  compiled, used, memory = _compiled(traced.lower())
  memory = memory or chip.memory
  work, passes = flops.count(traced.jaxpr, exp.mesh.devices.flat[0].platform)
  program = {
    'bytes': sizes,
    'memory': memory,
    'samples': len(exp.replicas)
    * (exp.config.train.batch_size if training else _block(exp)),
    'flops': work,
    'matrix_unit_flops': passes,
  }
  if compiled is None:  # Too large for the compiler.
    sizes['temporaries'] = used - arguments
  else:
    sizes |= _compiled_bytes(compiled.memory_analysis(), arguments)
    program |= _moved(compiled, exp.mesh, training and resident)
    program |= _roofline(program, chip, exp.mesh.size)
  program['compile_seconds'] = round(time.perf_counter() - begun, 1)
  sizes['peak'] = sum(sizes.values())
  program['fits'] = memory is None or sizes['peak'] <= memory
  return program


_CALLS = {'train': 'trace_run', 'score': 'trace_score'}


def _block(exp) -> int:
  """Samples of a replica that are scored at once."""
  most = max(len(split.test) for split in exp.splits)
  return min(exp.config.eval.batch_size, most)


_OUT_OF_MEMORY = re.compile(  # What libtpu says, arguments included.
  r'RESOURCE_EXHAUSTED.*?(?:Used |\()([\d.]+)([KMGT]?)'
  r'(?:\) exceeds available HBM \(| of )([\d.]+)([KMGT]?)',
  re.DOTALL,
)


def _compiled(lowered: Any) -> tuple[Any, int, int | None]:
  """The compiled program; or None, what it needs, and what there is."""
  try:
    return lowered.compile(), 0, None
  except jax.errors.JaxRuntimeError as error:
    found = _OUT_OF_MEMORY.search(str(error))
    if not found:
      raise
    number, unit, most, most_unit = found.groups()
    size = lambda text, unit: int(float(text) * _UNITS[unit])
    return None, size(number, unit), size(most, most_unit)


def _compiled_bytes(analysis: Any, arguments: int) -> dict[str, int]:
  """What a program takes besides its arguments."""
  return {
    'layout': analysis.argument_size_in_bytes - arguments,
    'results': analysis.output_size_in_bytes - analysis.alias_size_in_bytes,
    'temporaries': analysis.temp_size_in_bytes,
    'code': analysis.generated_code_size_in_bytes,
  }


def _moved(compiled: Any, mesh: jax.sharding.Mesh, steps: bool):
  """Bytes that a program moves and sends; `steps`: it is a loop over them."""
  module = hlo.Module.parse(compiled.as_text())
  totals = compiled.cost_analysis() or {}
  found = module.collectives(dict(mesh.shape), steps)
  return {
    'bytes_moved': module.traffic(steps),
    'collectives': [each._asdict() for each in found],
    'xla': {
      'flops': totals.get('flops'),
      'bytes_accessed': totals.get('bytes accessed'),
    },
  }


def _roofline(program, chip: machines.Chip, used: int) -> dict[str, Any]:
  """Seconds of a step at full speed, where the speeds are known."""
  if not chip.flops:
    return {'seconds': None, 'samples_per_second_per_device': None}
  seconds = {
    'compute': program['matrix_unit_flops'] / chip.flops,
    'memory': program['bytes_moved'] / chip.bandwidth,
    'links': sum(map(_sent, program['collectives'])) / chip.links,
  }
  seconds['bound'] = max(seconds, key=seconds.__getitem__)
  seconds['step'] = seconds[seconds['bound']]
  rate = program['samples'] / seconds['step'] / used
  return {'seconds': seconds, 'samples_per_second_per_device': rate}


def _sent(collective: dict[str, Any]) -> float:
  """Bytes that pass the links of a device, in a ring."""
  if collective['kind'] == 'collective-permute':
    return collective['nbytes']
  rounds = 2 if collective['kind'] == 'all-reduce' else 1
  if collective['kind'] == 'reduce-scatter':  # Its result is one part.
    rounds = collective['group']
  share = 1 - 1 / collective['group']
  return rounds * share * collective['nbytes']


def _limits(exp, devices, chip, peak: int) -> dict[str, Any]:
  """The largest memory and the largest batch that training fits, each alone."""
  mesh, config = exp.mesh.shape, exp.config
  fixed = {f'mesh.{axis}': size for axis, size in mesh.items()}
  # Which samples the slots start from is of no matter here.
  fixed['model.memory.init'] = 'uniform'

  def peak_with(**fields):
    one = _described(config_lib.changed(config, fixed | fields), devices)
    return _program('train', one, chip)['bytes']['peak']

  def slots(count):
    if not config.fleet.slots:
      return peak_with(**{'model.memory.slots': count})
    largest = max(config.fleet.slots)
    sizes = (count if n == largest else n for n in config.fleet.slots)
    return peak_with(**{'fleet.slots': tuple(sizes)})

  def largest(*how):
    try:
      return fitting.largest(*how)
    except errors.UserError as error:  # Of a size that the config refuses.
      return {'largest': None, 'checked': False, 'reason': str(error)}

  found = {}
  if exp.trainer.method.memories:
    (path, at), *_ = exp.trainer.method.memories.items()
    params = exp.programs.init_shapes.params
    width = base.leaf(params, path).shape[-1]
    share = math.ceil(len(exp.replicas) / mesh[parallel.REPLICA])
    each = 5 * 4 * width * share / mesh[parallel.MEMORY]  # About.
    other = at + max(at, int((chip.memory - peak) / 2 / each))
    if peak > chip.memory:
      other = max(1, at // 2)
    found['slots'] = largest(
      slots, at, peak, other, mesh[parallel.MEMORY], chip.memory
    )
  at = config.train.batch_size
  found['batch_size'] = largest(
    lambda count: peak_with(**{'train.batch_size': count}),
    at,
    peak,
    2 * at if peak <= chip.memory else max(1, at // 2),
    mesh[parallel.DATA] * config.train.accumulate,
    chip.memory,
  )
  return found


def _too_large(plan: dict[str, Any]) -> str:
  """What does not fit, by how much, and what to lower."""
  chip = plan['chip']['name']
  limits = plan.get('limits', {})
  families = plan, *plan['others'].values()
  whole = lambda family: all(
    p is None or p['fits'] for p in (family['train'], family['score'])
  )
  number = [whole(family) for family in families].index(False)
  if number:
    limits = {}
  plan = families[number]
  name = 'score' if plan['train'] is None or plan['train']['fits'] else 'train'
  program = plan[name]
  sizes, memory = program['bytes'], program['memory']
  excess = sizes['peak'] - memory
  words = {'train': 'training', 'score': 'scoring'}[name]
  if number:
    words += f' of "{plan["family"]}"'
  said = (
    f'{words} needs {table.size(sizes["peak"])} of each device,'
    f' {table.size(excess)} more than {chip} has; '
  )
  state = sizes['parameters'] + sizes['optimizer'] + sizes['best_weights']
  largest = lambda what: limits.get(what, {}).get('largest') or None
  if name == 'score':
    return said + 'lower eval.batch_size'
  if plan['slots'] and state > sizes['temporaries']:
    to = largest('slots')
    return said + (
      f'lower model.memory.slots{f" to {to}" if to else ""}, or raise'
      ' mesh.memory'
    )
  to = largest('batch_size')
  return said + (
    f'lower train.batch_size{f" to {to}" if to else ""}, raise'
    ' train.accumulate or mesh.data, or set model.compute to "bfloat16"'
  )
