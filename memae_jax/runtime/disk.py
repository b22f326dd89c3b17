"""What a disk refuses, as one line; and how much room it has."""

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
# Those that a library may tell in words of its own; only a disk says them.
_OF_DISKS = (
  errno.ENOSPC,
  errno.EDQUOT,
  errno.EFBIG,
  errno.EIO,
  errno.ESTALE,
  errno.EROFS,
)
_CLOSED = 'Event loop is closed'  # What follows in a library's other threads.
_LOUD = ('', 'absl', 'asyncio')  # Loggers that libraries write to.
_TIGHT = 2**24  # Bytes that reports and the like may take.


def _chain(error: BaseException | None) -> Iterator[BaseException]:
  """An error and those that it came from."""
  seen: list[BaseException] = []
  left = [error]
  while left:
    one = left.pop()
    if one is None or any(one is other for other in seen):
      continue
    seen.append(one)
    yield one
    left += [one.__cause__, one.__context__, *getattr(one, 'exceptions', ())]


def _told(text: str) -> int:
  """The error number whose words a text has; 0 if none of a disk's."""
  return next((n for n in _OF_DISKS if os.strerror(n) in text), 0)


def number(error: BaseException | None) -> int:
  """What the disk refused, as an error number; 0 if it was something else."""
  for one in _chain(error):
    if isinstance(one, OSError) and one.errno in _OF_DISKS:
      return one.errno
    if told := _told(str(one)):
      return told
  return 0


def line(error: BaseException, where: str | os.PathLike = '') -> str:
  """One line on what the disk refused, and the mend; '' if it refused nothing.

  Args:
    error: of the system, or of a library that tells it in its own words.
    where: what was written; else what the error names.
  """
  found = number(error)
  if not found and isinstance(error, OSError):
    found = error.errno or 0
    where = error.filename or where
  if not found:
    return ''
  named = next((e.filename for e in _chain(error) if _names_file(e)), '')
  shown = foreign.name_of(where or named)
  mend = f'; {_MENDS[found]}' if found in _MENDS else ''
  return f'{shown}{": " if shown else ""}{os.strerror(found)}{mend}'


def _names_file(error: BaseException) -> bool:
  return isinstance(error, OSError) and isinstance(error.filename, (str, bytes))


@contextlib.contextmanager
def writing(where: pathlib.Path):
  """Turns what the disk refuses inside into one line that names `where`.

  Raises:
    UserError: as raised inside, or in place of it.
  """
  try:
    yield
  except errors.UserError:
    raise
  except Exception as error:  # Libraries wrap it in many kinds.
    said = line(error, where)
    if not said:
      raise
    raise errors.UserError(said) from error


def may_write(folder: pathlib.Path) -> bool:
  """Whether this process may write to a folder, which it may have to make."""
  there = folder.absolute()
  while not os.path.lexists(there):
    there = there.parent
  return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def check_room(folder: pathlib.Path, needed: int, mend: str) -> None:
  """Refuses to begin what the disk has no room for; warns where it is tight.

  Args:
    folder: that is written to.
    needed: bytes that checkpoints take, packed a little less.
    mend: besides free space.

  Raises:
    UserError: there is clearly too little.
  """
  total, _, free = shutil.disk_usage(folder)
  if not total:  # Unknown, as of some network folders.
    return
  shown = f'{free / 2**20:,.1f} MiB are free'
  asked = f'the checkpoints take about {needed / 2**20:,.1f} MiB'
  if free < 0.7 * needed:
    raise errors.UserError(
      f'{folder}: {shown}, but {asked}; free some space, or {mend}'
    )
  if free < 1.5 * needed + _TIGHT:
    _LOG.warning('warning: %s: %s, and %s', folder, shown, asked)


class _Hushed(logging.Filter):
  """Drops records on what a disk refuses."""

  def filter(self, record):
    error = record.exc_info[1] if record.exc_info else None
    return not (number(error) or _told(record.getMessage()))


def hush() -> None:
  """Libraries print no tracebacks of what a disk refuses: it is one line."""
  for name in _LOUD:  # The loggers: their handlers are set up later.
    logging.getLogger(name).addFilter(_Hushed())
  of_threads, of_all, unraisable = (
    threading.excepthook,
    sys.excepthook,
    sys.unraisablehook,
  )
  own = lambda error: number(error) or _CLOSED in str(error)
  threading.excepthook = lambda args: own(args.exc_value) or of_threads(args)
  sys.unraisablehook = lambda args: own(args.exc_value) or unraisable(args)
  sys.excepthook = lambda kind, error, trace: (
    own(error) or of_all(kind, error, trace)
  )
