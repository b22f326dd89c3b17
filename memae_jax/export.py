"""Exporter of a trained detector to one portable file, which `scorer` reads.

python -m memae_jax.export runs/digits --to=digits.scorer --replica=NAME

The file is a zip archive that holds no pickle:

program.bin  a function of samples [B, ...] for any B, serialised by
             `jax.export` for CPU, CUDA and TPU. It gives score, errors and
             slots kept. Weights and scaling of the inputs are inside, but for
             the float64 stage of numbers before it (`data.host_stage`)
update.bin   of methods whose memory may move in streams: see `update_program`
meta.json    that stage, the threshold, the meaning of score and inputs,
             origin, versions, and the day until which JAX can read it

The network sees blocks of one size, whatever B is: memory is bounded, and the
score of a sample does not depend on how many others came with it.
"""

import contextlib
import dataclasses
import datetime
import functools
import hashlib
import io
import math
import pathlib
import zipfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from memae_jax import cli, losses
from memae_jax import config as config_lib
from memae_jax.data import host_stage, transforms
from memae_jax.data.videos import views
from memae_jax.evaluation.results import describe
from memae_jax.evaluation.scoring import collect, combined, odd_columns, single
from memae_jax.exported import alarms, by_column, expiry, scorer_file
from memae_jax.methods import moving, registry, tasks
from memae_jax.runtime import atomic, errors, paths, strict_json
from memae_jax.training import experiment, step

# Elements of a block of samples, by platform: as many as keep a device busy,
# and no more, since one sample costs as much as a block.
_ELEMENTS = {'cpu': 2**14, 'default': 2**20}
_MOST = 1024  # Most samples of a block.
_WHEN = (1980, 1, 1, 0, 0, 0)  # Fixed, so that equal content is an equal file.


def _blocks(shape: tuple[int, ...]) -> dict[str, int]:
  """Returns how many samples of a shape make a block, by platform.

  These are powers of two.
  """
  fit = {k: max(n // math.prod(shape), 1) for k, n in _ELEMENTS.items()}
  return {k: min(1 << (n.bit_length() - 1), _MOST) for k, n in fit.items()}


def _in_blocks(function, size: int):
  """Applies a function of [size, ...] samples to [B, ...], B symbolic."""

  def mapped(x):
    count = x.shape[0]
    blocks = -(-count // size)
    padding = [(0, blocks * size - count, 0)] + [(0, 0, 0)] * (x.ndim - 1)
    padded = jax.lax.pad(x, jnp.zeros((), x.dtype), padding)
    out = jax.lax.map(function, padded.reshape(blocks, size, *x.shape[1:]))
    return jax.tree.map(
      lambda y: y.reshape(blocks * size, *y.shape[2:])[:count], out
    )

  return mapped


def program(
  exp: experiment.Experiment,
  weights: step.Weights,
  index: int,
  parts: tuple[combined.Part, ...] = (),
) -> jax.export.Exported:
  """Returns the exported program of one replica.

  It takes samples [B, ...] as `Source.inputs` has them: bytes as in the files
  of the data set, numbers after the host stage. It returns a dict of `score`
  [B]; `errors`, for tables the squared error [B, D] of each input, else error
  maps [B, H, W], for clips those of the scored frame; and, with a memory,
  `kept` [B], the slots that the reads of a sample kept.

  Args:
    exp: the experiment.
    weights: of the fleet.
    index: of the replica.
    parts: of its combined scores.
  """
  one, inputs = single.of(exp, weights, index, parts), exp.source.inputs

  def block(x):
    out = one.predict(one.variables, transforms.apply(x, one.transform))
    outputs = {'score': one.score(out)}
    maps = losses.map_of(one.rules[1], out.maps)
    if maps is not None:
      outputs['errors'] = maps
    if out.kept is not None:
      outputs['kept'] = out.kept
    return outputs

  shape = inputs.shape[1:]
  by_platform = {
    k: _in_blocks(block, size) for k, size in _blocks(shape).items()
  }
  function = functools.partial(jax.lax.platform_dependent, **by_platform)
  (batch,) = jax.export.symbolic_shape('batch')
  return _exported(
    function, jax.ShapeDtypeStruct((batch, *shape), inputs.dtype)
  )


def _exported(function, *samples) -> jax.export.Exported:
  """Returns a function of arrays like these as a program."""
  with _no_places(), jax.disable_jit(False):  # A program is compiled code.
    export = jax.export.export(
      jax.jit(function), platforms=scorer_file.PLATFORMS
    )
    return export(*samples)


def update_program(
  exp: experiment.Experiment,
  weights: step.Weights,
  index: int,
  parts: tuple[combined.Part, ...] = (),
) -> jax.export.Exported | None:
  """Returns the program of a replica whose memory moves in streams, or None.

  It takes a sample [1, ...], the memory, and whether the stream begins: then
  the trained memory stands in its place. It returns `score` [1], by the memory
  as it was; `memory` after the sample; and whether it `moves`.

  Args:
    exp: the experiment.
    weights: of the fleet.
    index: of the replica.
    parts: of its combined scores.
  """
  inputs, is_bounded = exp.source.inputs, tasks.is_bounded(exp.config)
  moves = isinstance(exp.trainer.method, moving.MovesInStreams)
  if not (moves and is_bounded and inputs.dtype == np.uint8):
    return None
  one = single.of(exp, weights, index, parts)
  method = one.trainer.method
  trained = jax.tree.map(jnp.asarray, one.variables[method.moves])

  def scored(x, memory, begins):
    memory = jax.tree.map(
      lambda new, old: jnp.where(begins, new, old), trained, memory
    )
    variables = {**one.variables, method.moves: memory}
    x = transforms.apply(x, one.transform)
    out = one.predict(variables, x)
    after = method.moved_by(variables, x, one.hyper, out.output)
    moves = after.regular < method.below
    memory = jax.tree.map(
      lambda new, old: jnp.where(moves, new, old), after.collection, memory
    )
    return {'score': one.score(out), 'memory': memory, 'moves': moves}

  like = lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype)
  return _exported(
    scored,
    jax.ShapeDtypeStruct((1, *inputs.shape[1:]), inputs.dtype),
    jax.tree.map(like, trained),
    jax.ShapeDtypeStruct((), bool),
  )


@contextlib.contextmanager
def _no_places():
  """Leaves the places in source files out of an exported program.

  With them, the file would name folders of this machine.
  """
  name = 'jax_traceback_in_locations_limit'
  before = getattr(jax.config, name)
  jax.config.update(name, 0)
  try:
    yield
  finally:
    jax.config.update(name, before)


def calibration(
  exp: experiment.Experiment, weights: step.Weights, index: int
) -> collect.Calibration:
  """Returns the threshold by which evaluation flags samples of a replica.

  Args:
    exp: the experiment.
    weights: of the fleet.
    index: of the replica.

  Returns:
    It, with the parts of combined scores.

  Raises:
    UserError: it is not finite.
  """
  calibrated = collect.calibrations(exp, weights)[index]
  if not np.isfinite(calibrated.threshold):
    raise errors.UserError(
      f'the threshold of replica "{exp.replicas[index].name}" is'
      f' {calibrated.threshold}: its scores of validation normals are not'
      ' finite; train it again with a lower train.learning_rate'
    )
  return calibrated


def _readable_until() -> str:
  """Says which versions of JAX read what this one exports."""
  day = expiry.readable_until(jax.__version__)
  later = f'later ones released until {day}' if day else 'those of its time'
  return f'that JAX and {later}'


def meta(
  exp, index: int, calibrated: collect.Calibration, at: int, taken: int
) -> dict[str, Any]:
  """Returns the content of meta.json.

  Args:
    exp: the experiment.
    index: of the replica.
    calibrated: from `calibration`.
    at: step of the checkpoint.
    taken: step of the weights in it.
  """
  config, source = exp.config, exp.source
  score = describe.score(exp)
  score.pop('second', None)
  score[by_column.REFUSAL] = odd_columns.refusal(exp)
  quantile, until = config.eval.normal_quantile, _readable_until()
  seen = views.recipe(config.data) if source.videos else None
  data = {key: config.data[key] for key in scorer_file.READING}
  return {
    'format': scorer_file.FORMAT,
    'version': scorer_file.VERSION,
    'jax': jax.__version__,
    'exported': datetime.datetime.now(datetime.UTC).date().isoformat(),
    'readable_until': until,
    'threshold': calibrated.threshold,
    'normal_scores': alarms.stored(calibrated.normal, exp.replicas[index].seed),
    'threshold_rule': f'{quantile:.0%} quantile of the validation normals;'
    ' what scores above it is flagged',
    'score': score,
    'input': {
      'kind': 'clips'
      if source.videos
      else scorer_file.KINDS[len(source.inputs.shape) - 1][0],
      'shape': list(source.inputs.shape[1:]),
      'dtype': source.inputs.dtype.name,
      'columns': [c._asdict() for c in source.columns],
      'number_formats': source.notes.get('number_formats', {}),
      'date_formats': source.notes.get('date_formats', {}),
      'host': source.host and host_stage.to_json(source.host),
      'levels': list(source.levels),
      'motion': seen and dataclasses.asdict(seen),
      'scored': config_lib.data_of(config).scored,
      **data,
    },
    'blocks': _blocks(source.inputs.shape[1:]),
    'replica': exp.replicas[index]._asdict(),
    'checkpoint': {
      'step': at,
      'rule': config.eval.checkpoint,
      'weights_step': taken,
    },
    **exp.identity,
    'config': config.to_dict(),
    'environment': {key: exp.started_in[key] for key in ('versions', 'commit')},
  }


def to_file(run: pathlib.Path, path: pathlib.Path, name: str = '') -> None:
  """Writes one replica of a run as a file that `scorer.load` reads.

  Args:
    run: folder of the run, of which the weights are taken that evaluation
      takes.
    path: of the file.
    name: of the replica; '': the first one.

  Raises:
    UserError: there is no such run or replica, or its scores need more than
      one sample at a time.
  """
  scorer_file.check_flatbuffers()
  exp, index = experiment.build(config_lib.load(run / 'config.json')).find(name)
  entry = registry.find(exp.replicas[index].variant)
  if not entry.exportable:
    raise errors.UserError(
      f'method "{entry.name}" cannot be exported; give --replica=NAME of'
      ' another'
    )
  names = exp.programs.score_names
  if losses.find(exp.rule).over_clips:
    alone = [name for name in names if not losses.find(name).over_clips]
    raise errors.UserError(
      f'config field "eval.score" is "{exp.rule}", which needs all clips of a'
      ' video, but a scorer takes any clips; set it to one of'
      f' {", ".join(alone)} to export'
    )
  if exp.config.eval.smooth and exp.source.videos:
    raise errors.UserError(
      f'config field "eval.smooth" is {exp.config.eval.smooth:g}, which needs'
      ' all frames of a video, but a scorer takes any; set it to 0 to export'
    )
  at, weights, steps = collect.restored(exp, run)
  calibrated = calibration(exp, weights, index)
  parts = calibrated.parts
  update = update_program(exp, weights, index, parts)
  write(
    path,
    bytes(program(exp, weights, index, parts).serialize()),
    meta(exp, index, calibrated, at, int(steps[index])),
    bytes(update.serialize()) if update else b'',
  )
  print(
    f'replica "{exp.replicas[index].name}" of {run} is in {path}; score with'
    f' python -m memae_jax.scorer {path} INPUT'
  )
  print(f'written by jax {jax.__version__}, readable by {_readable_until()}')


def write(
  path: pathlib.Path, binary: bytes, meta: dict[str, Any], update: bytes = b''
) -> None:
  """Writes the archive, all of it or nothing.

  Args:
    path: of the file.
    binary: content of program.bin.
    meta: content of meta.json, without sizes and hashes of the programs.
    update: content of update.bin; b'': there is none.
  """
  programs = {scorer_file.PROGRAM: binary}
  programs |= {scorer_file.UPDATE: update} if update else {}
  for name, part in programs.items():
    digest = hashlib.sha256(part).hexdigest()
    told = {'bytes': len(part), 'sha256': digest}
    meta = meta | {name.removesuffix('.bin'): told}
  content = io.BytesIO()
  with zipfile.ZipFile(content, 'w') as archive:
    text = strict_json.text(meta)
    for name, part in ((scorer_file.META, text), *programs.items()):
      archive.writestr(zipfile.ZipInfo(name, _WHEN), part)
  atomic.write(path, content.getvalue())


def run(*words: str) -> None:
  """Exports what the flags describe."""
  options = flags.FLAGS
  if len(words) != 1 or not options.to:
    raise errors.UserError('give the folder of a run and --to=FILE')
  source = paths.local(words[0], 'the folder of a run')
  to_file(source, paths.local(options.to, '--to'), options.replica)


if __name__ == '__main__':
  flags.DEFINE_string('to', '', 'File to write.')
  flags.DEFINE_string(
    'replica', '', 'Name of a replica of the run; default: the first.'
  )
  cli.main(run, arguments=1)
