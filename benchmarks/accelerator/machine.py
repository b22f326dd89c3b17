"""Folders, time and processes of the machine, as the stages use them.

The process of the command itself never touches the accelerator. Workers (see
`worker`) run there, which end with it, and trainings by the command line, which
are asked to save and end when the time is over.
"""

import contextlib
import functools
import json
import os
import pathlib
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, NamedTuple

from benchmarks import workers
from benchmarks.accelerator import stages
from memae_jax.runtime import errors

ROOT = pathlib.Path(__file__).resolve().parents[2]
_PATIENCE = 60.0  # Seconds that a training has to save its state.
_VARIABLES = {
  # Two processes share the card.
  'XLA_PYTHON_CLIENT_PREALLOCATE': 'false',
  'TF_CPP_MIN_LOG_LEVEL': '3',
}
_SMALL = {  # On a CPU programs are compiled quickly rather than well.
  'XLA_FLAGS': '--xla_backend_optimization_level=0',
  'JAX_NUM_CPU_DEVICES': '1',
}


class Failed(Exception):
  """A worker or a training has no result; the message says why in one line."""


class Ended(NamedTuple):
  """Exit code of a training, and the end of its output."""

  code: int
  output: str


class Machine:
  """Folders and processes of this machine.

  Attributes:
    small: whether there is no accelerator, so that sizes are small.
    device: of JAX, as `worker` describes it.
    torch: version and device of PyTorch; None where it is not installed.
  """

  def __init__(
    self,
    out: pathlib.Path,
    work: pathlib.Path,
    data: pathlib.Path | None,
    clock: stages.Clock,
    lock: IO[bytes],
  ):
    """Looks for the devices.

    Args:
      out: folder of results.
      work: folder that is kept between calls.
      data: folder of files that were brought along, or None.
      clock: of this call.
      lock: file that the processes hold as well, until the last one has ended.

    Raises:
      Failed: JAX finds no device.
    """
    self.out, self.work, self.data, self.clock = out, work, data, clock
    self._locks = (lock.fileno(),)
    self._workers: dict[str, workers.Worker] = {}
    self.small = False
    self.device = self.ask('jax', 'device')
    self.small = self.device['platform'] == 'cpu'
    if self.small:
      self.rest()  # The next one compiles quickly rather than well.
    self.torch = None
    with contextlib.suppress(Failed):
      self.torch = self.ask('torch', 'version')

  def find(self, *names: str) -> pathlib.Path | None:
    """Returns the first of these names that the folder of data has, or None."""
    for name in names if self.data else ():
      if (self.data / name).exists():
        return self.data / name
    return None

  def ask(self, side: str, do: str, **options: Any) -> dict[str, Any]:
    """Asks the worker of a side; starts it if there is none.

    Args:
      side: jax or torch.
      do: a function of `worker`.
      **options: of the function.

    Raises:
      Failed: the worker answers with an error, or has ended.
      OutOfTime: the minutes are over.
    """
    if side not in self._workers:
      words = ['benchmarks.accelerator.worker', side]
      self._workers[side] = workers.Worker(
        words, self._variables(), self._locks
      )
    line = json.dumps({'do': do, **options})
    try:
      answer = self._workers[side].ask(line, max(self.clock.left(), 1))
    except workers.Stopped as stopped:
      del self._workers[side]
      self.rest()
      if stopped.late:
        raise stages.OutOfTime from stopped
      raise Failed(str(stopped)) from stopped
    if 'error' in answer:
      raise Failed(answer['error'])
    return answer

  def rest(self) -> None:
    """Ends the workers, so that the card is free."""
    while self._workers:
      self._workers.popitem()[1].stop()

  def _variables(self) -> dict[str, str]:
    paths = [str(ROOT), os.environ.get('PYTHONPATH', '')]
    variables = {
      'PYTHONPATH': os.pathsep.join(filter(None, paths)),
      'JAX_COMPILATION_CACHE_DIR': os.environ.get(
        'JAX_COMPILATION_CACHE_DIR', str(self.work / 'compiled')
      ),
    }
    return variables | _VARIABLES | (_SMALL if self.small else {})

  @contextlib.contextmanager
  def _command(
    self, words: Sequence[str], variables: Mapping[str, str]
  ) -> Iterator[tuple[subprocess.Popen, pathlib.Path]]:
    """Yields a process of `memae_jax.main` and the file of its output."""
    self.rest()
    output = self.work / 'said.txt'
    with output.open('wb') as file:
      process = subprocess.Popen(
        [sys.executable, '-m', 'memae_jax.main', *words],
        cwd=ROOT,
        env=os.environ | self._variables() | variables,
        stdout=file,
        stderr=subprocess.STDOUT,
        pass_fds=self._locks,
        preexec_fn=functools.partial(workers.end_with_parent, signal.SIGTERM),
      )
    try:
      yield process, output
    finally:
      if process.poll() is None:
        process.kill()
        process.wait()

  def command(
    self,
    words: Sequence[str],
    seconds: float,
    variables: Mapping[str, str] | None = None,
    until: Any = None,
  ) -> Ended:
    """Runs the command line of this project.

    Args:
      words: its flags.
      seconds: after which SIGTERM asks it to save and end.
      variables: of the environment, in addition to those of this process.
      until: a function; SIGTERM is also sent once it returns True.
    """
    clock, sent = stages.Clock(seconds / 60), False
    with self._command(words, variables or {}) as (process, output):
      while process.poll() is None:
        asked = until is not None and until()
        if asked or not clock.left():
          process.send_signal(signal.SIGTERM)
          sent = True
          with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
          break
        with contextlib.suppress(subprocess.TimeoutExpired):
          process.wait(0.02 if until else min(1, clock.left() + 0.01))
      if process.poll() is None:  # It can be resumed all the same.
        process.kill()
        process.wait()
      code = process.returncode
      if sent and code < 0:
        code = errors.Preempted.exit_code
      return Ended(code, _end_of(output))


def _end_of(output: pathlib.Path) -> str:
  lines = output.read_text('utf-8', 'replace').splitlines()
  return ' '.join(' '.join(lines[-3:]).split())[-600:]
