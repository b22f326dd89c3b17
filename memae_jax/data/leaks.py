"""Columns that give the labels away: indices, row order, one input alone."""

import re
from collections.abc import Sequence

import numpy as np

from memae_jax.data.tables import delimited, numbers
from memae_jax.runtime import errors, foreign

# Names that pandas gives to an index, or to a column without a name.
_PANDAS_NAME = re.compile(
  r'Unnamed: \d+(_level_\d+)?(\.\d+)?|__index_level_\d+__|level_0\.\d+'
)
_COUNTERS = ('index', 'level_0')  # Names that `reset_index` gives.
_LEAST_ROWS = 8  # Fewer may lie in order by chance.
_LEAST_SAMPLES = 5  # Per kind; one input may separate fewer by chance.
_MOST_INPUTS = 2000  # Further inputs are not looked at.
_MOST_ROWS = 10_000  # Rows of the first look at an input.


def is_index(name: str) -> bool:
  """Returns whether pandas gives this name to an index that it stores."""
  return bool(_PANDAS_NAME.fullmatch(name))


def unnamed(raw: delimited.Raw) -> dict[str, str]:
  """Finds the columns without a name that may be left out.

  Args:
    raw: one file of a table.

  Returns:
    {key of the column: description of it, for a remark}.

  Raises:
    UserError: a column without a name may be an input.
  """
  reasons = {}
  for i, key in enumerate(raw.header):
    if key != delimited.unnamed(i):
      continue
    cells = raw.columns[key]
    known = [cell for cell in cells if cell is not None]
    if not known:
      reasons[key] = f'column {i + 1}, which has neither a name nor values'
    elif i == 0 and not any(
      numbers.is_number(c) and not c.lstrip('+-').isdecimal() for c in known
    ):
      reasons[key] = 'the first column, an index without a name'
    else:
      raise errors.UserError(
        f'{foreign.name_of(raw.path)}: column {i + 1} has no name; name it in'
        ' the header, or write the file without an index'
      )
  return reasons


def counts_rows(name: str, parts: Sequence[np.ndarray]) -> bool:
  """Returns whether `reset_index` of pandas made a column, to count the rows.

  Args:
    name: name of the column.
    parts: its values [n] in each file.
  """
  return name in _COUNTERS and all(
    np.array_equal(part, np.arange(len(part))) for part in parts
  )


def order(parts: Sequence[np.ndarray]) -> str:
  """Describes how a column follows the order of the rows.

  Args:
    parts: its values [n] in each file.

  Returns:
    A verb and its object, such as 'only rises from row to row', if it holds of
    every file; else ''.
  """
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
  first = values[:1000]  # Looked at first, since it is fast.
  if len(np.unique(first)) < len(first):
    return False
  steps = np.diff(np.sort(values))
  return bool(steps.min() > 0 and np.allclose(steps, steps[0], rtol=1e-6))


def order_warnings(columns: dict[str, Sequence[np.ndarray]]) -> tuple[str, ...]:
  """Returns warnings of columns that follow the order of the rows.

  Args:
    columns: {name: values [n] in each file} of the numeric columns.
  """
  warnings = []
  for name, parts in columns.items():
    description = order(parts)
    if description:
      warnings.append(
        f'column "{name}" {description}: if the rows are sorted, it tells the'
        ' labels; unless it is measured, leave it out (data.drop_columns,'
        f' drop={name})'
      )
  return tuple(warnings)


def _auroc(values: np.ndarray, anomalous: np.ndarray) -> float:
  """Returns the AUROC of one input: 1 or 0 if it separates anomalies fully."""
  normal, others = np.sort(values[~anomalous]), values[anomalous]
  below = np.searchsorted(normal, others, 'left')
  upto = np.searchsorted(normal, others, 'right')
  return float((below + upto).mean() / (2 * len(normal)))


def _separates(values, anomalous) -> bool:
  known = ~np.isnan(values)
  values, anomalous = values[known], anomalous[known]
  count = int(anomalous.sum())
  if min(count, len(values) - count) < _LEAST_SAMPLES:
    return False
  auroc = _auroc(values, anomalous)
  return max(auroc, 1 - auroc) > 0.99


def alone(
  inputs: np.ndarray, test: np.ndarray, anomalous: np.ndarray
) -> list[int]:
  """Finds inputs that separate the test labels alone: AUROC above 0.99.

  Args:
    inputs: [S, D] of a table, NaN where missing.
    test: [T] indices of the test rows.
    anomalous: [T] bool.

  Returns:
    Indices of these inputs. An AUROC below 0.01 counts, too.
  """
  sampled = slice(None, None, -(-len(test) // _MOST_ROWS))
  inputs_alone = []
  for i in range(min(inputs.shape[1], _MOST_INPUTS)):
    if _separates(inputs[test[sampled], i], anomalous[sampled]):
      if sampled.step == 1 or _separates(inputs[test, i], anomalous):
        inputs_alone.append(i)
  return inputs_alone
