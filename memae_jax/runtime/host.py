"""A process on its host: the cores it may use, the requests it hears.

SIGTERM has one rule from the first second of a command to its last: it ends
with exit code 75 and a line, and the same command goes on. While there is
something to save that comes first; else, and at a second SIGTERM, it ends at
once, whatever the main thread is doing.
"""

import contextlib
import os
import signal
import sys
import threading

PREEMPTED = 75  # EX_TEMPFAIL: run the same command again.
_LINE = b'error: stopped by SIGTERM; run the same command to go on\n'
_ended = threading.RLock()


def cores() -> int:
  """Cores that this process may use; a batch job may have few of many."""
  if hasattr(os, 'sched_getaffinity'):  # Linux.
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def is_command(package: str) -> bool:
  """Whether this process is `python -m package...`; true while it is imported.

  Args:
    package: a name without dots.
  """
  words = sys.orig_argv[1:]
  if sys.argv[:1] != ['-m'] or '-m' not in words[:-1]:
    return False
  return words[words.index('-m') + 1].partition('.')[0] == package


def listen() -> None:
  """From now on SIGTERM ends this process at once; see `stop_requests`.

  Python calls a handler when the main thread is back from what it does, which
  may be a compilation of minutes. A thread hears at once.
  """
  ours, theirs = os.pipe()
  os.set_blocking(theirs, False)
  signal.signal(signal.SIGTERM, _end)
  signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
  os.register_at_fork(after_in_child=_forget)
  threading.Thread(target=_hear, args=(ours,), daemon=True).start()


def _forget() -> None:
  """A forked child must not write to the pipe of its parent."""
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
  """Ends this process, which leaves no file half-written, see `atomic`."""
  # The line is said once: a second thread waits here for the end. If it went
  # on, it could leave the program first, with exit code 0.
  _ended.acquire()
  with contextlib.suppress(OSError):
    os.write(2, _LINE)  # Whatever holds the lock of sys.stderr.
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
  """Yields a function that says whether SIGTERM has come.

  So that work goes on to a point where nothing is lost, where it raises. A
  request that nobody asked for until the end is heard then.
  """
  if threading.current_thread() is not threading.main_thread():
    yield lambda: False  # Signals are the main thread's.
    return
  noted = _Noted(signal.getsignal(signal.SIGTERM))
  previous = signal.signal(signal.SIGTERM, noted)
  try:
    yield lambda: noted.asked
  finally:
    signal.signal(signal.SIGTERM, previous)
  if noted.asked:
    signal.raise_signal(signal.SIGTERM)
