"""The one door for files that others made.

Whoever reads a file that this project did not write does so between these
functions: the file is there, no larger than it may be, and whatever a library
raises on it becomes one line that names the file and the mend. NumPy only:
what scores without JAX reads through here, too.
"""

import contextlib
import gzip
import multiprocessing
import os
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

from memae_jax import errors, paths

UNPACKED_LIMIT = 2**33  # Bytes that a packed file may grow to: 8 GiB.
_CHUNK = 2**20


def name_of(path: Any) -> str:
  r"""A path as text that any stream can hold: byte 0xE9 as '\xe9'."""
  return os.fsencode(path).decode('utf-8', 'backslashreplace')


def reason(error: BaseException) -> str:
  """What an error of a library says, as a part of one line."""
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
def reading(path: Any, kind: str, mend: str = 'replace or remove it'):
  """Turns whatever is raised inside into one line on the file.

  Args:
    path: of the file.
    kind: what it should be, such as 'picture' or 'csv'.
    mend: what to do about it.

  Raises:
    UserError: as raised inside, or in place of what a library raised.
  """
  try:
    yield
  except errors.UserError:
    raise
  except (Exception, RecursionError) as error:  # Libraries raise many kinds.
    if isinstance(error, OSError) and error.filename and error.strerror:
      why = error.strerror  # The system's: no permission, too many links.
    elif isinstance(error, MemoryError):
      why = 'it asks for more memory than there is'
    else:
      why = reason(error)
    raise errors.UserError(
      f'{name_of(path)} is no readable {kind} ({why}); {mend}'
    ) from error


def unpacked(path: Any, limit: int = UNPACKED_LIMIT) -> Iterator[bytes]:
  """Yields the content of a gzip file in parts; its checksum counts.

  Args:
    path: of the file.
    limit: bytes that it may unpack to.

  Raises:
    UserError: it is damaged, or unpacks to more.
  """
  total = 0
  with reading(path, 'gzip file', 'copy or pack it again'):
    with gzip.open(path, 'rb') as packed:
      while part := packed.read(_CHUNK):
        total += len(part)
        if total > limit:
          raise errors.UserError(
            f'{name_of(path)} unpacks to more than {limit:,} bytes; unpack it'
            ' yourself if you trust it'
          )
        yield part


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


def _answer(pipe, function, args):
  try:
    pipe.send((True, function(*args)))
  except Exception as error:
    pipe.send((False, reason(error)))


def in_child(path: Any, kind: str, function: Callable[..., Any], *args: Any):
  """Returns `function(*args)`, called in a process of its own.

  For readers in C that a damaged file can kill: only the child dies.

  Args:
    path: of the file, for the message.
    kind: what it should be.
    function: of a module; its arguments and result are pickled between our
      own processes.
    *args: of it.

  Raises:
    UserError: the function failed, or its process died.
  """
  context = multiprocessing.get_context('spawn')
  ours, theirs = context.Pipe(duplex=False)
  child = context.Process(
    target=_answer, args=(theirs, function, args), daemon=True
  )
  child.start()
  theirs.close()
  with reading(path, kind):
    try:
      done, found = ours.recv()
    except EOFError as error:
      raise ValueError('reading it kills the reader') from error
    finally:
      child.join()
    if not done:
      raise ValueError(found)
    return found
