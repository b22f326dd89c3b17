"""Door for all files that others made.

All code that opens a file which this project did not write uses these
functions. They see to it that the file is there and no larger than it may be,
and whatever a library raises becomes one line that names the file and the mend.
They need NumPy only, as an exported scorer reads through here, too.
"""

import codecs
import contextlib
import gzip
import io
import os
import pathlib
import warnings
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from memae_jax.runtime import errors, paths

UNPACKED_LIMIT = 2**33  # Bytes that a packed file may grow to: 8 GiB.
TEXT_LIMIT = 2**28  # Bytes of a file that is read as one text: 256 MiB.
_CHUNK = 2**20
# A .gz file that unpacks to more bytes than this and than 300 times its own is
# taken for a bomb.
BOMB = 2**28


def name_of(path: Any) -> str:
  r"""Returns a path as text that any stream can hold: byte 0xE9 as '\xe9'."""
  return os.fsencode(path).decode('utf-8', 'backslashreplace')


def reason(error: BaseException) -> str:
  """Returns the message of an error as a part of one line, not too long."""
  if isinstance(error, MemoryError):
    return 'it asks for more memory than there is'
  if isinstance(error, OSError) and error.filename and error.strerror:
    return error.strerror  # The system says it best.
  text = ' '.join(str(error).split()) or type(error).__name__
  return name_of(text)[:200]


def file(path: Any, field: str = 'data.path') -> pathlib.Path:
  """Returns the path of an existing regular file.

  Args:
    path: of the file; `~` is expanded.
    field: the config field or flag that has the path, for messages.

  Raises:
    UserError: there is no such file.
  """
  out = paths.local(path, field)
  name = name_of(path)
  if not out.exists():
    raise errors.UserError(f'{name} does not exist; check {field}')
  if not out.is_file():
    raise errors.UserError(f'{name} is no file; {field} takes one file')
  return out


def check_names(
  stored: Collection[str], needed: Collection[str], alien: str, mend: str
) -> None:
  """Refuses a file whose arrays have other names than those that are needed.

  Args:
    stored: names of the file.
    needed: names that it should have, and no others.
    alien: what is said of a name that is not needed.
    mend: what to do about it.

  Raises:
    UserError: a name is missing, or else one is not needed.
  """
  for problem, names in (
    ('is missing', set(needed) - set(stored)),
    (alien, set(stored) - set(needed)),
  ):
    if names:
      first, *more = sorted(names)
      others = f' (and {len(more)} more)' if more else ''
      raise errors.UserError(
        f'"{name_of(first)[:60]}" {problem}{others}; {mend}'
      )


@contextlib.contextmanager
def reading(
  path: Any,
  kind: str,
  mend: str = 'replace or remove it',
  is_not: str = 'readable',
):
  """Turns whatever is raised inside into one line on the file.

  The line is 'PATH is no IS_NOT KIND (REASON); MEND'.

  Args:
    path: of the file.
    kind: name of such a file in messages, such as 'picture' or 'csv'.
    mend: what to do about a damaged one.
    is_not: what a damaged one is not, such as 'readable' or 'complete'.

  Raises:
    UserError: raised inside, or in place of what a library raised.
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
  """Stream that raises UserError when it gives more than `limit` bytes.

  `excess` says how much that is, for the message.
  """

  def __init__(self, stream, path, limit, excess):
    self._stream, self._path, self._left = stream, path, limit
    self._excess = excess

  def readable(self) -> bool:
    return True

  def readinto(self, buffer) -> int:
    count = self._stream.readinto(buffer)
    self._left -= count
    if self._left < 0:
      raise errors.UserError(
        f'{name_of(self._path)} unpacks to {self._excess}; unpack it yourself'
        ' if you trust it'
      )
    return count

  def close(self) -> None:
    self._stream.close()
    super().close()


def _gunzipped(path: Any, limit: int, excess: str) -> io.BufferedIOBase:
  """Opens the content of a gzip file, see `_Limited`."""
  return io.BufferedReader(
    _Limited(gzip.open(path, 'rb'), path, limit, excess), _CHUNK
  )


def unpacked(
  path: Any,
  limit: int = UNPACKED_LIMIT,
  mend: str = 'copy or pack it again',
) -> Iterator[bytes]:
  """Yields the content of a gzip file in parts; checks its checksum.

  Args:
    path: of the file.
    limit: bytes that it may unpack to.
    mend: what to do about a damaged one.

  Raises:
    UserError: the file is damaged, or unpacks to more.
  """
  with reading(path, 'gzip file', mend, 'complete'):
    with _gunzipped(path, limit, f'more than {limit:,} bytes') as file:
      yield from iter(lambda: file.read(_CHUNK), b'')


def opened(path: Any, limit: int = UNPACKED_LIMIT) -> io.BufferedIOBase:
  """Opens a file, or the content of a .gz file, to be read in parts.

  Use it inside `reading`, and read to its end, where the checksum of a .gz file
  is checked.

  Args:
    path: of the file.
    limit: bytes that a .gz file may unpack to; fewer if it looks like a bomb.
  """
  path = pathlib.Path(path)
  if path.suffix.lower() != '.gz':
    return path.open('rb')
  limit = min(limit, max(BOMB, 300 * path.stat().st_size))
  return _gunzipped(path, limit, 'far more than its size')


def memory() -> int:
  """Returns the bytes that this process may take: all, or its own limit."""
  try:
    import resource  # Not every system has it.
  except ImportError:
    return 2**63
  most = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
  limit = resource.getrlimit(resource.RLIMIT_AS)[0]
  return most if limit == resource.RLIM_INFINITY else min(most, limit)


def size_of(count: int) -> str:
  """Returns a number of bytes for people, such as '54 GiB'."""
  for unit in ('bytes', 'KiB', 'MiB', 'GiB', 'TiB'):
    if count < 1024 or unit == 'TiB':
      break
    count /= 1024
  return f'{count:.3g} {unit}'


def content(path: Any, limit: int = UNPACKED_LIMIT) -> bytes:
  """Returns the bytes of a file, unpacked if it is a .gz file.

  Raises:
    UserError: the file is damaged, or larger than `limit` bytes.
  """
  path = pathlib.Path(path)
  if path.suffix.lower() == '.gz':
    return b''.join(unpacked(path, limit))
  with reading(path, 'file', 'check that you may read it'):
    size = path.stat().st_size
    if size > limit:
      raise errors.UserError(
        f'{name_of(path)} has {size:,} bytes, more than {limit:,}; split it'
      )
    return path.read_bytes()


def text(path: Any, limit: int = TEXT_LIMIT) -> str:
  """Returns the text of a file in UTF-8, UTF-16 with a mark, or Windows-1252.

  Raises:
    UserError: the file cannot be read, or is larger than `limit` bytes.
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
    UserError: the file is damaged, or holds Python objects.
  """
  mend = 'save one array of numbers with numpy.save'
  with reading(path, 'npy file', mend), warnings.catch_warnings():
    warnings.simplefilter('ignore')  # The parser warns of odd headers.
    # Only a map needs the file to be as long as its header says.
    array = np.load(path, mmap_mode='r', allow_pickle=False)
    if not isinstance(array, np.ndarray):
      array.close()
      raise ValueError('it is an npz file')
    return array
