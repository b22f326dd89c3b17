"""Periods of a picture along an axis, by how it repeats and by its power."""

import numpy as np

_FINER = 8  # Zeros make the spectrum so many times as fine.
_ALIKE = 0.95, 0.7  # Shares of the largest correlation that periods have.
_SAME = 0.03  # Periods that differ by less, as a share, are one.


def find(picture: np.ndarray, axis: int, count: int) -> np.ndarray:
  """Returns [count] periods to start from, in pixels.

  The first one is the shortest after which the picture is as like itself as
  after any other, the next one the shortest after which it is almost so; the
  power of a weave or of bricks is largest at a part of them. Those of the
  largest power follow. Where there are fewer, the last one is halved for the
  rest of them.

  Args:
    picture: [H, W, C].
    axis: 0 for periods over the rows, 1 over the columns.
    count: how many.
  """
  lines = np.moveaxis(np.asarray(picture, np.float64), axis, 0)
  lines = lines.reshape(len(lines), -1)
  found: list[float] = []
  for period in (*_repeats(lines), *_strongest(lines)):
    if all(abs(period / other - 1) > _SAME for other in found):
      found.append(period)
  found = found or [len(lines) / 4]
  while len(found) < count:
    found.append(max(found[-1] / 2, 2.0))
  return np.asarray(found[:count])


def _peaks(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
  """Returns those of the places at which the values are highest around."""
  left, right = values[inside - 1], values[inside + 1]
  return inside[(values[inside] >= left) & (values[inside] > right)]


def _repeats(lines: np.ndarray) -> list[float]:
  """Returns the shortest periods of almost the largest correlation.

  Args:
    lines: [n, m], a line of the picture in each column.
  """
  length = len(lines)
  lines = lines - lines.mean()
  spectrum = np.abs(np.fft.rfft(lines, 2 * length, axis=0)) ** 2
  product = np.fft.irfft(spectrum.sum(axis=1))[: length // 2 + 1]
  energy = np.concatenate([[0], np.cumsum(np.sum(lines**2, axis=1))])
  lag = np.arange(len(product))
  both = energy[length - lag] * (energy[-1] - energy[lag])
  alike = product / np.sqrt(np.maximum(both, np.finfo(np.float64).tiny))
  peaks = _peaks(alike, np.arange(2, len(alike) - 1))
  peaks = peaks[alike[peaks] > 0]
  if not len(peaks):
    return []
  share = alike[peaks] / alike[peaks].max()
  return [_between(alike, peaks[share >= least][0]) for least in _ALIKE]


def _between(values: np.ndarray, place: int) -> float:
  """Returns where a parabola through three values has its peak."""
  before, at, after = values[place - 1 : place + 2]
  return float(place + (before - after) / (before - 2 * at + after) / 2)


def _strongest(lines: np.ndarray) -> np.ndarray:
  """Returns the periods at which the power of lines [n, m] has peaks."""
  lines = lines - lines.mean(axis=0)
  length = len(lines)
  window = np.hanning(length + 2)[1:-1, None]
  power = np.abs(np.fft.rfft(lines * window, _FINER * length, axis=0)) ** 2
  power = power.sum(axis=1)
  # Of less than one and a half periods in the picture one cannot be sure.
  peaks = _peaks(power, np.arange(int(1.5 * _FINER), len(power) - 1))
  return _FINER * length / peaks[np.argsort(-power[peaks], kind='stable')]
