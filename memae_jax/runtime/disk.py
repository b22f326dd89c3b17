"""Errors of a disk as one line, and the room that it has."""

import contextlib
import errno
import logging
import os
import pathlib
import shutil
import sys
import threading
from collections.abc import Iterator

from memae_jax.runtime import errors, foreign

_LOG = logging.getLogger(__name__)
_AGAIN = 'and run the same command again'
_MENDS = {
  errno.ENOSPC: f'free some space {_AGAIN}',
  errno.EDQUOT: f'free some of your quota {_AGAIN}',
  errno.EFBIG: 'choose a disk that takes larger files',
  errno.EIO: f'check the disk {_AGAIN}',
  errno.ESTALE: f'mount the folder again {_AGAIN}',
  errno.EROFS: 'choose a folder that you may write',
  errno.EACCES: 'choose a folder that you may write',
  errno.EPERM: 'choose a folder that you may write',
  errno.ENAMETOOLONG: 'choose a shorter name',
}
# Numbers that only a disk raises: their words in the message of a library mean
# the same.
_OF_DISKS = (
  errno.ENOSPC,
  errno.EDQUOT,
  errno.EFBIG,
  errno.EIO,
  errno.ESTALE,
  errno.EROFS,
)
_CLOSED = 'Event loop is closed'  # Follows in other threads of a library.
_LOUD = ('', 'absl', 'asyncio')  # Loggers that libraries write to.
_TIGHT = 2**24  # Bytes that a report and the like may take.


def _chain(error: BaseException | None) -> Iterator[BaseException]:
  """Yields an error and the errors that it came from."""
  seen: list[BaseException] = []
  left = [error]
  while left:
    one = left.pop()
    if one is None or any(one is other for other in seen):
      continue
    seen.append(one)
    yield one
    left += [one.__cause__, one.__context__, *getattr(one, 'exceptions', ())]


def _number_in(text: str) -> int:
  """Returns the error number of a disk whose words are in a text, or 0."""
  return next((n for n in _OF_DISKS if os.strerror(n) in text), 0)


def number(error: BaseException | None) -> int:
  """Returns the error number that the disk gave, or 0 for other errors."""
  for one in _chain(error):
    if isinstance(one, OSError) and one.errno in _OF_DISKS:
      return one.errno
    if code := _number_in(str(one)):
      return code
  return 0


def line(error: BaseException, where: str | os.PathLike = '') -> str:
  """Returns one line with the error of a disk and the mend.

  Args:
    error: of the system, or of a library that has it in its own words.
    where: the file or folder that was written; if empty, the file that the
      error names.

  Returns:
    The line, or '' if the error is no error of a disk.
  """
  code = number(error)
  if not code and isinstance(error, OSError):
    code = error.errno or 0
    where = error.filename or where
  if not code:
    return ''
  named = next((e.filename for e in _chain(error) if _names_file(e)), '')
  name = foreign.name_of(where or named)
  mend = f'; {_MENDS[code]}' if code in _MENDS else ''
  return f'{name}{": " if name else ""}{os.strerror(code)}{mend}'


def _names_file(error: BaseException) -> bool:
  return isinstance(error, OSError) and isinstance(error.filename, (str, bytes))


@contextlib.contextmanager
def writing(where: pathlib.Path):
  """Turns errors of a disk inside into one line that names `where`.

  Raises:
    UserError: raised inside, or in place of an error of a disk.
  """
  try:
    yield
  except errors.UserError:
    raise
  except Exception as error:  # Libraries wrap it in many kinds.
    message = line(error, where)
    if not message:
      raise
    raise errors.UserError(message) from error


@contextlib.contextmanager
def chosen(place: pathlib.Path, flag: str):
  """Turns an error of the system inside into one line, for a chosen place.

  Args:
    place: that is written to.
    flag: that chooses it, such as '--to'.

  Raises:
    UserError: in place of an OSError.
  """
  try:
    yield
  except OSError as error:
    raise errors.UserError(
      f'{foreign.name_of(place)} cannot be written ({error.strerror}); give'
      f' another {flag}'
    ) from error


def may_write(folder: pathlib.Path) -> bool:
  """Returns whether this process may write to a folder, or make it first."""
  existing = folder.absolute()
  while not os.path.lexists(existing):
    existing = existing.parent
  return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


def check_room(folder: pathlib.Path, needed: int, mend: str) -> None:
  """Checks that checkpoints fit a disk; warns if there is little room.

  Args:
    folder: the checkpoints are written to.
    needed: bytes of the checkpoints; packed they are a little smaller.
    mend: what else to do than to free space, for the message.

  Raises:
    UserError: there is clearly too little room.
  """
  total, _, free = shutil.disk_usage(folder)
  if not total:  # It is unknown for some network folders.
    return
  room = f'{free / 2**20:,.1f} MiB are free'
  size = f'the checkpoints take about {needed / 2**20:,.1f} MiB'
  if free < 0.7 * needed:
    raise errors.UserError(
      f'{folder}: {room}, but {size}; free some space, or {mend}'
    )
  if free < 1.5 * needed + _TIGHT:
    _LOG.warning('warning: %s: %s, and %s', folder, room, size)


class _Hushed(logging.Filter):
  """Filter that drops records on errors of a disk."""

  def filter(self, record):
    error = record.exc_info[1] if record.exc_info else None
    return not (number(error) or _number_in(record.getMessage()))


def hush() -> None:
  """Keeps libraries from printing tracebacks of errors of a disk."""
  for name in _LOUD:  # The loggers, as their handlers are set up later.
    logging.getLogger(name).addFilter(_Hushed())
  of_threads, of_all, unraisable = (
    threading.excepthook,
    sys.excepthook,
    sys.unraisablehook,
  )
  of_disk = lambda error: number(error) or _CLOSED in str(error)
  threading.excepthook = lambda args: (
    of_disk(args.exc_value) or of_threads(args)
  )
  sys.unraisablehook = lambda args: of_disk(args.exc_value) or unraisable(args)
  sys.excepthook = lambda kind, error, trace: (
    of_disk(error) or of_all(kind, error, trace)
  )
