"""Periods of a picture along an axis, by its power spectrum."""

import numpy as np

_FINER = 8  # Zeros make the spectrum so many times as fine.


def find(picture: np.ndarray, axis: int, count: int) -> np.ndarray:
  """Returns the [count] strongest periods, in pixels.

  The power along an axis is added up over the lines of the picture. Where it
  has fewer peaks, the strongest period is halved for the rest of them.

  Args:
    picture: [H, W, C].
    axis: 0 for periods over the rows, 1 over the columns.
    count: how many.
  """
  lines = np.moveaxis(np.asarray(picture, np.float64), axis, 0)
  lines = lines.reshape(len(lines), -1)
  lines = lines - lines.mean(axis=0)
  length = len(lines)
  window = np.hanning(length + 2)[1:-1, None]
  power = np.abs(np.fft.rfft(lines * window, _FINER * length, axis=0)) ** 2
  power = power.sum(axis=1)
  # Of less than one and a half periods in the picture one cannot be sure.
  least = int(1.5 * _FINER)
  inside = np.arange(least, len(power) - 1)
  peaks = inside[
    (power[inside] >= power[inside - 1]) & (power[inside] > power[inside + 1])
  ]
  peaks = peaks[np.argsort(-power[peaks], kind='stable')]
  found = list(_FINER * length / peaks)
  found = found or [length / 4]
  while len(found) < count:
    found.append(max(found[-1] / 2, 2.0))
  return np.asarray(found[:count])
