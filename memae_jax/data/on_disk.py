"""Arrays that lie on disk while they are worked on, so that memory is constant.

Pages of a memory map count as memory of the process once they were touched;
what is read from here does not stay.
"""

import os
import pathlib
import tempfile
import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np


class Rows:
  """An array [n, ...] in a temporary file, which grows at its end.

  It reads like an array (`feed.Inputs`), from several threads at once: what
  is asked for is copied. The file has no name, so that nothing is left of it
  when the process ends, however it ends.
  """

  def __init__(
    self,
    row: Sequence[int],
    dtype: Any,
    folder: pathlib.Path | None = None,
  ):
    """Makes an array without rows.

    Args:
      row: the shape of each row.
      dtype: of the values.
      folder: on whose disk it lies; None: the system's for temporary files.
    """
    self._folder = str(folder or tempfile.gettempdir())
    self._file, name = tempfile.mkstemp(dir=folder)
    os.unlink(name)
    weakref.finalize(self, os.close, self._file)
    self._row, self.dtype = tuple(row), np.dtype(dtype)
    self._bytes = self.dtype.itemsize * int(np.prod(self._row, dtype=np.int64))
    self._count = 0

  @property
  def shape(self) -> tuple[int, ...]:
    """That of all rows."""
    return (self._count, *self._row)

  def __len__(self) -> int:
    return self._count

  def append(self, rows: np.ndarray) -> None:
    """Adds rows [k, ...] at the end.

    Raises:
      OSError: the disk is full; it names the folder.
    """
    rows = np.ascontiguousarray(rows, self.dtype)
    if rows.shape[1:] != self._row:
      raise ValueError(f'rows are {rows.shape[1:]}, not {self._row}')
    left, at = memoryview(rows).cast('B'), self._count * self._bytes
    try:
      while left:
        written = os.pwrite(self._file, left, at)
        left, at = left[written:], at + written
    except OSError as error:
      raise OSError(error.errno, error.strerror, self._folder) from error
    self._count += len(rows)

  def __getitem__(self, index: Any) -> np.ndarray:
    if isinstance(index, slice):
      first, stop, step = index.indices(self._count)
      if step == 1:
        return self._read(first, max(stop - first, 0))
      index = np.arange(first, stop, step)
    index = np.asarray(index)
    index = np.where(index < 0, index + self._count, index)
    wanted, place = np.unique(index, return_inverse=True)
    if wanted.size and not 0 <= wanted[0] <= wanted[-1] < self._count:
      raise IndexError(f'rows {wanted[0]} to {wanted[-1]} of {self._count}')
    out = np.empty((len(wanted), *self._row), self.dtype)
    breaks = np.flatnonzero(np.diff(wanted) != 1) + 1
    for part in np.split(np.arange(len(wanted)), breaks):
      if part.size:
        first = int(wanted[part[0]])
        out[part[0] : part[-1] + 1] = self._read(first, len(part))
    return out[place.reshape(index.shape)]

  def _read(self, first: int, count: int) -> np.ndarray:
    out = np.empty((count, *self._row), self.dtype)
    if not out.size:
      return out
    left, at = memoryview(out).cast('B'), first * self._bytes
    while left:
      read = os.preadv(self._file, [left], at)
      if not read:
        raise OSError(f'{self._folder}: a temporary file was cut short')
      left, at = left[read:], at + read
    return out
