"""Arrays on disk that code works on with constant memory.

Pages of a memory map count as memory of the process once they were touched;
rows that are read from here are copies, which Python frees after use.
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

  It reads like an array (`feed.Inputs`), from several threads at once: reading
  copies rows. The file has no name, so nothing is left of it when the process
  ends, however it ends.
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
      dtype: type of the values.
      folder: a folder on the disk to use; None: the system's temporary folder.
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
    """Shape of the array, [n, *row]."""
    return (self._count, *self._row)

  def __len__(self) -> int:
    return self._count

  def append(self, rows: np.ndarray) -> None:
    """Adds rows [k, ...] at the end.

    Raises:
      OSError: the disk is full; the error names the folder.
      ValueError: the rows have another shape.
    """
    rows = np.ascontiguousarray(rows, self.dtype)
    if rows.shape[1:] != self._row:
      raise ValueError(f'rows are {rows.shape[1:]}, not {self._row}')
    unwritten, offset = memoryview(rows).cast('B'), self._count * self._bytes
    try:
      while unwritten:
        written = os.pwrite(self._file, unwritten, offset)
        unwritten, offset = unwritten[written:], offset + written
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
    unread, offset = memoryview(out).cast('B'), first * self._bytes
    while unread:
      count_read = os.preadv(self._file, [unread], offset)
      if not count_read:
        raise OSError(f'{self._folder}: a temporary file was cut short')
      unread, offset = unread[count_read:], offset + count_read
    return out
