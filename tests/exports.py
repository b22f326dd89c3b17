"""Small runs of each kind of data, and scorers exported from them."""

import io
import zipfile

import numpy as np
import pytest

from memae_jax import export, scorer
from memae_jax.evaluation.scoring import collect
from memae_jax.runtime import errors
from memae_jax.training import checkpoint, experiment, loop, run_folder
from tests import helpers

_CONV = {
  'model.network': 'conv',
  'model.widths': (4, 6),
  'model.code': 3,
  'model.batch_norm': True,
  'model.memory.per_position': True,
  'fleet.normal_classes': (0,),
  'train.epochs': 1.0,
}


# Kind of run -> config and how many replicas it has.
RUNS = {
  'dense': (
    helpers.digits,
    {
      'fleet.normal_classes': (0,),
      'fleet.variants': ('memae', 'ae', 'vae'),
      'fleet.slots': (6, 10),
      'eval.normal_quantile': 0.8,
    },
    4,
  ),
  'images': (helpers.digits, _CONV | {'model.memory.read': 'streaming'}, 1),
  'clips': (
    helpers.clips,
    {
      'data.image_size': 16,
      'data.image_width': 24,
      'data.clip_stride': 10,
      'eval.score': 'psnr_centre',
      'eval.checkpoint': 'validation',
      'eval.batch_size': 16,
      'train.epochs': 1.0,
    },
    1,
  ),
  'motion': (
    helpers.clips,
    {
      'data.image_size': 16,
      'data.image_width': 24,
      'data.clip_frames': 1,
      'data.clip_stride': 10,
      'data.motion': 'blocks',
      'data.input': 'both',
      'data.perspective': 0.5,
      'eval.frame_rate': 10.0,
      'eval.alarms_per_hour': 7200.0,
      'eval.alarm_gap': 0.35,
      'model.widths': (4, 6),
      'model.time_strides': (),
      'eval.batch_size': 64,
      'train.epochs': 1.0,
    },
    1,
  ),
  'table': (
    helpers.digits,
    {
      'data.name': 'arrays',
      'data.label_column': 'label',
      'data.normal_labels': ('good',),
      'data.categorical_columns': ('kind',),
      'data.protocol': 'random_rows',
      'data.scaling': 'standard',
      'data.log1p': True,
      'fleet.normal_classes': (),
      'train.epochs': 1.0,
    },
    1,
  ),
}


def _rows(rows):
  """Replaces the first number by one that is never negative."""
  return [rows[0]] + [
    [f'{20 * abs(float(r[0])):.3f}', *r[1:]] for r in rows[1:]
  ]


def train(config, workdir):
  exp = experiment.build(config)
  loop.train(exp, workdir)
  with checkpoint.Checkpoints(
    workdir, read_only=True, unpadded=exp.programs.unpadded_shapes
  ) as checkpoints:
    at, state, _ = run_folder.trained(exp, checkpoints, workdir)
  found, _, _ = collect.networks(exp, *collect.select_weights(exp, state, at))
  return exp, {replica.name: replica for replica in found}, workdir


def raw(exp, rows):
  """Samples as files have them, before their host stage."""
  x, host = exp.source.inputs[rows], exp.source.host
  if host is None:
    return x
  x = x / host.unit + host.centre
  return np.where(host.log1p, np.expm1(x), x)


def members(path):
  with zipfile.ZipFile(path) as archive:
    return {name: archive.read(name) for name in archive.namelist()}


def archive(members, how=zipfile.ZIP_STORED):
  content = io.BytesIO()
  with zipfile.ZipFile(content, 'w', how) as archive:
    for name, part in members.items():
      archive.writestr(name, part)
  return content.getvalue()


def scored_runs(make_folder):
  """Returns a function: kind of run -> experiment, its scores, folder.

  Args:
    make_folder: makes a folder of a name.
  """
  made = {}

  def get(kind):
    if kind not in made:
      folder = make_folder(kind)
      function, fields, _ = RUNS[kind]
      if kind == 'table':
        path = helpers.write_csv(folder / 'table.csv', _rows)
        fields = fields | {'data.path': str(path)}
      made[kind] = train(function(**fields), folder / 'run')
    return made[kind]

  return get


def scorers(scored_run):
  """Returns a function: kind and number of a replica -> path, scorer."""
  made = {}

  def get(kind, index=0):
    if (kind, index) not in made:
      exp, _, folder = scored_run(kind)
      path = folder / f'{index}.scorer'
      export.to_file(folder, path, exp.replicas[index].name)
      made[kind, index] = path, scorer.load(path)
    return made[kind, index]

  return get


def refused(message, function, *args):
  """Asserts that a call raises a UserError of one line that matches."""
  with pytest.raises(errors.UserError, match=message) as error:
    function(*args)
  assert '\n' not in str(error.value)
