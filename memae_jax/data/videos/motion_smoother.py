"""Smooths motion over frames and cells, and brings it to another size."""

import collections

import numpy as np
import scipy.ndimage
import scipy.sparse


class Smoother:
  """Smooths the motion of cells over frames and boxes, field after field."""

  def __init__(self, frames: int, box: int, size: tuple[int, int]):
    """Begins a video.

    Args:
      frames: how many are averaged, odd.
      box: side of the box of cells that is averaged, odd.
      size: rows h and columns w of what `add` returns.
    """
    self._box, self._size = box, size
    self._window = collections.deque(maxlen=frames)
    self._due = frames // 2  # Fields until the first one is known.
    self._inside, self._areas = None, None

  def add(self, field: np.ndarray | None) -> np.ndarray | None:
    """Takes the next field; returns the one that is complete by it.

    Args:
      field: [cells, cells, C] of the next frame, or None after the last one.

    Returns:
      [h, w, C], the field `frames // 2` before it, or None.
    """
    self._window.append(field)
    if self._due:
      self._due -= 1
      return None
    known = np.mean([one for one in self._window if one is not None], axis=0)
    if self._inside is None:
      self._inside = self._boxed(np.ones_like(known))
      self._areas = [_areas(n, to) for n, to in zip(known.shape, self._size)]
    return _resized(self._boxed(known) / self._inside, *self._areas)

  def _boxed(self, field: np.ndarray) -> np.ndarray:
    """Returns means over boxes of cells; beyond the edges lies nothing."""
    return scipy.ndimage.uniform_filter(
      field, self._box, axes=(0, 1), mode='constant'
    )


def _areas(count: int, to: int) -> scipy.sparse.csr_array:
  """Returns the shares [to, count] of `count` cells in each of the new ones."""
  edges = np.linspace(0, count, to + 1)
  cells = np.arange(count)
  below = np.maximum(edges[:-1, None], cells)
  above = np.minimum(edges[1:, None], cells + 1)
  share = np.maximum(above - below, 0) * to / count
  return scipy.sparse.csr_array(share.astype(np.float32))


def _resized(field: np.ndarray, down, across) -> np.ndarray:
  """Returns a field [h, w, C] with new cells, by the shares of `_areas`."""
  for share in (down, across):  # Each turns the field by a quarter.
    rows = share @ field.reshape(len(field), -1)
    field = rows.reshape(len(rows), *field.shape[1:]).swapaxes(0, 1)
  return field
