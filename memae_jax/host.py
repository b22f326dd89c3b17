"""A process on its host: the cores it may use, the requests it hears."""

import contextlib
import os
import signal
import threading


def cores() -> int:
  """Cores that this process may use; a batch job may have few of many."""
  if hasattr(os, 'sched_getaffinity'):  # Linux.
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


@contextlib.contextmanager
def stop_requests():
  """Yields a function that says whether SIGTERM has come.

  So that work goes on to a point where nothing is lost. Only the main thread
  may listen to signals; in another one, none is heard.
  """
  if threading.current_thread() is not threading.main_thread():
    yield lambda: False
    return
  asked = []
  previous = signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
  try:
    yield lambda: bool(asked)
  finally:
    signal.signal(signal.SIGTERM, previous)
