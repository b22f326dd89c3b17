"""The data sets by name: facts alone, so that it imports no reader."""

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any

from memae_jax import errors


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


_SETS: dict[str, DataSet] = {}


def register(*sets: DataSet) -> None:
  """Makes data sets known.

  Raises:
    UserError: a name is taken.
  """
  for one in sets:
    if one.name in _SETS:
      raise errors.UserError(
        f'data set "{one.name}" is registered twice; give one another name'
      )
    _SETS[one.name] = one


def names() -> tuple[str, ...]:
  """Returns the names of all data sets, in the order of their registration."""
  return tuple(_SETS)


def find(name: str) -> DataSet:
  """Returns a data set by name.

  Raises:
    UserError: there is none.
  """
  if name not in _SETS:
    raise errors.UserError(
      f'config field "data.name" is "{name}"' + errors.did_you_mean(name, _SETS)
    )
  return _SETS[name]


def readers(field: str) -> tuple[str, ...]:
  """Returns the data sets that read a field; () if every one does."""
  return tuple(one.name for one in _SETS.values() if field in one.reads)


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
