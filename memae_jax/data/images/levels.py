"""Levels: the values of 16-bit pictures that become 0 and 255.

Cameras of 10, 12 and 14 bits store their values in files of 16 bits. Divided by
257, only a few grey levels would be left of them. So the training pictures
decide one pair of levels per data set, and all pictures are read by these.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from memae_jax.runtime import errors

_DEPTHS = (8, 10, 12, 14, 16)  # Bits of cameras.
_LEAST = 64  # Grey levels, of 256, that the training pictures should span.


class Levels(NamedTuple):
  """Values that become 0 and 255; values outside are clipped."""

  low: int = 0
  high: int = 2**16 - 1


FULL = Levels()


class Choice(NamedTuple):
  """Levels, with remarks on how they were chosen, and warnings."""

  levels: Levels
  remarks: tuple[str, ...] = ()
  warnings: tuple[str, ...] = ()


def counts(values: np.ndarray) -> np.ndarray:
  """Returns how often each value occurs, [65536] int64.

  Args:
    values: uint16 of any shape.
  """
  return np.bincount(values.ravel(), minlength=2**16)


def choose(counted: np.ndarray, asked: Sequence[int] = ()) -> Choice:
  """Chooses levels by the values of the training pictures.

  They are the full range of the smallest depth of a camera that holds all
  values. If the values would then span fewer than 64 of 256 grey levels, the
  levels are the range of the values, widened by half of its width on each side,
  since anomalies may lie outside of it.

  Args:
    counted: sum of `counts` over the training pictures of 16 bits, [65536]; all
      zeros if there are none.
    asked: `data.levels`: the low and the high value, or () to choose.

  Raises:
    UserError: `asked` is not a range.
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
  grey_levels = lambda width: width * 255 / (levels.high - levels.low)
  if depth > 8 and 0 < grey_levels(high - low) < _LEAST:
    width = max(2 * (high - low), 255)  # At 255, no two values become one.
    margin = -(-(width - (high - low)) // 2)
    levels = Levels(max(low - margin, 0), min(high + margin, FULL.high))
    why = 'are read by that range with half of it on each side'
  share = np.cumsum(counted) / counted.sum()
  least, most = np.searchsorted(share, (0.001, 0.999)).tolist()
  warnings = ()
  nearly_all = grey_levels(most - least)
  if nearly_all < _LEAST / 4 and 4 * (most - least) < high - low:
    warnings = (
      f'nearly all values of the 16-bit pictures that train lie in {least} to'
      f' {most}, which become {nearly_all:.0f} of 256 grey levels, because a'
      f' few lie in {low} to {high}; set data.levels to the range that matters',
    )
  remark = (
    f'16-bit pictures: those that train hold {low} to {high} and {why}:'
    f' {_words(*levels)}'
  )
  return Choice(levels, (remark,), warnings)


def _words(low: int, high: int) -> str:
  return f'{low} becomes 0, {high} becomes 255'


def quantised(values: np.ndarray, levels: Levels) -> np.ndarray:
  """Returns values, integer or float, as uint8 by the levels."""
  scaled = (values.astype(np.float32) - levels.low) * np.float32(
    255 / (levels.high - levels.low)
  )
  return np.clip(np.round(scaled), 0, 255).astype(np.uint8)
