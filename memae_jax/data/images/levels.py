"""Which values of 16-bit pictures become 0 and 255.

Cameras of 10, 12 and 14 bits store their values in files of 16: divided by 257,
a few grey levels would be left of them. So the training pictures choose one
scale for a data set, and whatever is read later is read by the same.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from memae_jax.runtime import errors

_DEPTHS = (8, 10, 12, 14, 16)  # Bits of cameras.
_LEAST = 64  # Of the 256 levels, that the training pictures should span.


class Levels(NamedTuple):
  """Values that become 0 and 255; those outside are clipped."""

  low: int = 0
  high: int = 2**16 - 1


FULL = Levels()


class Choice(NamedTuple):
  """Levels, how they were chosen, and what is doubtful about that."""

  levels: Levels
  remarks: tuple[str, ...] = ()
  warnings: tuple[str, ...] = ()


def counts(values: np.ndarray) -> np.ndarray:
  """Returns how often each value occurs, [65536] int64."""
  return np.bincount(values.ravel(), minlength=2**16)


def choose(counted: np.ndarray, asked: Sequence[int] = ()) -> Choice:
  """Returns the levels for pictures whose values were counted.

  They are the range of the least depth of a camera that holds all values. If
  fewer than 64 of 256 levels would be left, they are the range of the values,
  widened by half of its width on each side: anomalies may lie beyond it.

  Args:
    counted: of the training pictures of 16 bits, see `counts`; all zeros
      where there are none.
    asked: `data.levels`: low and high, or nothing.

  Raises:
    UserError: `asked` is no range.
  """
  if asked:
    if len(asked) != 2 or asked[0] >= asked[1]:
      raise errors.UserError(
        f'config field "data.levels" is {tuple(asked)}, but takes two values,'
        ' the lower first, such as (0, 4095)'
      )
    return Choice(Levels(*asked), (f'16-bit pictures: {_words(*asked)}',))
  values = np.flatnonzero(counted)
  if not len(values):
    return Choice(FULL)
  low, high = int(values[0]), int(values[-1])
  depth = next(bits for bits in _DEPTHS if high < 2**bits)
  levels, why = Levels(0, 2**depth - 1), f'are read as of {depth} bits'
  left = lambda width: width * 255 / (levels.high - levels.low)
  if depth > 8 and 0 < left(high - low) < _LEAST:
    width = max(2 * (high - low), 255)  # 255: no value is lost.
    margin = -(-(width - (high - low)) // 2)
    levels = Levels(max(low - margin, 0), min(high + margin, FULL.high))
    why = 'are read by that range with half of it on each side'
  share = np.cumsum(counted) / counted.sum()
  least, most = np.searchsorted(share, (0.001, 0.999)).tolist()
  warnings = ()
  if left(most - least) < _LEAST / 4 and 4 * (most - least) < high - low:
    warnings = (
      f'nearly all values of the 16-bit pictures that train lie in {least} to'
      f' {most}, which become {left(most - least):.0f} of 256 grey levels,'
      f' because a few lie in {low} to {high}; set data.levels to the range'
      ' that matters',
    )
  remark = (
    f'16-bit pictures: those that train hold {low} to {high} and {why}:'
    f' {_words(*levels)}'
  )
  return Choice(levels, (remark,), warnings)


def _words(low: int, high: int) -> str:
  return f'{low} becomes 0, {high} becomes 255'


def quantised(values: np.ndarray, levels: Levels) -> np.ndarray:
  """Returns uint8 of values, integer or float."""
  scaled = (values.astype(np.float32) - levels.low) * np.float32(
    255 / (levels.high - levels.low)
  )
  return np.clip(np.round(scaled), 0, 255).astype(np.uint8)
