"""SIGTERM as a question: work goes on to a point where nothing is lost."""

import contextlib
import signal


@contextlib.contextmanager
def stop_requests():
  """Yields a function that says whether SIGTERM has come."""
  asked = []
  previous = signal.signal(signal.SIGTERM, lambda *_: asked.append(True))
  try:
    yield lambda: bool(asked)
  finally:
    signal.signal(signal.SIGTERM, previous)
