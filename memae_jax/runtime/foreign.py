"""The one door for files that others made.

Whoever reads a file that this project did not write does so between these
functions: the file is there, no larger than it may be, and whatever a library
raises on it becomes one line that names the file and the mend. NumPy only:
what scores without JAX reads through here, too.
"""

import codecs
import contextlib
import gzip
import io
import os
import pathlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from memae_jax.runtime import errors, paths

UNPACKED_LIMIT = 2**33  # Bytes that a packed file may grow to: 8 GiB.
TEXT_LIMIT = 2**28  # Bytes of a file that is read as one text: 256 MiB.
_CHUNK = 2**20
_BOMB = 2**28  # Bytes, if they are 300 times those of the file, too.


def name_of(path: Any) -> str:
  r"""A path as text that any stream can hold: byte 0xE9 as '\xe9'."""
  return os.fsencode(path).decode('utf-8', 'backslashreplace')


def reason(error: BaseException) -> str:
  """What an error of a library says, as a part of one line."""
  if isinstance(error, MemoryError):
    return 'it asks for more memory than there is'
  if isinstance(error, OSError) and error.filename and error.strerror:
    return error.strerror  # The system's: no permission, too many links.
  text = ' '.join(str(error).split()) or type(error).__name__
  return name_of(text)[:200]


def file(path: Any, field: str = 'data.path') -> pathlib.Path:
  """Returns the path of an existing regular file.

  Args:
    path: of the file; `~` is expanded.
    field: what to check where there is none.

  Raises:
    UserError: there is none.
  """
  found = paths.local(path, field)
  shown = name_of(path)
  if not found.exists():
    raise errors.UserError(f'{shown} does not exist; check {field}')
  if not found.is_file():
    raise errors.UserError(f'{shown} is no file; {field} takes one file')
  return found


@contextlib.contextmanager
def reading(
  path: Any,
  kind: str,
  mend: str = 'replace or remove it',
  is_not: str = 'readable',
):
  """Turns whatever is raised inside into one line on the file.

  Args:
    path: of the file.
    kind: what it should be, such as 'picture' or 'csv'.
    mend: what to do about it.
    is_not: in what way it is not.

  Raises:
    UserError: as raised inside, or in place of what a library raised.
  """
  try:
    yield
  except errors.UserError:
    raise
  except (Exception, RecursionError) as error:  # Libraries raise many kinds.
    raise errors.UserError(
      f'{name_of(path)} is no {is_not} {kind} ({reason(error)}); {mend}'
    ) from error


class _Limited(io.RawIOBase):
  """A stream that ends with an error where it gives more than it may."""

  def __init__(self, stream, path, limit, much):
    self._stream, self._path, self._left = stream, path, limit
    self._much = much

  def readable(self) -> bool:
    return True

  def readinto(self, buffer) -> int:
    count = self._stream.readinto(buffer)
    self._left -= count
    if self._left < 0:
      raise errors.UserError(
        f'{name_of(self._path)} unpacks to {self._much}; unpack it yourself if'
        ' you trust it'
      )
    return count

  def close(self) -> None:
    self._stream.close()
    super().close()


def _gunzipped(path: Any, limit: int, much: str) -> io.BufferedIOBase:
  """What a gzip file packs, if it is not more than `limit` bytes: `much`."""
  return io.BufferedReader(
    _Limited(gzip.open(path, 'rb'), path, limit, much), _CHUNK
  )


def unpacked(
  path: Any,
  limit: int = UNPACKED_LIMIT,
  mend: str = 'copy or pack it again',
) -> Iterator[bytes]:
  """Yields the content of a gzip file in parts; its checksum counts.

  Args:
    path: of the file.
    limit: bytes that it may unpack to.
    mend: what to do about a damaged one.

  Raises:
    UserError: it is damaged, or unpacks to more.
  """
  with reading(path, 'gzip file', mend, 'complete'):
    with _gunzipped(path, limit, f'more than {limit:,} bytes') as file:
      yield from iter(lambda: file.read(_CHUNK), b'')


def opened(path: Any, limit: int = UNPACKED_LIMIT) -> io.BufferedIOBase:
  """Opens a file to be read in parts, of a .gz file what it packs.

  Whatever reads it stands inside `reading`, and reads to the end, where the
  checksum of a .gz file counts.

  Args:
    path: of the file.
    limit: bytes that a .gz file may unpack to; fewer if it looks like a bomb.
  """
  found = pathlib.Path(path)
  if found.suffix.lower() != '.gz':
    return found.open('rb')
  limit = min(limit, max(_BOMB, 300 * found.stat().st_size))
  return _gunzipped(found, limit, 'far more than its size')


def memory() -> int:
  """Bytes that this process may take: of the machine, or of its limit."""
  try:
    import resource  # Not on every system.
  except ImportError:
    return 2**63
  most = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
  limit = resource.getrlimit(resource.RLIMIT_AS)[0]
  return most if limit == resource.RLIM_INFINITY else min(most, limit)


def size_of(count: int) -> str:
  """A number of bytes for people: '54 GiB'."""
  for unit in ('bytes', 'KiB', 'MiB', 'GiB', 'TiB'):
    if count < 1024 or unit == 'TiB':
      break
    count /= 1024
  return f'{count:.3g} {unit}'


def content(path: Any, limit: int = UNPACKED_LIMIT) -> bytes:
  """Returns the bytes of a file, of a .gz file those that it packs.

  Raises:
    UserError: it is damaged, or larger than `limit` bytes.
  """
  found = pathlib.Path(path)
  if found.suffix.lower() == '.gz':
    return b''.join(unpacked(found, limit))
  with reading(found, 'file', 'check that you may read it'):
    size = found.stat().st_size
    if size > limit:
      raise errors.UserError(
        f'{name_of(path)} has {size:,} bytes, more than {limit:,}; split it'
      )
    return found.read_bytes()


def text(path: Any, limit: int = TEXT_LIMIT) -> str:
  """Returns the text of a file: UTF-8, UTF-16 with its mark, or Windows-1252.

  Raises:
    UserError: it cannot be read, or is larger than `limit` bytes.
  """
  raw = content(path, limit)
  if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
    return raw.decode('utf-16', 'replace')
  try:
    return raw.decode('utf-8-sig')
  except UnicodeDecodeError:
    return raw.decode('cp1252', 'replace')


def npy(path: Any) -> np.ndarray:
  """Returns the array of a .npy file, as a memory map; never unpickles.

  Raises:
    UserError: it is damaged, or holds Python objects.
  """
  mend = 'save one array of numbers with numpy.save'
  with reading(path, 'npy file', mend), warnings.catch_warnings():
    warnings.simplefilter('ignore')  # On odd headers, of the parser.
    # A map, for which the file must be as long as its header announces.
    array = np.load(path, mmap_mode='r', allow_pickle=False)
    if not isinstance(array, np.ndarray):
      raise ValueError('it is an npz file')
    return array
