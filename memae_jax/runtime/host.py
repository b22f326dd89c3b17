"""Process on its host: its cores, the memory that it frees, and SIGTERM.

SIGTERM has one rule from the first second of a command to its last: the command
ends with exit code 75 and one line, and the same command goes on from there. If
there is something to save, it is saved first. Otherwise, and at a second
SIGTERM, the process ends at once, whatever the main thread is doing.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading

PREEMPTED = 75  # EX_TEMPFAIL: run the same command again.
# What a stopped process says last.
LINE = b'error: stopped by SIGTERM; run the same command to go on\n'
_ended = threading.RLock()
# Options of glibc's `mallopt`, and their values for `keep_memory`.
_KEEP = {'trim_threshold': (-1, 2**31 - 1), 'mmap_max': (-4, 0)}
_KEEP |= {'arena_max': (-8, 1)}


def cores() -> int:
  """Returns how many cores this process may use, which may not be all."""
  if hasattr(os, 'sched_getaffinity'):  # Linux.
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def is_command(package: str) -> bool:
  """Returns whether this process was started as `python -m package...`.

  It is for use while the package is imported; later it returns False.

  Args:
    package: a name without dots.
  """
  words = sys.orig_argv[1:]
  if sys.argv[:1] != ['-m'] or '-m' not in words[:-1]:
    return False
  return words[words.index('-m') + 1].partition('.')[0] == package


def keep_memory() -> bool:
  """Lets the C library keep the memory that this process frees.

  Each training step on a CPU takes and frees its arrays anew. Given back to the
  system in between, they cost as many page faults, which were a fifth of the
  time of a step of videos; kept, they cost a quarter more memory or so.

  Returns:
    Whether it does: not where the C library is another than glibc, nor where
    its variables (MALLOC_*, GLIBC_TUNABLES) say something of their own.
  """
  if any(n.startswith(('MALLOC_', 'GLIBC_TUNABLES')) for n in os.environ):
    return False
  try:
    mallopt = ctypes.CDLL(None).mallopt
  except (OSError, TypeError, AttributeError):
    return False
  return all([mallopt(*option) for option in _KEEP.values()])


def listen() -> None:
  """Makes SIGTERM end this process at once, outside `stop_requests`.

  Python calls a handler only when the main thread is back from C code, which
  may be a compilation of minutes. A thread of its own hears at once.
  """
  ours, theirs = os.pipe()
  os.set_blocking(theirs, False)
  signal.signal(signal.SIGTERM, _end)
  signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
  os.register_at_fork(after_in_child=_forget)
  threading.Thread(target=_hear, args=(ours,), daemon=True).start()


def _forget() -> None:
  """Restores the default in a forked child, whose pipe is its parent's."""
  signal.set_wakeup_fd(-1)
  signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _hear(pipe: int) -> None:
  heard = {}
  while number := os.read(pipe, 1):
    if number[0] == signal.SIGTERM:
      handler = signal.getsignal(signal.SIGTERM)
      heard = {handler: heard.get(handler, 0) + 1}
      if handler is _end or (
        isinstance(handler, _Noted) and heard[handler] > 1
      ):
        _end()


def _end(*_) -> None:
  """Ends this process; `atomic` leaves no file half-written."""
  # The line is printed once: a second thread waits here for the end. If it went
  # on, it could leave the program first, with exit code 0.
  _ended.acquire()
  with contextlib.suppress(OSError):
    os.write(2, LINE)  # Even if sys.stderr is locked.
  os._exit(PREEMPTED)


class _Noted:
  """A handler that notes the first SIGTERM and hands on the second."""

  def __init__(self, before):
    self.asked, self._before = False, before

  def __call__(self, number, frame):
    if self.asked and callable(self._before):
      self._before(number, frame)
    self.asked = True


@contextlib.contextmanager
def stop_requests():
  """Yields a function that returns whether SIGTERM has come.

  Inside, work goes on to a point where nothing is lost, asks there, and raises.
  A SIGTERM that the work did not ask about is handled at the end.
  """
  if threading.current_thread() is not threading.main_thread():
    yield lambda: False  # Only the main thread has signals.
    return
  noted = _Noted(signal.getsignal(signal.SIGTERM))
  previous = signal.signal(signal.SIGTERM, noted)
  try:
    yield lambda: noted.asked
  finally:
    signal.signal(signal.SIGTERM, previous)
  if noted.asked:
    signal.raise_signal(signal.SIGTERM)
