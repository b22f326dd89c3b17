"""First stage of scaling: in float64 on the host, once per data set.

A column of Unix times or of a meter's readings holds 1.7e9 and a little more,
and that little is lost once it is float32. So logarithms are taken, and large
offsets subtracted, in float64; only then do the samples become float32. The
second stage, fitted for each split, runs inside the compiled step
(`transforms`).

This module needs NumPy only: a scorer runs it before its program.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.data import aligned, types
from memae_jax.runtime import errors

# A mean is subtracted if its size is more deviations than this. Below it,
# float32 rounds an input by less than 1e-4 deviations, and it stays as it is.
_FAR = 1000.0
_RANGE = 1e30  # Deviations above it, or below 1 / it, are brought to 1.
_MOST = 1000  # Largest power of two of a unit.


def fit(
  inputs: np.ndarray, rows: np.ndarray, numeric: np.ndarray, log1p: np.ndarray
) -> types.HostStage:
  """Finds offsets so large that float32 would lose the variation beside them.

  Args:
    inputs: [S, D] numbers of a table, an array or what reads like one; or
      [S, H, W, C] images, which share one offset; NaN where missing.
    rows: [n] indices of the samples that may train, or [S] bool.
    numeric: [D] bool, False for the inputs of a category; [1] for images.
    log1p: [D] bool, True for inputs whose logarithm is taken; [1] for images.

  Returns:
    HostStage with [D] values for a table and [1] for images.
  """
  centre, unit = np.zeros(len(numeric)), np.ones(len(numeric))
  for i in np.flatnonzero(numeric):
    values = inputs[rows, i] if inputs.ndim == 2 else inputs[rows].ravel()
    values = values[np.isfinite(values)].astype(np.float64)
    if log1p[i]:
      values = np.log1p(values)
    if values.size:
      centre[i], unit[i] = _offset(values)
  return types.HostStage(np.asarray(log1p, bool), centre, unit)


def _offset(values: np.ndarray) -> tuple[float, float]:
  """Returns the offset to subtract and the factor that suit float32."""
  largest = np.abs(values).max()
  if not largest:
    return 0.0, 1.0
  # Two passes, on numbers of size 1: no sum or square is beyond float64.
  power = np.frexp(largest)[1]
  values = np.ldexp(values, -power)
  mean = values.mean()
  deviation = np.sqrt(np.mean((values - mean) ** 2))
  if values.min() == values.max():  # The mean of equal numbers may be rounded.
    mean, deviation = values[0], 0.0
  far = abs(mean) > _FAR * deviation
  spread = np.ldexp(deviation or abs(mean), power)
  unit = 1.0
  if not 1 / _RANGE < spread < _RANGE:
    unit = np.ldexp(1.0, min(-np.frexp(spread)[1], _MOST))
  return (float(np.ldexp(mean, power)) if far else 0.0), float(unit)


def apply(
  inputs: np.ndarray,
  stage: types.HostStage,
  names: Sequence[str] = (),
  where: str = '',
) -> np.ndarray:
  """Applies the first stage: raw numbers become float32.

  Args:
    inputs: [S, D] or [S, H, W, C] of any real type, as for `fit`; NaN stays
      NaN.
    stage: from `fit`.
    names: names of the D inputs, for messages.
    where: start of messages, such as 'table.csv: '.

  Returns:
    float32 of the shape of `inputs`; `inputs` itself if nothing changes.

  Raises:
    UserError: the logarithm of a negative number is asked for, or float32
      cannot hold a number.
  """
  if is_identity(stage) and inputs.dtype == np.float32:
    return inputs
  out = aligned.empty(inputs.shape, np.float32)
  for i in range(len(stage.centre)):
    part = (slice(None), i) if inputs.ndim == 2 else ...
    column, name = inputs[part], names[i : i + 1]
    # Logarithms of float32 stay float32: there is no more to lose.
    x = column if column.dtype == np.float32 else column.astype(np.float64)
    if stage.log1p[i]:
      refuse(x < 0, 'negative, but its logarithm is taken', name, where)
      x = np.log1p(x)
    if stage.centre[i] or stage.unit[i] != 1:
      x = (x.astype(np.float64) - stage.centre[i]) * stage.unit[i]
    with np.errstate(over='ignore'):
      out[part] = x
    refuse(np.isinf(out[part]), 'infinite, or beyond float32', name, where)
  return out


def undone(values: np.ndarray, stage: types.HostStage) -> np.ndarray:
  """Returns the raw numbers [S, ...] of which `apply` would make `values`."""
  values = values / stage.unit + stage.centre
  logarithms = np.where(stage.log1p, values, 0)  # Others may be too large.
  return np.where(stage.log1p, np.expm1(logarithms), values)


def refuse(
  wrong: np.ndarray, why: str, names: Sequence[str] = (), where: str = ''
) -> None:
  """Raises UserError for the first value that is wrong, if there is one.

  Args:
    wrong: bool, [S, D], [S] for one input, or [S, H, W, C].
    why: description of a wrong value, such as 'missing'.
    names: names of the D inputs; empty for images.
    where: start of the message, such as 'table.csv: '.
  """
  if wrong.any():
    row, *place = np.argwhere(wrong)[0].tolist()
    name = f'"{names[place[0] if place else 0]}"' if len(names) else place
    raise errors.UserError(
      f'{where}row {row}: input {name} is {why}; mend or drop the row'
    )


def shifts(stage: types.HostStage) -> bool:
  """Returns whether a stage subtracts an offset or multiplies by a unit."""
  return bool(stage.centre.any() or (stage.unit != 1).any())


def is_identity(stage: types.HostStage) -> bool:
  """Returns whether a stage changes nothing but the type."""
  return not (stage.log1p.any() or shifts(stage))


def to_json(stage: types.HostStage) -> dict[str, list]:
  """Returns the stage as JSON types; `from_json` restores it bit for bit."""
  return {name: values.tolist() for name, values in stage._asdict().items()}


def from_json(stored: Mapping[str, Any]) -> types.HostStage:
  """Returns the stage that `to_json` wrote.

  Raises:
    ValueError: shapes or values do not make a stage.
  """
  log1p, centre, unit = (
    np.asarray(stored[name], kind)
    for name, kind in zip(types.HostStage._fields, (bool, float, float))
  )
  shapes = {part.shape for part in (log1p, centre, unit)}
  sound = np.isfinite(centre).all() and np.isfinite(unit).all()
  if len(shapes) != 1 or log1p.ndim != 1 or not sound or (unit <= 0).any():
    raise ValueError('its host stage is not sound')
  return types.HostStage(log1p, centre, unit)
