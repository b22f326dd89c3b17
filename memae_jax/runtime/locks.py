"""Locks on folders, which end with the process that holds them."""

import contextlib
import fcntl
import os
import pathlib
import time
from typing import Any

from memae_jax.runtime import errors, parallel

_MOMENT = 0.05  # Seconds, in which somebody may just look, see `is_held`.


@contextlib.contextmanager
def exclusive(lock: pathlib.Path, doing: str, wait: bool = False):
  """Holds a lock that ends with the process, however it ends.

  If a run has several processes, the first holds it for all.

  Args:
    lock: path of its file.
    doing: what its holder does, such as 'training', for the error.
    wait: whether to wait until another process lets go.

  Yields:
    The open file; a child process that inherits it holds the lock, too. In
    processes other than the first it is None.

  Raises:
    UserError: another process holds the lock, and `wait` is False.
  """
  if not parallel.is_first():
    yield None
    return
  lock.parent.mkdir(parents=True, exist_ok=True)
  with lock.open('ab+') as file:
    how = fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB)
    try:
      try:
        fcntl.flock(file, how)
      except BlockingIOError:
        time.sleep(_MOMENT)
        fcntl.flock(file, how)
    except BlockingIOError as error:
      raise errors.UserError(
        f'another process is {doing} in {lock.parent}; wait for it'
      ) from error
    file.truncate(0)
    file.write(f'{os.getpid()} {time.time_ns()}\n'.encode())
    file.flush()
    yield file


def is_there(file: Any) -> bool:
  """Returns whether the file of a lock is still the one that is held.

  Args:
    file: as `exclusive` yields it.
  """
  file.seek(0)
  try:
    return pathlib.Path(file.name).read_bytes() == file.read()
  except OSError:
    return False


def is_held(lock: pathlib.Path) -> bool:
  """Returns whether a process holds a lock; writes nothing."""
  if not lock.is_file():
    return False
  with lock.open('rb') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
      return True
  return False


def claim(stack: contextlib.ExitStack, lock: pathlib.Path, doing: str) -> Any:
  """Holds a lock as `exclusive` does, until `stack` closes.

  Only the first process may call it.

  Returns:
    The open file, or None if another process holds it.
  """
  try:
    return stack.enter_context(exclusive(lock, doing))
  except errors.UserError:
    return None
