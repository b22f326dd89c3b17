"""The data sets by name: facts alone, so that it imports no reader."""

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

from memae_jax.runtime import catalogue


@dataclasses.dataclass(frozen=True)
class DataSet:
  """What is known of a data set without reading it.

  Attributes:
    name: in `data.name`.
    load: `config.data` -> a `types.Source`.
    reads: of the fields of `data` that not every data set reads, those that
      it does.
  """

  name: str
  load: Callable[[Any], Any]
  reads: tuple[str, ...] = ()


_SETS = catalogue.Catalogue[DataSet](
  'data set', unknown='config field "data.name" is "{name}"'
)
register, names, find = _SETS.register, _SETS.names, _SETS.find


def readers(field: str) -> tuple[str, ...]:
  """Returns the data sets that read a field; () if every one does."""
  return tuple(name for name in names() if field in find(name).reads)


def _load(module: str) -> Callable[[Any], Any]:
  """The `load` of a module of this package, which is imported when it runs."""

  def load(config):
    return importlib.import_module(f'memae_jax.data.{module}').load(config)

  return load


_CLIPS = (
  'image_size',
  'image_width',
  'clip_frames',
  'clip_stride',
  'frame_step',
)
_FRAMES = (*_CLIPS, 'colour', 'label_path')
_TABLE = (
  'path',
  'test_path',
  'label_column',
  'categorical_columns',
  'drop_columns',
  'key_column',
  'separator',
  'encoding',
  'decimal',
  'thousands',
  'missing_marks',
)

register(
  DataSet('digits', _load('digits')),
  DataSet('mnist', _load('mnist')),
  DataSet('cifar10', _load('cifar10')),
  DataSet('kddcup99', _load('kddcup99')),
  DataSet('arrays', _load('arrays'), _TABLE),
  DataSet(
    'image_folder',
    _load('image_folder'),
    ('path', 'image_size', 'colour', 'levels'),
  ),
  DataSet('moving_shapes', _load('moving_shapes'), _CLIPS),
  DataSet('frames', _load('frame_folder'), ('path', *_FRAMES)),
  DataSet('ucsd_ped2', _load('video_sets'), _FRAMES),
  DataSet('cuhk_avenue', _load('video_sets'), _FRAMES),
  DataSet('shanghaitech', _load('video_sets'), _FRAMES),
)
