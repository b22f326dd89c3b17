"""Search for the largest size of something that fits a memory."""

import math
from collections.abc import Callable
from typing import Any

_MOST = 2**30  # Upper end of the search, in slots or samples of a batch.
_MARGIN = 0.98  # Share of the memory that the search aims at.
_CHECKS = 2  # Most compilations that check a size.


def largest(
  peak_at: Callable[[int], int],
  at: int,
  peak: int,
  other: int,
  unit: int,
  memory: int,
) -> dict[str, Any]:
  """Finds the largest size whose peak fits.

  It is estimated from the line through two sizes, and checked by a compilation.

  Args:
    peak_at: compiles for a size and returns its peak in bytes.
    at: a size.
    peak: its bytes.
    other: another size.
    unit: the result is a multiple of this.
    memory: bytes that there are.

  Returns:
    `largest` (0: no size fits, None: not found), whether a compilation has
    `checked` it, and `peaks`, the bytes of all sizes that were compiled.
  """
  peaks = {at: peak}
  if other != at:
    peaks[other] = peak_at(other)
  low, high = min(peaks), max(peaks)
  for _ in range(_CHECKS):
    slope = (peaks[high] - peaks[low]) / max(high - low, 1)
    if slope <= 0:
      return {'largest': None, 'checked': False, 'peaks': peaks}
    guess = low + (_MARGIN * memory - peaks[low]) / slope
    guess = _rounded(min(guess, _MOST), unit)
    if guess <= 0:
      return {'largest': 0, 'checked': False, 'peaks': peaks}
    if guess not in peaks:
      peaks[guess] = peak_at(guess)
    if peaks[guess] <= memory:
      return {'largest': guess, 'checked': True, 'peaks': peaks}
    high = guess
    low = max((n for n in peaks if n < high), default=low)
  fitting = [n for n, size in peaks.items() if size <= memory]
  return {
    'largest': max(fitting, default=None),
    'checked': bool(fitting),
    'peaks': peaks,
  }


def _rounded(value: float, unit: int) -> int:
  """Rounds down to two digits and to a multiple of the unit."""
  if value < unit:
    return 0
  digits = 10 ** max(0, math.floor(math.log10(value)) - 1)
  rounded = int(value // digits * digits)
  return (rounded if rounded >= unit else int(value)) // unit * unit
