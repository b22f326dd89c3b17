"""A process on its host: the cores it may use, the requests it hears."""

import contextlib
import os
import signal


def cores() -> int:
  """Cores that this process may use; a batch job may have few of many."""
  if hasattr(os, 'sched_getaffinity'):  # Linux.
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


@contextlib.contextmanager
def stop_requests():
  """Yields a function that says whether SIGTERM has come.

  So that work goes on to a point where nothing is lost.
  """
  asked = []
  previous = signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
  try:
    yield lambda: bool(asked)
  finally:
    signal.signal(signal.SIGTERM, previous)
