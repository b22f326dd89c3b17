"""Registry of the data sets; a reader is imported only when it is used."""

import dataclasses
import importlib
import os
import pathlib
from collections.abc import Callable
from typing import Any

from memae_jax.runtime import catalogue, paths


@dataclasses.dataclass(frozen=True)
class DataSet:
  """Description of a data set, known without reading it.

  Attributes:
    name: value of `data.name`.
    load: reads it: takes `config.data`, returns a `types.Source`.
    reads: fields of `data` that this data set reads and some others do not.
  """

  name: str
  load: Callable[[Any], Any]
  reads: tuple[str, ...] = ()


_SETS = catalogue.Catalogue[DataSet](
  'data set', unknown='config field "data.name" is "{name}"'
)
register, names, find = _SETS.register, _SETS.names, _SETS.find


def data_dir(folder: str = '') -> pathlib.Path:
  """Returns the absolute path of the folder of prepared data sets.

  Args:
    folder: a folder; empty: $MEMAE_DATA_DIR, or else ~/memae_data.
  """
  folder = folder or os.environ.get('MEMAE_DATA_DIR') or '~/memae_data'
  return paths.local(folder, 'the folder of prepared data').absolute()


def readers(field: str) -> tuple[str, ...]:
  """Returns the data sets that read a field of `data`; () if all of them do."""
  return tuple(name for name in names() if field in find(name).reads)


def _load(module: str) -> Callable[[Any], Any]:
  """Returns the `load` of a module, which is imported when it is called."""

  def load(config):
    return importlib.import_module(f'memae_jax.data.{module}').load(config)

  return load


_CLIPS = (
  'image_size',
  'image_width',
  'clip_frames',
  'clip_stride',
  'frame_step',
  'input',
  'motion',
  'perspective',
  'motion_frames',
  'motion_box',
  'motion_cell',
  'motion_gap',
  'motion_reach',
  'motion_window',
  'motion_penalty',
)
_FRAMES = (*_CLIPS, 'colour', 'label_path')
_FORM = 'separator', 'encoding', 'decimal', 'thousands', 'missing_marks'
_TABLE = (
  'path',
  'test_path',
  'label_column',
  'categorical_columns',
  'date_columns',
  'date_parts',
  'date_order',
  'drop_columns',
  'key_column',
  *_FORM,
)

register(
  DataSet('digits', _load('sets.digits')),
  DataSet('mnist', _load('sets.mnist')),
  DataSet('cifar10', _load('sets.cifar10')),
  DataSet('kddcup99', _load('sets.kddcup99')),
  DataSet(
    'creditcard',
    _load('sets.creditcard'),
    ('path', 'time_input', 'drop_columns', *_FORM),
  ),
  DataSet('arrays', _load('tables.arrays'), _TABLE),
  DataSet(
    'image_folder',
    _load('images.image_folder'),
    ('path', 'image_size', 'colour', 'levels'),
  ),
  DataSet('textures', _load('sets.textures'), ('image_size', 'texture')),
  DataSet('moving_shapes', _load('sets.moving_shapes'), _CLIPS),
  DataSet('frames', _load('videos.frame_folder'), ('path', *_FRAMES)),
  DataSet('ucsd_ped2', _load('sets.video_sets'), _FRAMES),
  DataSet('cuhk_avenue', _load('sets.video_sets'), _FRAMES),
  DataSet('shanghaitech', _load('sets.video_sets'), _FRAMES),
)
