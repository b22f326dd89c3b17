"""Trivial detectors of one picture, which a Gaussian process has to beat.

Each takes a picture [H, W, C] and the side of the blocks, and returns what the
rest of the picture says of each pixel: a prediction [H, W, C].
"""

import numpy as np
import scipy.spatial

_PATCH = 7  # Pixels of a side of the patches that are compared.
_MOST = 8000  # Patches that are compared with each other.


def rest_mean(picture: np.ndarray, block: int) -> np.ndarray:
  """Predicts the mean of all pixels outside of the own block."""
  height, width, _ = picture.shape
  total, out = picture.sum(axis=(0, 1)), np.empty_like(picture)
  for row in range(0, height, block):
    for column in range(0, width, block):
      at = slice(row, row + block), slice(column, column + block)
      own = picture[at]
      rest = height * width - own.shape[0] * own.shape[1]
      out[at] = (total - own.sum(axis=(0, 1))) / max(rest, 1)
  return out


def period_shift(picture: np.ndarray, block: int) -> np.ndarray:
  """Predicts the pixel one period away: the shift of the least mean error.

  Shifts reach half of the picture, and out of the block along an axis at least.
  """
  height, width, _ = picture.shape
  best, shift = np.inf, (0, 0)
  for down in range(height // 2 + 1):
    for right in range(-(width // 2), width // 2 + 1):
      if max(down, abs(right)) < block or (down == 0 and right < 0):
        continue
      one, other = _overlap(picture, down, right)
      error = np.mean((one - other) ** 2)
      if error < best:
        best, shift = error, (down, right)
  if not np.isfinite(best):
    return picture.copy()
  rows, columns = np.mgrid[:height, :width]
  out = picture[
    np.clip(rows + shift[0], 0, height - 1),
    np.clip(columns + shift[1], 0, width - 1),
  ]
  inside = lambda r, c: (r >= 0) & (r < height) & (c >= 0) & (c < width)
  there = inside(rows + shift[0], columns + shift[1])
  back = inside(rows - shift[0], columns - shift[1]) & ~there
  out[back] = picture[rows[back] - shift[0], columns[back] - shift[1]]
  out[~there & ~back] = picture.mean(axis=(0, 1))
  return out


def _overlap(picture, down: int, right: int):
  """Returns the parts of a picture that a shift lays on each other."""
  height, width, _ = picture.shape
  left, other = max(-right, 0), max(right, 0)
  wide = width - abs(right)
  return (
    picture[: height - down, left : left + wide],
    picture[down:, other : other + wide],
  )


def axis_median(picture: np.ndarray, block: int) -> np.ndarray:
  """Predicts the median of the row, plus that of what is left of the column."""
  del block
  of_rows = np.median(picture, axis=1, keepdims=True)
  return of_rows + np.median(picture - of_rows, axis=0, keepdims=True)


def own_patches(picture: np.ndarray, block: int) -> np.ndarray:
  """Predicts the middle of the most similar patch outside of the own block.

  A pixel between patches takes the nearest one.
  """
  height, width, channels = picture.shape
  side = min(_PATCH, height, width)
  half = side // 2
  padded = np.pad(
    picture, ((half, side - 1 - half),) * 2 + ((0, 0),), 'reflect'
  )
  stride = max(1, int(np.ceil(np.sqrt(height * width / _MOST))))
  rows, columns = np.arange(0, height, stride), np.arange(0, width, stride)
  windows = np.lib.stride_tricks.sliding_window_view(
    padded, (side, side), (0, 1)
  )
  flat = windows[rows][:, columns].reshape(len(rows) * len(columns), -1)
  at = np.stack(np.meshgrid(rows, columns, indexing='ij'), -1).reshape(-1, 2)
  values = picture[at[:, 0], at[:, 1]]
  best = np.empty((len(at), channels))
  for first in range(0, len(at), 512):
    part = slice(first, first + 512)
    distance = scipy.spatial.distance.cdist(flat[part], flat, 'sqeuclidean')
    near = np.abs(at[part][:, None] - at[None]).max(axis=-1) < block
    nearest = np.where(near, np.inf, distance).argmin(axis=1)
    best[part] = values[nearest] - values[part]
  # The error, not the value, is laid between patches.
  grid = best.reshape(len(rows), len(columns), channels)
  return (
    picture + np.repeat(np.repeat(grid, stride, 0), stride, 1)[:height, :width]
  )


ALL = {
  'rest_mean': rest_mean,
  'period_shift': period_shift,
  'axis_median': axis_median,
  'own_patches': own_patches,
}
