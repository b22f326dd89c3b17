"""Plan of a run on a machine that is not at hand: memory, work and times.

The programs of the run, training and scoring, are compiled for the devices of
a topology, and the compiler says what they hold, compute, move and send.
Nothing runs, and no array of the state is allocated. Times are rooflines: the
longest of computing, moving and sending at the speeds of the data sheet, so
they are lower bounds.
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
from memae_jax.training import experiment, step

_LOG = logging.getLogger(__name__)
_UNITS = {'': 1, 'K': 2**10, 'M': 2**20, 'G': 2**30, 'T': 2**40}

NOTES = {
  'all': 'compiled, not run; for the first family of methods, and in `others`'
  ' for the families that come after it; train: null for a method without'
  ' gradient descent',
  'bytes': 'of one device; peak is their sum',
  'flops': 'of matrix products and convolutions of one device, per step; scans'
  ' count as often as they run, a loop of unknown length, such as the one over'
  ' training steps, once',
  'matrix_unit_flops': 'the same in products of bfloat16 numbers, of which one'
  ' of float32 numbers at the highest precision takes six',
  'bytes_moved': 'what the compiled instructions read from and write to the'
  ' memory of one device, per step; loops count as in flops',
  'xla': 'the totals of XLA, which counts the body of every loop once',
  'collectives': 'nbytes: of one device, per step',
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
    limits: whether to look for the largest memory and batch that fit.

  Raises:
    UserError: the run does not fit the devices, or the topology is unknown.
  """
  with jax.disable_jit(False):  # The programs are compiled, not run.
    plan = make(config, *machines.devices(topology), limits)
  print(table.text(plan))
  if folder is not None:
    path = folder / 'plan.json'
    atomic.write(path, strict_json.text(plan))
    print(f'plan: {path}')
  if not plan['fits']:
    raise errors.UserError(too_large(plan))


def make(
  config: Any, devices: list[jax.Device], chip: machines.Chip, limits: bool
) -> dict[str, Any]:
  """Compiles the programs of a run.

  Args:
    config: resolved.
    devices: of the machine.
    chip: memory and speeds of one device.
    limits: see `run`.

  Returns:
    The content of plan.json.
  """
  exp = _described(config, devices)
  first = _family(exp, chip)
  others = {other.family: _family(other, chip) for other in exp.others}
  # The memory that the compiler states is more exact than a data sheet.
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
  """Plans the replicas of one family; families train one after another."""
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
  """Returns the experiment without placing any array on devices."""
  with parallel.abstract():
    return experiment.build(config, devices=devices)


def _shard_bytes(tree: Any) -> int:
  """Counts the bytes that one device holds of a tree of shapes."""
  return sum(
    math.prod(x.sharding.shard_shape(x.shape)) * x.dtype.itemsize
    for x in jax.tree.leaves(tree)
  )


def _resident_bytes(exp) -> dict[str, int]:
  """Counts the bytes that stay on a device for the whole run, by kind."""
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
  """Compiles a program and reads off its costs.

  Args:
    name: 'train' or 'score'.
    exp: the experiment.
    chip: memory and speeds of one device.
  """
  stays, training = _resident_bytes(exp), name == 'train'
  resident = exp.programs.name == 'resident'
  begun = time.perf_counter()
  with parallel.abstract():
    trace, shapes = getattr(exp.programs, _CALLS[name])()
  traced = trace(*shapes)
  without_batch = sum(stays.values())
  if not training:
    without_batch = _shard_bytes(shapes[:3])  # Weights, hyper, transform.
  arguments = _shard_bytes(shapes)
  sizes = stays | {'batch': arguments - without_batch}
  if training and not resident:
    sizes['read_ahead'] = feed.AHEAD * sizes['batch']
  _LOG.info('compiling: %s', name)
  compiled, used, memory = compile_if_it_fits(traced.lower())
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
  """Returns how many samples of a replica are scored at once."""
  most = max(len(split.test) for split in exp.splits)
  return min(exp.config.eval.batch_size, most)


_OUT_OF_MEMORY = re.compile(  # Bytes needed, arguments included, and available.
  r'RESOURCE_EXHAUSTED.*?(?:Used |\()([\d.]+)([KMGT]?)'
  r'(?:\) exceeds available HBM \(| of )([\d.]+)([KMGT]?)',
  re.DOTALL,
)


def compile_if_it_fits(lowered: Any) -> tuple[Any, int, int | None]:
  """Compiles a lowered program, if its devices have the memory.

  Args:
    lowered: as `jit(...).lower` returns it.

  Returns:
    The compiled program, 0 and None; or, if it does not fit, None, the bytes
    that it needs, and those that there are.
  """
  try:
    return lowered.compile(), 0, None
  except jax.errors.JaxRuntimeError as error:
    match = _OUT_OF_MEMORY.search(str(error))
    if not match:
      raise
    needed, unit, available, available_unit = match.groups()
    size = lambda text, unit: int(float(text) * _UNITS[unit])
    return None, size(needed, unit), size(available, available_unit)


def _compiled_bytes(analysis: Any, arguments: int) -> dict[str, int]:
  """Returns the bytes that a program takes besides its arguments, by kind."""
  return {
    'layout': analysis.argument_size_in_bytes - arguments,
    'results': analysis.output_size_in_bytes - analysis.alias_size_in_bytes,
    'temporaries': analysis.temp_size_in_bytes,
    'code': analysis.generated_code_size_in_bytes,
  }


def _moved(compiled: Any, mesh: jax.sharding.Mesh, steps: bool):
  """Returns the bytes that a program moves and sends.

  Args:
    compiled: the program.
    mesh: of the devices.
    steps: whether the program is a loop over steps.
  """
  module = hlo.Module.parse(compiled.as_text())
  totals = compiled.cost_analysis() or {}
  collectives = module.collectives(dict(mesh.shape), steps)
  return {
    'bytes_moved': module.traffic(steps),
    'collectives': [collective._asdict() for collective in collectives],
    'xla': {
      'flops': totals.get('flops'),
      'bytes_accessed': totals.get('bytes accessed'),
    },
  }


def _roofline(program, chip: machines.Chip, used: int) -> dict[str, Any]:
  """Returns the seconds of a step at full speed, if the speeds are known.

  Args:
    program: its costs so far.
    chip: memory and speeds of one device.
    used: number of devices.
  """
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
  """Returns the bytes that a collective sends over the links, in a ring."""
  if collective['kind'] == 'collective-permute':
    return collective['nbytes']
  rounds = 2 if collective['kind'] == 'all-reduce' else 1
  if collective['kind'] == 'reduce-scatter':  # Its result is one part.
    rounds = collective['group']
  share = 1 - 1 / collective['group']
  return rounds * share * collective['nbytes']


def _limits(exp, devices, chip, peak: int) -> dict[str, Any]:
  """Finds the largest memory and the largest batch that fit, each alone.

  Args:
    exp: the experiment.
    devices: of the machine.
    chip: memory and speeds of one device.
    peak: bytes of training as it is configured.
  """
  mesh, config = exp.mesh.shape, exp.config
  fixed = {f'mesh.{axis}': size for axis, size in mesh.items()}
  # The samples that slots would start from do not matter here.
  fixed['model.memory.init'] = 'uniform'

  def peak_with(**fields):
    changed = _described(config_lib.changed(config, fixed | fields), devices)
    return _program('train', changed, chip)['bytes']['peak']

  def slots(count):
    if not config.fleet.slots:
      return peak_with(**{'model.memory.slots': count})
    largest = max(config.fleet.slots)
    sizes = (count if n == largest else n for n in config.fleet.slots)
    return peak_with(**{'fleet.slots': tuple(sizes)})

  def largest(*args):
    try:
      return fitting.largest(*args)
    except errors.UserError as error:  # The config refuses some size.
      return {'largest': None, 'checked': False, 'reason': str(error)}

  out = {}
  if exp.trainer.method.memories:
    (path, at), *_ = exp.trainer.method.memories.items()
    variables = step.weights(exp.programs.init_shapes).variables
    width = base.slots_of(variables, path).shape[-1]
    share = math.ceil(len(exp.replicas) / mesh[parallel.REPLICA])
    # Roughly: the float32 slot, its gradient, two moments and the best weights.
    slot_bytes = 5 * 4 * width * share / mesh[parallel.MEMORY]
    other = at + max(at, int((chip.memory - peak) / 2 / slot_bytes))
    if peak > chip.memory:
      other = max(1, at // 2)
    out['slots'] = largest(
      slots, at, peak, other, mesh[parallel.MEMORY], chip.memory
    )
  at = config.train.batch_size
  out['batch_size'] = largest(
    lambda count: peak_with(**{'train.batch_size': count}),
    at,
    peak,
    2 * at if peak <= chip.memory else max(1, at // 2),
    mesh[parallel.DATA] * config.train.accumulate,
    chip.memory,
  )
  return out


def too_large(plan: dict[str, Any]) -> str:
  """Says what does not fit, by how much, and which config field to lower.

  Args:
    plan: from `make`, of which a program does not fit.
  """
  chip = plan['chip']['name']
  limits = plan.get('limits', {})
  families = plan, *plan['others'].values()
  fits = lambda family: all(
    p is None or p['fits'] for p in (family['train'], family['score'])
  )
  number = [fits(family) for family in families].index(False)
  if number:
    limits = {}
  plan = families[number]
  name = 'score' if plan['train'] is None or plan['train']['fits'] else 'train'
  program = plan[name]
  sizes, memory = program['bytes'], program['memory']
  excess = sizes['peak'] - memory
  work = {'train': 'training', 'score': 'scoring'}[name]
  if number:
    work += f' of "{plan["family"]}"'
  problem = (
    f'{work} needs {table.size(sizes["peak"])} of each device,'
    f' {table.size(excess)} more than {chip} has; '
  )
  state = sizes['parameters'] + sizes['optimizer'] + sizes['best_weights']
  largest = lambda field: limits.get(field, {}).get('largest') or None
  if plan['slots'] and state > sizes['temporaries']:
    to = largest('slots')
    return problem + (
      f'lower model.memory.slots{f" to {to}" if to else ""}, or raise'
      ' mesh.memory'
    )
  if name == 'score':
    return problem + 'lower eval.batch_size'
  to = largest('batch_size')
  return problem + (
    f'lower train.batch_size{f" to {to}" if to else ""}, raise'
    ' train.accumulate or mesh.data, or set model.compute to "bfloat16"'
  )
