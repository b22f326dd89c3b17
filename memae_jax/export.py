"""Exporter of a trained detector to one portable file, which `scorer` reads.

python -m memae_jax.export runs/digits --to=digits.scorer --replica=NAME
python -m memae_jax.export --refresh=digits.scorer
python -m memae_jax.export runs/digits --to=digits.onnx

A name that ends in .onnx asks for a model of ONNX, see `onnx_file`. Any other
file is a zip archive that holds no pickle:

program.bin  a function of samples [B, ...] for any B and of weights, serialised
             by `jax.export` for CPU, CUDA and TPU. It gives score, errors and
             slots kept, see `portable.program`
weights.npz  weights and scaling of the inputs, which it takes, but for the
             float64 stage of numbers before it (`data.host_stage`)
update.bin   of methods whose memory may move in streams: see
             `portable.update_program`; it takes the same weights
meta.json    that stage, the threshold, the meaning of score and inputs, the
             config, origin, versions, and the day until which JAX can read it

JAX reads a program for some months. `refresh` makes it anew, of weights and
config in the file, by the JAX that is installed then.
"""

import dataclasses
import datetime
import hashlib
import io
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from absl import flags

import memae_jax
from memae_jax import cli
from memae_jax import config as config_lib
from memae_jax.data import host_stage
from memae_jax.data.videos import views
from memae_jax.estimators import exportable
from memae_jax.evaluation.results import describe
from memae_jax.evaluation.scoring import (
  collect,
  hourly_limits,
  odd_columns,
  onnx_file,
  portable,
  single,
)
from memae_jax.exported import (
  alarms,
  by_column,
  expiry,
  hourly,
  scorer_file,
)
from memae_jax.methods import tasks
from memae_jax.runtime import (
  atomic,
  errors,
  foreign,
  parallel,
  paths,
  strict_json,
)

_WHEN = (1980, 1, 1, 0, 0, 0)  # Fixed, so that equal content is an equal file.


def programs(one: single.Single, config: Any) -> dict[str, bytes]:
  """Returns the programs and arrays of a replica, by their names in the file.

  Args:
    one: the replica.
    config: of its run, resolved.
  """
  content = io.BytesIO()
  np.savez(content, **one.arrays)
  members = {
    scorer_file.WEIGHTS: content.getvalue(),
    scorer_file.PROGRAM: bytes(portable.program(one).serialize()),
  }
  update = portable.update_program(one, tasks.is_bounded(config))
  if update:
    members[scorer_file.UPDATE] = bytes(update.serialize())
  return members


def _readable_until() -> str:
  """Says which versions of JAX read what this one exports."""
  day = expiry.readable_until(jax.__version__)
  later = f'later ones released until {day}' if day else 'those of its time'
  return f'that JAX and {later}'


def _written_by() -> dict[str, str]:
  """Returns who writes a program, and until when it can be read."""
  return {
    'jax': jax.__version__,
    'exported': datetime.datetime.now(datetime.UTC).date().isoformat(),
    'readable_until': _readable_until(),
  }


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
  quantile = config.eval.normal_quantile
  seen = views.recipe(config.data) if source.videos else None
  data = {key: config.data[key] for key in scorer_file.READING}
  per_hour = {}
  if source.videos:
    found = hourly_limits.stored(exp, index, calibrated.normal)
    per_hour = {hourly.KEY: found}
  return {
    'format': scorer_file.FORMAT,
    'version': scorer_file.VERSION,
    **_written_by(),
    'rebuild': {
      'rules': [exp.rule, exp.map_rule],
      'parts': [part._asdict() for part in calibrated.parts],
    },
    'threshold': calibrated.threshold,
    'normal_scores': alarms.stored(calibrated.normal, exp.replicas[index].seed),
    'threshold_rule': f'{quantile:.0%} quantile of the validation normals;'
    ' what scores above it is flagged',
    **per_hour,
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
    'blocks': portable.blocks(source.inputs.shape[1:]),
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


def _meta_of(taken: exportable.Taken) -> dict[str, Any]:
  """Returns the content of meta.json of what a run gave."""
  told = meta(
    taken.experiment, taken.number, taken.calibrated, taken.at, taken.step
  )
  return told | ({'threshold_rule': taken.rule} if taken.rule else {})


def to_file(run: pathlib.Path, path: pathlib.Path, name: str = '') -> None:
  """Writes one replica of a run as a file that `scorer.load` reads.

  Args:
    run: folder of the run.
    path: of the file.
    name: of the replica; '': the first one.

  Raises:
    UserError: there is no such run or replica, or its scores need more than
      one sample at a time.
  """
  scorer_file.check_flatbuffers()
  taken = exportable.taken(run, name, exportable.check)
  exp = taken.experiment
  write(path, programs(taken.one, exp.config), _meta_of(taken))
  print(
    f'replica "{exp.replicas[taken.number].name}" of {run} is in {path}; score'
    f' with python -m memae_jax.scorer {path} INPUT'
  )
  print(f'written by jax {jax.__version__}, readable by {_readable_until()}')


def to_onnx(run: pathlib.Path, path: pathlib.Path, name: str = '') -> None:
  """Writes one replica of a run as a model of ONNX, and compares its scores.

  Args:
    run: folder of the run.
    path: of the file.
    name: of the replica; '': the first one.

  Raises:
    UserError: there is no such run or replica, it cannot be written so, or
      scores of its samples by onnxruntime differ too much.
  """
  taken = exportable.taken(run, name, onnx_file.check)
  exp = taken.experiment
  content = onnx_file.written(taken.one, exp.source.host, _meta_of(taken))
  samples, scores = exportable.compared(taken, onnx_file.SAMPLES)
  found = onnx_file.compared(
    content, samples, scores, taken.calibrated.threshold
  )
  atomic.write(path, content)
  print(
    f'replica "{exp.replicas[taken.number].name}" of {run} is in {path}; on'
    f' {found.count} {taken.samples} scores by onnxruntime differ by at most'
    f' {found.difference:.1e}, {found.flags} flags of {found.count} are equal'
  )


def refresh(path: pathlib.Path, to: pathlib.Path) -> None:
  """Rebuilds the programs of a file under the JAX that runs here.

  Weights, threshold and all that the file says of samples stay as they are.

  Args:
    path: of a scorer's file, whose programs need not be readable.
    to: file to write; it may be the same one.

  Raises:
    UserError: the file is damaged, an earlier version wrote it without
      weights, or this version does not know its method.
  """
  scorer_file.check_flatbuffers()
  meta, members = scorer_file.parts(path, with_programs=False)
  arrays = scorer_file.arrays(path, members)
  if not arrays:
    raise errors.UserError(
      f'{path} has version {meta["version"]} of its format, which holds no'
      ' weights beside its program; export the run again'
    )
  try:
    one = single.rebuilt(meta, *arrays)
    content = programs(one, config_lib.resolve(meta['config']))
  except Exception as error:  # Content of a file may fail in many ways.
    raise errors.UserError(
      f'{path} cannot be rebuilt by memae_jax {memae_jax.__version__}'
      f' ({foreign.reason(error)}); export the run again'
    ) from error
  blocks = portable.blocks(one.shape)
  write(to, content, meta | _written_by() | {'blocks': blocks})
  print(f'{to} is {path}, its program rebuilt')
  print(f'written by jax {jax.__version__}, readable by {_readable_until()}')


def write(
  path: pathlib.Path, members: Mapping[str, Any], meta: dict[str, Any]
) -> None:
  """Writes the archive, all of it or nothing.

  Args:
    path: of the file.
    members: bytes of weights and programs by name, see `programs`.
    meta: content of meta.json, without sizes and hashes of the members.
  """
  for name, part in members.items():
    told = {'bytes': len(part), 'sha256': hashlib.sha256(part).hexdigest()}
    meta = meta | {pathlib.Path(name).stem: told}
  if not parallel.is_first():
    return
  with atomic.replacing(path) as place, zipfile.ZipFile(place, 'w') as archive:
    text = strict_json.text(meta)
    for name, part in ((scorer_file.META, text), *members.items()):
      archive.writestr(zipfile.ZipInfo(name, _WHEN), part)


def run(*words: str) -> None:
  """Exports what the flags describe."""
  options = flags.FLAGS
  if options.refresh:
    if words:
      raise errors.UserError('--refresh=FILE takes no folder of a run')
    path = paths.local(options.refresh, '--refresh')
    refresh(path, paths.local(options.to, '--to') if options.to else path)
    return
  if len(words) != 1 or not options.to:
    raise errors.UserError('give the folder of a run and --to=FILE')
  source = paths.local(words[0], 'the folder of a run')
  path = paths.local(options.to, '--to')
  form = to_onnx if path.suffix == '.onnx' else to_file
  form(source, path, options.replica)


if __name__ == '__main__':
  flags.DEFINE_string('to', '', 'File to write.')
  flags.DEFINE_string(
    'replica', '', 'Name of a replica of the run; default: the first.'
  )
  flags.DEFINE_string(
    'refresh', '', 'Scorer to rebuild under this JAX, without its run.'
  )
  cli.main(run, arguments=1)
