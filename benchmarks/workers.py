"""Processes that wait for work, and answer each line by one line of JSON."""

import ctypes
import functools
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

_ENDS_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux.


def end_with_parent(number: int) -> None:
  """Asks Linux to send a signal to this process when its parent is gone."""
  if sys.platform == 'linux':
    ctypes.CDLL(None).prctl(_ENDS_WITH_PARENT, number)


class Stopped(Exception):
  """A worker has ended; `late` says that it took too long."""

  def __init__(self, late: bool, code: int):
    super().__init__(f'the worker ended with code {code}')
    self.late = late


class Worker:
  """A live process `python -m ...`; it ends when this one does."""

  def __init__(
    self,
    words: Sequence[str],
    variables: Mapping[str, str],
    files: Sequence[int] = (),
  ):
    """Starts the process.

    Args:
      words: the module and its arguments.
      variables: of the environment, in addition to those of this process.
      files: descriptors of files, such as locks, that it holds as well.
    """
    self._process = subprocess.Popen(
      [sys.executable, '-m', *words],
      env=os.environ | variables,
      stdin=subprocess.PIPE,
      stdout=subprocess.PIPE,
      text=True,
      pass_fds=files,
      preexec_fn=functools.partial(end_with_parent, signal.SIGKILL),
    )

  def ask(self, line: str, seconds: float | None = None) -> dict[str, Any]:
    """Sends a line of text; returns the answer.

    Args:
      line: without its end.
      seconds: to wait; then the worker is killed. None: for ever.

    Raises:
      Stopped: there is no answer.
    """
    try:
      print(line, file=self._process.stdin, flush=True)
    except BrokenPipeError:
      pass  # `answer` raises.
    return self.answer(seconds)

  def answer(self, seconds: float | None = None) -> dict[str, Any]:
    """Returns the next answer; arguments and errors are those of `ask`."""
    late = threading.Event()

    def end():
      late.set()
      self._process.kill()

    timer = threading.Timer(seconds, end) if seconds else None
    if timer:
      timer.start()
    line = self._process.stdout.readline()
    if timer:
      timer.cancel()
    if not line.endswith('\n'):
      self.stop()
      raise Stopped(late.is_set(), self._process.returncode)
    return json.loads(line)

  def stop(self) -> None:
    """Ends the process by the end of its input."""
    try:
      self._process.stdin.close()
    except BrokenPipeError:
      pass
    self._process.stdout.read()
    self._process.stdout.close()
    self._process.wait()
