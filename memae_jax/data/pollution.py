"""Anomalies among the training samples, for studies of dirty data.

Somebody whose data are dirty has no clean part to validate on. So training and
validation samples get anomalies in the same share, and all of them count as
normal; what is tested, and which normals train, are as without pollution.
"""

from typing import Any, NamedTuple

import numpy as np

from memae_jax.data import types
from memae_jax.runtime import errors

_STREAM = 1  # Tells these random numbers from those of the split.


class Added(NamedTuple):
  """Anomalies that join the samples of a split as if they were normal.

  train, validation: [n] int32 indices. notes, warnings: for `types.Split`.
  """

  train: np.ndarray
  validation: np.ndarray
  notes: dict[str, Any]
  warnings: tuple[str, ...]


def draw(
  source: types.Source,
  config: Any,
  normal: np.ndarray,
  parts: tuple[np.ndarray, np.ndarray, np.ndarray],
  seed: tuple[int, int],
) -> Added:
  """Draws anomalies that are not tested.

  Args:
    source: all samples.
    config: the resolved `config.data`.
    normal: [S] bool.
    parts: indices of the samples for training, validation and testing.
    seed: of the split, and a number of its normal class.

  Raises:
    UserError: the data have no labels, are videos, or have too few anomalies
      beside those that are tested.
  """
  nothing = np.zeros(0, np.int32)
  if not config.pollution:
    return Added(nothing, nothing, {}, ())
  _check(source)
  train, validation, test = parts
  ratio = config.pollution / (1 - config.pollution)
  counts = [round(ratio * len(part)) for part in (train, validation)]
  left = np.setdiff1d(np.flatnonzero(~normal), test)
  rng = np.random.default_rng([*seed, _STREAM])
  drawn = rng.permutation(_of_kind(source, config, left, sum(counts), rng))
  drawn = drawn[: sum(counts)].astype(np.int32)
  in_train, in_validation = drawn[: counts[0]], drawn[counts[0] :]
  names = [source.label_names[i] for i in np.unique(source.labels[drawn])]
  notes = {
    'training_anomalies': counts[0],
    'validation_anomalies': counts[1],
    'training_anomaly_classes': names,
  }
  return Added(in_train, in_validation, notes, (_warning(config),))


def _check(source: types.Source) -> None:
  """Raises UserError if nothing of a source can be added."""
  if source.videos is not None:
    raise errors.UserError(
      'data.pollution adds single anomalous samples, but data set'
      f' "{source.name}" is of videos; set it to 0'
    )
  if not source.labelled:
    raise errors.UserError(
      f'data.pollution needs labels, but data set "{source.name}" has none; set'
      ' it to 0, or data.label_column'
    )


def _of_kind(source, config, left, count: int, rng) -> np.ndarray:
  """Returns the indices that anomalies are drawn from, at least `count`.

  Raises:
    UserError: there are fewer.
  """
  most, kind = len(left), 'anomalies'
  if config.pollution_kind == 'one_class':
    classes, sizes = np.unique(source.labels[left], return_counts=True)
    most, kind = max(sizes, default=0), 'anomalies of one class'
    if most >= count:
      left = left[source.labels[left] == rng.choice(classes[sizes >= count])]
  if most < count:
    raise errors.UserError(
      f'data.pollution {config.pollution:g} needs {count} {kind} that are not'
      f' tested, but data set "{source.name}" has {most}; lower it, or'
      ' data.anomaly_fraction'
    )
  return left


def _warning(config) -> str:
  which = 'each other class'
  if config.pollution_kind == 'one_class':
    which = 'one other class'
  return (
    f'{100 * config.pollution:.3g}% of the training and validation samples are'
    f' anomalies of {which} that count as normal (data.pollution): all methods'
    ' learn from them, and thresholds are set by them; these are numbers on'
    ' dirty data'
  )
