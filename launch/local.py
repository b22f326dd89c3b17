r"""Job on this machine: N processes with simulated devices or with GPUs.

python -m launch.local --processes=2 --devices=4 -- \
  --config=configs/digits.py --workdir=runs/digits

As a library it runs the tests of several processes:

with local.group(argv, processes=2, devices=2) as job:
  job.processes[1].kill()
  results = job.wait(timeout=60)
"""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple

from launch import common

_GRACE = 15.0  # Seconds that the others have after one has failed.


class Result(NamedTuple):
  """Exit code of a process, and its output, both streams in one.

  If signal n killed it, the code is 128 + n, as in a shell.
  """

  code: int
  output: str


class Group:
  """Processes that run inside a `with` block and have ended after it.

  Attributes:
    processes: handles, to signal or kill one of them.
    first_failure: exit code of the process that failed first; 0 if none has.
  """

  def __init__(
    self,
    commands: Sequence[tuple[list[str], dict[str, str]]],
    together: bool = True,
    echo: bool = False,
    grace: float = _GRACE,
  ):
    """Takes the commands; `with` starts them.

    Args:
      commands: (words, further variables of the environment) of each process.
      together: whether a process that fails ends the others.
      echo: whether to print the output, each line with the number of its
        process, instead of keeping it for the results.
      grace: seconds that the others have when a process has failed.
    """
    self.processes: list[subprocess.Popen] = []
    self.first_failure = 0
    self._commands = commands
    self._together, self._echo, self._grace = together, echo, grace
    self._lines: list[list[str]] = [[] for _ in commands]
    self._readers: list[threading.Thread] = []

  def __enter__(self) -> 'Group':
    for index, (words, env) in enumerate(self._commands):
      self._start(index, words, env)
    return self

  def __exit__(self, *_) -> None:
    self.kill()

  def _start(self, index: int, words: list[str], env: dict[str, str]) -> None:
    process = subprocess.Popen(
      words,
      env={**os.environ, **env},
      stdin=subprocess.DEVNULL,
      stdout=subprocess.PIPE,
      stderr=subprocess.STDOUT,
      text=True,
      errors='replace',
      start_new_session=True,  # Ctrl-C reaches this launcher alone.
    )
    reader = threading.Thread(target=self._read, args=(index, process))
    reader.daemon = True
    reader.start()
    self.processes.append(process)
    self._readers.append(reader)

  def _read(self, index: int, process: subprocess.Popen) -> None:
    with process.stdout as lines:
      for line in lines:
        if self._echo:
          sys.stdout.write(f'[{index}] {line.rstrip()}\n')
          sys.stdout.flush()
        else:
          self._lines[index].append(line)

  def output(self, index: int) -> str:
    """Returns the output of a process so far, both streams in one."""
    return ''.join(self._lines[index])

  def signal(self, number: int) -> None:
    """Sends a signal to each process that still runs."""
    for process in self.processes:
      process.send_signal(number)

  def kill(self) -> None:
    """Kills all processes, and whatever they have started."""
    for process in self.processes:
      if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for reader in self._readers:
      reader.join(timeout=5)

  def wait(self, timeout: float | None = None) -> list[Result]:
    """Waits for all processes; when one fails, the others are ended, too.

    Raises:
      TimeoutError: `timeout` seconds have passed; all are killed.
    """
    start, failed_at = time.monotonic(), None
    while any([process.poll() is None for process in self.processes]):
      now = time.monotonic()
      if timeout is not None and now - start > timeout:
        self.kill()
        output = ''.join(
          f'[{index}] {line}'
          for index, lines in enumerate(self._lines)
          for line in lines
        )
        raise TimeoutError(f'still running after {timeout} s\n{output}')
      failed = self._failure() and self._together
      if failed and failed_at is None:
        failed_at = now
        # A preempted process has saved together with the others, which are
        # about to end: a signal could only disturb them.
        if self.first_failure != common.PREEMPTED:
          self.signal(signal.SIGTERM)
      if failed_at is not None and now - failed_at > self._grace:
        self.kill()
      time.sleep(0.02)
    self._failure()
    for reader in self._readers:
      reader.join(timeout=5)
    return [
      Result(_code(process), self.output(index))
      for index, process in enumerate(self.processes)
    ]

  def _failure(self) -> int:
    """Notes the first failure; returns its exit code, 0 if there is none."""
    for process in self.processes:
      if not self.first_failure and process.poll() is not None:
        self.first_failure = _code(process)
    return self.first_failure


def _code(process: subprocess.Popen) -> int:
  code = process.returncode
  return 128 - code if code < 0 else code


def free_port() -> int:
  """Returns a port of this machine that no process listens to."""
  with socket.socket() as probe:
    probe.bind(('127.0.0.1', 0))
    return probe.getsockname()[1]


def environments(
  processes: int,
  devices: int | None = None,
  gpus: int | None = None,
  port: int | None = None,
) -> list[dict[str, str]]:
  """Returns the variables of each process: its index and its devices.

  Args:
    processes: how many there are.
    devices: simulated CPU devices per process.
    gpus: GPUs per process; the first process has the first ones.
    port: of the coordinator; None for processes that do not know of each other.
  """
  out = []
  for index in range(processes):
    env = {}
    if port is not None:
      env['JAX_COORDINATOR_ADDRESS'] = f'127.0.0.1:{port}'
      env['JAX_NUM_PROCESSES'] = str(processes)
      env['JAX_PROCESS_ID'] = str(index)
    if devices is not None:
      env['JAX_PLATFORMS'] = 'cpu'
      env['JAX_NUM_CPU_DEVICES'] = str(devices)
    if gpus is not None:
      numbers = range(index * gpus, (index + 1) * gpus)
      env['CUDA_VISIBLE_DEVICES'] = ','.join(map(str, numbers))
    out.append(env)
  return out


def group(
  argv: Sequence[str],
  processes: int = 1,
  devices: int | None = None,
  env: dict[str, str] | None = None,
  module: str = common.MAIN,
  **options,
) -> Group:
  """Returns processes of `python -m module *argv` that are one job.

  Args:
    argv: the flags of the job.
    processes: how many there are; one process is no distributed run.
    devices: simulated CPU devices per process; None for those that JAX finds.
    env: further variables, the same for each process.
    module: that Python runs.
    **options: of `Group`.
  """
  words = common.Job(module, tuple(argv), {}).words(sys.executable)
  port = free_port() if processes > 1 else None
  return Group(
    [
      (words, {**(env or {}), **variables})
      for variables in environments(processes, devices, port=port)
    ],
    **options,
  )


def run(
  argv: Sequence[str], timeout: float | None = None, **options
) -> list[Result]:
  """Runs a job to its end, with the options of `group`.

  Raises:
    TimeoutError: `timeout` seconds have passed.
  """
  with group(argv, **options) as processes:
    return processes.wait(timeout)


def plan(options, job: common.Job) -> list[tuple[list[str], dict[str, str]]]:
  """Returns (words, variables) of each process that the options ask for."""
  count, port = options.array or options.processes, None
  if options.processes > 1:
    port = options.port or free_port()
  variables = environments(count, options.devices, options.gpus, port)
  jobs = job.shards(options.array) if options.array else [job] * count
  return [
    (one.words(sys.executable), {**job.env, **env})
    for one, env in zip(jobs, variables)
  ]


def _forward(processes: Group) -> None:
  """Passes on the signals that ask this launcher to stop, as SIGTERM."""
  for number in (signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) == signal.SIG_DFL:  # Not under nohup.
      signal.signal(number, lambda *_: processes.signal(signal.SIGTERM))


def main() -> int:
  """Runs the command line; returns the code of the first failure."""
  parser = common.Parser(__doc__)
  parser.add_argument('--processes', type=common.positive, default=1)
  devices = parser.add_mutually_exclusive_group()
  devices.add_argument(
    '--devices', type=common.positive, help='simulated CPU devices per process'
  )
  devices.add_argument('--gpus', type=common.positive, help='GPUs per process')
  parser.add_argument(
    '--port',
    type=common.positive,
    help='of the coordinator; default: a free port',
  )
  options, job = parser.read()
  if options.array and options.processes > 1:
    parser.error('--array and --processes exclude each other')
  parser.one_process(options, options.processes, 'leave --processes out')
  commands = plan(options, job)
  if options.dry_run:
    for words, env in commands:
      values = [f'{key}={shlex.quote(value)}' for key, value in env.items()]
      print(' '.join([*values, shlex.join(words)]))
    return 0
  processes = Group(commands, together=not options.array, echo=True)
  _forward(processes)
  with processes:
    try:
      processes.wait()
    except KeyboardInterrupt:
      processes.signal(signal.SIGINT)
      with contextlib.suppress(TimeoutError):
        processes.wait(timeout=_GRACE)
      return 130
  return processes.first_failure


if __name__ == '__main__':
  common.guarded(main)
