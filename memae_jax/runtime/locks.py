"""Locks on folders, which end with the process that holds them."""

import contextlib
import fcntl
import os
import pathlib
import time
from typing import Any

from memae_jax.runtime import (
  errors,
  parallel,
)


@contextlib.contextmanager
def exclusive(lock: pathlib.Path, doing: str, wait: bool = False):
  """Holds a lock that ends with the process, however it ends.

  Of several processes, the first holds it for all.

  Args:
    lock: the file.
    doing: what its holder does, for the error.
    wait: until another process lets go.

  Yields:
    The open file; a child process that inherits it holds the lock, too. None
    in processes but the first.

  Raises:
    UserError: another process holds it, and `wait` is False.
  """
  if not parallel.is_first():
    yield None
    return
  lock.parent.mkdir(parents=True, exist_ok=True)
  with lock.open('ab+') as file:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError as error:
      raise errors.UserError(
        f'another process is {doing} in {lock.parent}; wait for it'
      ) from error
    file.truncate(0)
    file.write(f'{os.getpid()} {time.time_ns()}\n'.encode())
    file.flush()
    yield file


def is_there(held: Any) -> bool:
  """Whether the file of a lock is still the one that is held.

  Args:
    held: as `exclusive` yields it.
  """
  held.seek(0)
  try:
    return pathlib.Path(held.name).read_bytes() == held.read()
  except OSError:
    return False


def claim(stack: contextlib.ExitStack, lock: pathlib.Path, doing: str) -> Any:
  """Holds a lock as `exclusive` does, until `stack` closes.

  For the first process only.

  Returns:
    The open file, or None if another process holds it.
  """
  try:
    return stack.enter_context(exclusive(lock, doing))
  except errors.UserError:
    return None
