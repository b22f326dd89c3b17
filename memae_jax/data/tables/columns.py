"""Columns of a table as inputs: encoding, names, equal rows."""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.data import types


def encode(
  values: Mapping[str, np.ndarray], categories: Mapping[str, Sequence[str]]
) -> tuple[np.ndarray, tuple[types.Column, ...]]:
  """Lays columns side by side, categorical ones one-hot.

  Args:
    values: {column: [S] numbers, or indices into its categories}; the index -1
      belongs to no category.
    categories: {column: its categories} of the categorical columns.

  Returns:
    The inputs [S, D], float64 unless all numbers are float32, and the columns
    in the order of `values`.
  """
  columns = tuple(
    types.Column(name, tuple(categories.get(name, ()))) for name in values
  )
  width = sum(len(column.categories) or 1 for column in columns)
  rows = len(next(iter(values.values())))
  numbers = (np.asarray(values[c.name]) for c in columns if not c.categories)
  kinds = [column.dtype for column in numbers]
  inputs = np.zeros((rows, width), np.result_type(np.float32, *kinds))
  start = 0
  for column in columns:
    if column.categories:
      index = np.asarray(values[column.name])
      known = np.flatnonzero(index >= 0)
      inputs[known, start + index[known]] = 1
    else:
      inputs[:, start] = values[column.name]
    start += len(column.categories) or 1
  return inputs, columns


def input_names(columns: Sequence[types.Column]) -> list[str]:
  """Returns a name for each of the D inputs: 'age', 'flag=SF', ..."""
  return [
    f'{column.name}={category}' if column.categories else column.name
    for column in columns
    for category in column.categories or ('',)
  ]


def is_one_hot(columns: Sequence[types.Column]) -> np.ndarray:
  """Returns [D] bool: the inputs that belong to categorical columns."""
  return np.array(
    [
      bool(column.categories)
      for column in columns
      for _ in column.categories or ('',)
    ],
    bool,
  )


# [weak reference to the inputs, their ids] of the last call of `row_ids`.
_last_rows: list = []


def row_ids(inputs: Any) -> np.ndarray:
  """Numbers the distinct samples; compares bytes, of clips SHA-256 of frames.

  Args:
    inputs: [S, ...], an array or `clips.Gathered`. Nobody may change it from
      now on: the answer is kept, since all replicas of a fleet ask for it.

  Returns:
    [S] int64, equal where samples are equal byte for byte, from 0 up in the
    order of first appearance.
  """
  if not (_last_rows and _last_rows[0]() is inputs):
    rows = inputs.contents() if hasattr(inputs, 'contents') else inputs
    ids: dict[bytes, int] = {}
    numbers = [ids.setdefault(row.tobytes(), len(ids)) for row in rows]
    _last_rows[:] = [weakref.ref(inputs), np.array(numbers, np.int64)]
  return _last_rows[1]
