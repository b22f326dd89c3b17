"""Columns of a table as inputs: encoding, names, equal rows."""

import hashlib
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.data import types
from memae_jax.data.tables import dates


class Encoded:
  """Inputs [S, D] of a table, made column by column when they are read.

  So a long table is in memory once: as its columns, until the host stage makes
  float32 of them. It reads as an array does: `x[:, i]` and `x[rows, i]` are one
  input of rows, `x[rows]` other rows; `numpy.asarray` makes all.

  Attributes:
    columns: in the order of their inputs.
    dtype: float64 unless all numbers are float32.
  """

  ndim = 2

  def __init__(
    self,
    values: Mapping[str, np.ndarray],
    categories: Mapping[str, Sequence[str]],
    parts: Mapping[str, Sequence[str]],
  ):
    """Takes columns as they are, see `encode`."""
    self.columns = tuple(
      types.Column(name, tuple(categories.get(name, ())),
                   tuple(parts.get(name, ())))
      for name in values
    )  # fmt: skip
    self._values = [np.asarray(part) for part in values.values()]
    kinds = [
      value.dtype
      for column, value in zip(self.columns, self._values)
      if not column.categories
    ]
    self.dtype = np.result_type(np.float32, *kinds)
    # Of each input the number of its column, and its place there.
    self._of = [
      (number, place)
      for number, column in enumerate(self.columns)
      for place in range(column.width)
    ]

  def __len__(self) -> int:
    return len(self._values[0])

  @property
  def shape(self) -> tuple[int, int]:
    """Numbers of rows and inputs."""
    return len(self), len(self._of)

  def __getitem__(self, index) -> Any:
    if isinstance(index, tuple):
      rows, number = index
      return self._input(rows, number)
    if isinstance(index, slice) and index == slice(None):
      return self
    out = Encoded.__new__(Encoded)
    out.columns, out.dtype, out._of = self.columns, self.dtype, self._of
    out._values = [value[index] for value in self._values]
    return out

  def _input(self, rows, number: int) -> np.ndarray:
    """Returns one input of rows, of type `dtype`."""
    number, place = self._of[number]
    column, value = self.columns[number], self._values[number][rows]
    if column.categories:
      return (value == place).astype(self.dtype)
    if column.parts:
      return dates.inputs(value, column.parts[place : place + 1])[:, 0]
    return value.astype(self.dtype, copy=False)

  def __array__(self, dtype=None, copy=None) -> np.ndarray:
    del copy  # There is nothing that could be shared.
    out = np.empty(self.shape, self.dtype)
    for i in range(out.shape[1]):
      out[:, i] = self[:, i]
    return out if dtype is None else out.astype(dtype, copy=False)


def encode(
  values: Mapping[str, np.ndarray],
  categories: Mapping[str, Sequence[str]],
  parts: Mapping[str, Sequence[str]] | None = None,
) -> tuple[np.ndarray, tuple[types.Column, ...]]:
  """Lays columns side by side, categorical ones one-hot.

  Args:
    values: {column: [S] numbers, indices into its categories, or days}; the
      index -1 belongs to no category.
    categories: {column: its categories} of the categorical columns.
    parts: {column: names of its inputs, see `dates.names`} of dates.

  Returns:
    The inputs [S, D], float64 unless all numbers are float32, and the columns
    in the order of `values`.
  """
  encoded = Encoded(values, categories, parts or {})
  return np.asarray(encoded), encoded.columns


def input_names(columns: Sequence[types.Column]) -> list[str]:
  """Returns a name for each of the D inputs: 'age', 'flag=SF', ..."""
  return [name for column in columns for name in column.inputs]


def is_one_hot(columns: Sequence[types.Column]) -> np.ndarray:
  """Returns [D] bool: the inputs that belong to categorical columns."""
  kinds = [bool(c.categories) for c in columns for _ in range(c.width)]
  return np.array(kinds, bool)


def is_number(columns: Sequence[types.Column]) -> np.ndarray:
  """Returns [D] bool: the inputs that are numbers, and no parts of dates."""
  kinds = [
    not (c.categories or c.parts) for c in columns for _ in range(c.width)
  ]
  return np.array(kinds, bool)


# [weak reference to the inputs, their ids] of the last call of `row_ids`.
_last_rows: list = []


def row_ids(inputs: Any) -> np.ndarray:
  """Numbers the distinct samples, by 128 bits of BLAKE2; of clips by SHA-256.

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
    # Digests are smaller than rows.
    digest = lambda row: hashlib.blake2b(row.tobytes(), digest_size=16).digest()
    numbers = (ids.setdefault(digest(row), len(ids)) for row in rows)
    found = np.fromiter(numbers, np.int64, len(rows))
    _last_rows[:] = [weakref.ref(inputs), found]
  return _last_rows[1]
