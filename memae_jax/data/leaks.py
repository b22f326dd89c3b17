"""Inputs that tell labels: an index, the order of rows, one input alone."""

import re
from collections.abc import Sequence

import numpy as np

from memae_jax.data.tables import delimited, numbers
from memae_jax.runtime import errors, foreign

# What pandas calls an index, or a column without a name.
_OWN = re.compile(
  r'Unnamed: \d+(_level_\d+)?(\.\d+)?|__index_level_\d+__|level_0\.\d+'
)
_COUNTERS = ('index', 'level_0')  # Of `reset_index`.
_LEAST_ROWS = 8  # By chance, fewer may lie in order.
_LEAST_SAMPLES = 5  # Of either kind, else one input may part them by chance.
_MOST_INPUTS = 2000
_MOST_ROWS = 10_000


def is_index(name: str) -> bool:
  """Whether pandas gives this name to an index that it stores."""
  return bool(_OWN.fullmatch(name))


def unnamed(raw: delimited.Raw) -> dict[str, str]:
  """Says why each column without a name is left out: {column: why}.

  Raises:
    UserError: one holds what may be an input.
  """
  left = {}
  for i, key in enumerate(raw.header):
    if key != delimited.unnamed(i):
      continue
    cells = raw.columns[key]
    known = [cell for cell in cells if cell is not None]
    if not known:
      left[key] = f'column {i + 1}, which has neither a name nor values'
    elif i == 0 and not any(
      numbers.is_number(c) and not c.lstrip('+-').isdecimal() for c in known
    ):
      left[key] = 'the first column, an index without a name'
    else:
      raise errors.UserError(
        f'{foreign.name_of(raw.path)}: column {i + 1} has no name; name it in'
        ' the header, or write the file without an index'
      )
  return left


def counts_rows(name: str, parts: Sequence[np.ndarray]) -> bool:
  """Whether a column is what `reset_index` of pandas makes.

  Args:
    name: of the column.
    parts: its values in each file.
  """
  return name in _COUNTERS and all(
    np.array_equal(part, np.arange(len(part))) for part in parts
  )


def order(parts: Sequence[np.ndarray]) -> str:
  """How a column follows the rows of every file, as words; else ''."""
  parts = [part for part in parts if len(part) >= _LEAST_ROWS]
  if not parts or not all(np.isfinite(part).all() for part in parts):
    return ''
  steps = [np.diff(part) for part in parts]
  if all((step > 0).all() for step in steps):
    return 'only rises from row to row'
  if all((step < 0).all() for step in steps):
    return 'only falls from row to row'
  return 'numbers the rows' if all(map(_is_evenly_spaced, parts)) else ''


def _is_evenly_spaced(values: np.ndarray) -> bool:
  first = values[:1000]
  if len(np.unique(first)) < len(first):
    return False
  steps = np.diff(np.sort(values))
  return bool(steps.min() > 0 and np.allclose(steps, steps[0], rtol=1e-6))


def order_warnings(columns: dict[str, Sequence[np.ndarray]]) -> tuple[str, ...]:
  """Warns of columns that follow the order of the rows.

  Args:
    columns: the values of each numeric column, in each file.
  """
  lines = []
  for name, parts in columns.items():
    how = order(parts)
    if how:
      lines.append(
        f'column "{name}" {how}: if the rows are sorted, it tells the labels;'
        f' unless it is measured, leave it out (data.drop_columns, drop={name})'
      )
  return tuple(lines)


def _auroc(values: np.ndarray, anomalous: np.ndarray) -> float:
  """How well one input ranks anomalies: 1 or 0 if it parts them fully."""
  normal, others = np.sort(values[~anomalous]), values[anomalous]
  below = np.searchsorted(normal, others, 'left')
  upto = np.searchsorted(normal, others, 'right')
  return float((below + upto).mean() / (2 * len(normal)))


def _parts(values, anomalous) -> bool:
  known = ~np.isnan(values)
  values, anomalous = values[known], anomalous[known]
  count = int(anomalous.sum())
  if min(count, len(values) - count) < _LEAST_SAMPLES:
    return False
  found = _auroc(values, anomalous)
  return max(found, 1 - found) > 0.99


def alone(
  inputs: np.ndarray, test: np.ndarray, anomalous: np.ndarray
) -> list[int]:
  """Finds inputs that part the test labels by themselves: AUROC above 0.99.

  Args:
    inputs: [S, D] of a table.
    test: [T] indices of the test rows.
    anomalous: [T] bool.
  """
  few = slice(None, None, -(-len(test) // _MOST_ROWS))
  found = []
  for i in range(min(inputs.shape[1], _MOST_INPUTS)):
    if _parts(inputs[test[few], i], anomalous[few]):
      if few.step == 1 or _parts(inputs[test, i], anomalous):
        found.append(i)
  return found
