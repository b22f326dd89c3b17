"""Small runs of each method that can be exported, on data without a download.

Digits (8 x 8), a generated table, generated videos and generated textures; the
networks are the smallest that work, as only their scores are compared.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from memae_jax import config as config_lib

_ROWS = 1500  # Of the table.
_BASE = {
  'model.memory.slots': 20,
  'train.epochs': 2.0,
  'train.batch_size': 32,
  'eval.baselines': (),
  'eval.bootstrap': 0,
}
_DIGITS = {
  'data.protocol': 'random_rows',
  'data.normal_labels': ('0', '1', '2', '3', '4'),
  'data.train_fraction': 0.4,
  'model.widths': (32,),
  'model.code': 8,
}
_TABLE = {
  'data.name': 'arrays',
  'data.protocol': 'random_rows',
  'data.scaling': 'standard',
  'data.log1p': True,
  'model.widths': (16,),
  'model.code': 4,
  'methods.bank.features': 'raw',
}
_CLIPS = {
  'data.name': 'moving_shapes',
  'data.protocol': 'given',
  'data.image_size': 16,
  'data.image_width': 24,
  'data.clip_stride': 1,  # All frames are compared.
  'model.network': 'conv',
  'model.code': 3,
  'model.widths': (4, 6),
  'model.time_strides': (1, 2),
  'model.activation': 'leaky_relu',
  'model.batch_norm': True,
  'model.memory.per_position': True,
  'train.epochs': 0.1,
  'eval.batch_size': 64,
}
_PREDICTED = {
  'model.task': 'predict',
  'model.time_strides': (),
  'model.memory.threshold': 0.0,
  'data.clip_frames': 5,
  'methods.frame_pred.widths': (4, 6),
  'methods.mnad.widths': (4, 6),
}
_MOTION = {
  'data.clip_frames': 1,
  'data.motion': 'blocks',
  'data.input': 'both',
  'model.time_strides': (),
}
_TEXTURES = {
  'data.name': 'textures',
  'data.protocol': 'given',
  'data.image_size': 48,
  'data.patch': 32,
  'model.network': 'conv',
  'model.widths': (4, 6, 8),
  'methods.bank.features': 'patches',
  'train.epochs': 1.0,
  'eval.batch_size': 32,
}
_CONV = {
  'model.network': 'conv',
  'model.code': 3,
  'model.widths': (4, 6),
  'model.batch_norm': True,
  'model.memory.per_position': True,
}
DATA: dict[str, Mapping[str, Any]] = {
  'digits': _DIGITS,
  'table': _TABLE,
  'videos': _CLIPS,
  'textures': _TEXTURES,
}


def _group(name: str, **fields: Any) -> dict[str, Any]:
  """Returns fields of the group of a method."""
  return {f'methods.{name}.{key}': value for key, value in fields.items()}


# Data, method, what is special, fields; in the order of the table.
CASES: tuple[tuple[str, str, str, Mapping[str, Any]], ...] = (
  *(
    ('digits', name, '', {})
    for name in ('memae', 'nonspar', 'ae', 'ae_l1', 'dae', 'vae')
  ),
  ('digits', 'memae', 'convolutions', _CONV),
  ('digits', 'ae_ssim', '', {}),
  ('digits', 'fm_ae', '', {}),
  (
    *('digits', 'memae_positions', ''),
    {
      'model.network': 'conv',
      'model.code': 3,
      'model.widths': (4, 4, 6),
      'model.strides': (2, 1, 2),
    },
  ),
  ('digits', 'bank', 'blurred', {}),
  ('digits', 'bank', 'raw pixels', _group('bank', features='raw')),
  ('digits', 'encoder_bank', '', {}),
  *(
    ('digits', name, '', {})
    for name in ('feature_memae', 'feature_nonspar', 'feature_ae', 'gaussian')
  ),
  ('digits', 'variation', '', {}),
  ('digits', 'gmm_texture', '', _group('gmm_texture', components=3)),
  ('digits', 'dictionary', '', _group('dictionary', patch=4, stride=2)),
  ('digits', 'anogan', '', _group('anogan', width=2, latent=3, steps=3)),
  ('digits', 'pixelcnn', '', _group('pixelcnn', width=4, layers=2, levels=4)),
  ('digits', 'dsebm_e', '', _group('dsebm_e', widths=(4, 6))),
  *(
    ('digits', name, '', {})
    for name in (
      *('dcn', 'deep_svdd', 'mean', 'pca'),
      *('kde', 'isolation_forest', 'ocsvm'),
    )
  ),
  *(
    ('table', name, '', {})
    for name in (
      *('memae', 'bank', 'dagmm', 'dsebm_e', 'dsebm_r', 'dcn'),
      *('deep_svdd', 'isolation_forest'),
    )
  ),
  ('videos', 'memae', 'clips of 16', {}),
  ('videos', 'memae', 'motion', _MOTION),
  ('videos', 'bank', 'motion', _MOTION | _group('bank', features='cells')),
  ('videos', 'mnad', 'predicts', _PREDICTED),
  ('videos', 'frame_pred', 'predicts', _PREDICTED),
  (
    *('videos', 'hasan', 'clips of 16'),
    _group('hasan', widths=(8, 4), kernels=(3, 3), stride=2),
  ),
  (
    *('videos', 'zhao', 'clips of 4'),
    {
      'data.clip_frames': 4,
      **_group('zhao', widths=(4, 6), decoder_widths=(4,)),
    },
  ),
  *(
    ('textures', name, 'patches of 32', {})
    for name in ('memae', 'ae_ssim', 'vae', 'bank')
  ),
)


def write_table(folder: pathlib.Path) -> pathlib.Path:
  """Writes a table of numbers with offsets and tails, and returns its path."""
  rng = np.random.default_rng(0)
  rows = rng.normal(size=(_ROWS, 8)) * [1, 10, 0.1, 1, 1, 1, 2, 1]
  rows += [0, 100, 0, 1e6, -5, 0, 0, 3]
  rows[:, :2] = np.exp(rows[:, :2] / [1, 100])
  path = folder / 'rows.npz'
  np.savez(path, inputs=rows)
  return path


def config(data: str, method: str, fields: Mapping[str, Any], table: Any):
  """Returns the resolved config of a case.

  Args:
    data: a name in `DATA`.
    method: its name.
    fields: that it has beside those of its data.
    table: path of the generated table.
  """
  own = {'data.path': str(table)} if data == 'table' else {}
  found = config_lib.default()
  config_lib.assign(
    found,
    _BASE | DATA[data] | own | {'fleet.variants': (method,)} | dict(fields),
  )
  return config_lib.resolve(found)
