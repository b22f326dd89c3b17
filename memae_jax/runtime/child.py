"""Child process for readers in C that a damaged file can kill.

It is kept for the next call, as starting takes half a second, and ends by
itself when no call comes. It needs NumPy only, see `foreign`.
"""

import atexit
import contextlib
import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from multiprocessing import connection
from typing import Any

from memae_jax.runtime import errors, foreign

MEMORY = 2**33  # Bytes that a call may take: 8 GiB.
IDLE = 10.0  # Seconds that a process waits for the next call.
_START = (
  'import sys; sys.path[:] = sys.argv[3:]; from memae_jax.runtime import child;'
  ' child.serve(int(sys.argv[1]), float(sys.argv[2]))'
)
_lock = threading.Lock()
_kept = []  # [process, our end of its pipe], or empty.


def call(
  function: Callable[..., Any], args: Sequence[Any], timeout: float
) -> Any:
  """Returns `function(*args)`, called in the child process.

  Args:
    function: of a module, which the process imports.
    args: whatever can be pickled; so must be the result.
    timeout: seconds.

  Raises:
    UserError: the function raised it.
    ValueError: the function raised another error, took longer, or killed the
      process.
  """
  with _lock:
    try:
      answer = _asked(function, args, timeout)
      if answer is None:  # It waited for too long, and has just ended.
        answer = _asked(function, args, timeout)
    except BaseException:
      _end()
      raise
  failed, result = answer or (True, 'there is no process to read it')
  if failed:
    raise result if isinstance(result, errors.UserError) else ValueError(result)
  return result


def _asked(function, args, timeout) -> tuple[bool, Any] | None:
  """Returns whether the function failed, and its result or its error.

  Returns None if the process had ended by itself before it was asked.
  """
  if not _kept:
    _kept.extend(_start())
  process, pipe = _kept
  try:
    pipe.send((function, args))
    if not pipe.poll(timeout):
      raise ValueError(f'reading it takes more than {timeout:.0f} seconds')
    return pipe.recv()
  except (EOFError, OSError) as error:
    ended_well = process.wait() == 0  # It ends where it closes the pipe.
    _end()
    if ended_well:
      return None
    raise ValueError('reading it kills the reader') from error


def _start():
  ours, theirs = multiprocessing.Pipe()
  with theirs:
    process = subprocess.Popen(
      [
        *(sys.executable, '-c', _START, str(theirs.fileno()), str(IDLE)),
        *sys.path,
      ],
      pass_fds=[theirs.fileno()],
      stdin=subprocess.DEVNULL,
      stdout=subprocess.DEVNULL,
      stderr=subprocess.DEVNULL,
    )
  return process, ours


@atexit.register
def _end():
  if _kept:
    process, pipe = _kept
    _kept.clear()
    process.kill()
    process.wait()
    pipe.close()


def read(
  path: Any,
  kind: str,
  function: Callable[..., Any],
  *args: Any,
  timeout: float = 600,
):
  """Returns `function(*args)`, called in the child process to read a file.

  A damaged file can kill the child, but not this process. The memory of the
  child is limited to `MEMORY` bytes.

  Args:
    path: of the file, for messages.
    kind: name of such a file in messages, such as 'parquet file'.
    function: of a module; its arguments and its result are pickled.
    *args: of the function.
    timeout: seconds after which the child is ended.

  Raises:
    UserError: the function raised an error, took longer, or killed the child.
  """
  with foreign.reading(path, kind):
    return call(function, args, timeout)


def serve(descriptor: int, idle: float) -> None:
  """Calls the functions that come through a pipe; ends when none comes.

  Args:
    descriptor: of the pipe.
    idle: seconds to wait for the next call.
  """
  import resource

  resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
  resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
  pipe = connection.Connection(descriptor)
  with contextlib.suppress(EOFError):
    while pipe.poll(idle):
      function, args = pipe.recv()
      try:
        answer = False, function(*args)
      except errors.UserError as error:
        answer = True, error
      except Exception as error:
        answer = True, foreign.reason(error)
      pipe.send(answer)
