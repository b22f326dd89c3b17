"""Values of a table as people write them, from the inputs that they became."""

import math

import numpy as np

from memae_jax.data import types
from memae_jax.data.tables import dates

MISSING = 'missing'
_KEPT = 1e-6  # Part of a number that float32 still tells.


def value(source: types.Source, row: int, number: int) -> str:
  """Returns the value of a column in a row: '3.5', 'red', '2024-01-31' ...

  Numbers have as many digits as float32 keeps, which are more where the host
  stage subtracts an offset.

  Args:
    source: of a table.
    row: index into its samples.
    number: of the column.
  """
  column = source.columns[number]
  start = sum(other.width for other in source.columns[:number])
  inputs, steps = _raw(source, row, slice(start, start + column.width))
  if column.categories:
    known = np.flatnonzero(inputs)
    return column.categories[known[0]] if len(known) else 'another'
  if np.isnan(inputs).any():
    return MISSING
  if column.parts:
    return dates.written(inputs, column.parts)
  step = max(steps[0], 1e-12 * abs(inputs[0]), 1e-300)
  return f'{round(inputs[0], -math.floor(math.log10(step))):.12g}'


def _raw(source, row, part) -> tuple[np.ndarray, np.ndarray]:
  """Returns inputs as they were before the host stage, and their steps.

  Of numbers that differ by less than a step, float32 may have made the same.
  """
  inputs = np.asarray(source.inputs[row, part], np.float64)
  if source.host is None:
    return inputs, _KEPT * np.abs(inputs)
  log1p, centre, unit = (field[part] for field in source.host)
  inputs, steps = inputs / unit + centre, _KEPT * np.abs(inputs / unit)
  inputs[log1p] = np.expm1(inputs[log1p])
  return inputs, np.where(log1p, steps * (1 + inputs), steps)
