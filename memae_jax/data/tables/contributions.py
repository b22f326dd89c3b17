"""Shares of the columns of a table in a score that is a sum over columns.

A map of errors [n, D] of rows of a table has one value for each input, and its
mean is the score. Inputs of one column, such as those of its categories, are
added up, so that what columns add sums to the score. This module needs NumPy
only: a scorer uses it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from memae_jax.data import types

# What the cells of `cells` are, in files and results.
NAMES = 'column', 'share'


class Strongest(NamedTuple):
  """The columns that add most to the scores of n rows.

  index: [n, k] int32 numbers of columns, those that add most first; of equal
    ones the first.
  share: [n, k] float32 parts of the score, from 0 to 1; 0 where it is 0.
  """

  index: np.ndarray
  share: np.ndarray

  def at(self, rows) -> 'Strongest':
    """Returns those of some rows, integers or a slice."""
    return Strongest(self.index[rows], self.share[rows])


def by_column(
  errors: np.ndarray, columns: Sequence[types.Column]
) -> np.ndarray:
  """Returns what each of K columns adds to the scores: [n, K] float64.

  Args:
    errors: [n, D], one value per input, whose mean is the score.
    columns: of the table.

  Example:
    The mean is 3; two thirds of it come from the category.

    >>> kind = types.Column('kind', ('a', 'b'))
    >>> by_column(np.array([[3.0, 2.0, 4.0]]), [types.Column('age'), kind])
    array([[1., 2.]])
  """
  widths = [column.width for column in columns]
  starts = np.concatenate([[0], np.cumsum(widths[:-1], dtype=int)])
  errors = np.asarray(errors, np.float64)
  return np.add.reduceat(errors, starts, axis=1) / errors.shape[1]


def strongest(added: np.ndarray, count: int) -> Strongest:
  """Finds the columns that add most.

  Args:
    added: [n, K] from `by_column`.
    count: how many columns are wanted; all, where there are fewer.
  """
  count = min(count, added.shape[1])
  index = np.argsort(-added, axis=1, kind='stable')[:, :count]
  total = added.sum(axis=1, keepdims=True)
  share = np.take_along_axis(added, index, axis=1)
  share = np.divide(share, total, out=np.zeros_like(share), where=total > 0)
  return Strongest(index.astype(np.int32), share.astype(np.float32))


def titles(count: int) -> list[str]:
  """Returns the titles of `cells`: column_1, share_1, column_2, ..."""
  return [f'{name}_{i + 1}' for i in range(count) for name in NAMES]


def cells(
  found: Strongest, row: int, names: Sequence[str]
) -> list[str | float | None]:
  """Returns name and share of the columns of a row, None where they add none.

  Args:
    found: of all rows.
    row: number of the row.
    names: of all columns.
  """
  out: list[str | float | None] = []
  for index, share in zip(found.index[row].tolist(), found.share[row].tolist()):
    out += [names[index], round(share, 4)] if share > 0 else [None, None]
  return out
