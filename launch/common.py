"""Jobs, and the options that all launchers have.

The options of the launcher come first; whatever follows `--` belongs to the job
and is passed on word for word:

python -m launch.slurm --nodes=2 -- --config=configs/ped2.py --workdir=runs/ped2

Only the standard library and PyYAML are used, so that a launcher runs on a
login node or a laptop without JAX.
"""

import argparse
import re
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

from memae_jax.runtime import streams

MAIN = 'memae_jax.main'
STUDY = 'memae_jax.study'
# Exit code of runtime.errors.Preempted: everything is saved; run it again.
PREEMPTED = 75
# Exit codes of jobs that go on; the second is SIGTERM before Python started.
AGAIN = (PREEMPTED, 128 + signal.SIGTERM)


class LaunchError(Exception):
  """Error that the person who launches can mend; the message is one line."""


class Job(NamedTuple):
  """Command of one process of a job.

  Attributes:
    module: that Python runs.
    argv: its flags.
    env: variables of the environment.
  """

  module: str
  argv: tuple[str, ...]
  env: dict[str, str]

  def words(self, python: str = 'python') -> list[str]:
    """Returns the words of the command."""
    return [python, '-m', self.module, *self.argv]

  def line(self, python: str = 'python') -> str:
    """Returns the command as a line of shell."""
    return shlex.join(self.words(python))

  def shard(self, index: int, count: int) -> 'Job':
    """Returns the job of points `index`, `index + count`, ... of a study."""
    return self._replace(argv=(*self.argv, f'--shard={index}/{count}'))

  def shards(self, count: int | None) -> list['Job']:
    """Returns the jobs of `--array=count`; for None, only this one."""
    if count is None:
      return [self]
    return [self.shard(index, count) for index in range(count)]


class Parser(argparse.ArgumentParser):
  """Argument parser whose errors are one line and exit code 2."""

  def __init__(self, doc: str):
    super().__init__(
      description=doc,
      formatter_class=argparse.RawDescriptionHelpFormatter,
      allow_abbrev=False,
    )
    self.add_argument(
      '--module', default=MAIN, help=f'what to run: {MAIN} or {STUDY}'
    )
    self.add_argument(
      '--array',
      type=positive,
      metavar='N',
      help='split a study into N jobs, by --shard=0/N ... --shard=N-1/N',
    )
    self.add_argument(
      '--env',
      action='append',
      default=[],
      metavar='NAME=VALUE',
      help='a variable of the job; may be repeated',
    )
    self.add_argument(
      '--dry_run',
      action='store_true',
      help='print what would be done, and do nothing',
    )

  def error(self, message: str):
    """Prints one line, and ends the process with exit code 2."""
    print(f'error: {message}', file=sys.stderr)
    sys.exit(2)

  def read(
    self, optional: Sequence[str] = ()
  ) -> tuple[argparse.Namespace, Job]:
    """Returns the options of the launcher, and the job.

    Args:
      optional: actions of the launcher that need no job.
    """
    argv = sys.argv[1:]
    at = argv.index('--') if '--' in argv else len(argv)
    options, flags = self.parse_args(argv[:at]), tuple(argv[at + 1 :])
    if not flags and getattr(options, 'action', None) not in optional:
      self.error(
        'the job is missing; its flags follow after "--", such as:'
        ' -- --config=configs/digits.py --workdir=runs/digits'
      )
    if not re.fullmatch(r'\w+(\.\w+)*', options.module):
      self.error(f'--module is "{options.module}"; expected such as {STUDY}')
    if options.array and options.module == MAIN:
      self.error(f'--array splits a study; add --module={STUDY}')
    return options, Job(options.module, flags, self._env(options.env))

  def one_process(
    self, options: argparse.Namespace, processes: int, mend: str
  ) -> None:
    """Refuses a study of several processes, as none would know of the others.

    Args:
      options: of the launcher.
      processes: that they ask for.
      mend: what to change, for the message.
    """
    if options.module == STUDY and processes > 1:
      self.error(
        f'a study, or each part of it, is one process, not {processes}; {mend},'
        ' and divide it by --array=N'
      )

  def _env(self, pairs: list[str]) -> dict[str, str]:
    for pair in pairs:
      if not re.match(r'[A-Za-z_]\w*=', pair):
        self.error(f'--env is "{pair}"; expected NAME=VALUE')
    return dict(pair.split('=', 1) for pair in pairs)


def positive(text: str) -> int:
  """Parses a whole number of at least 1."""
  if not text.isascii() or not text.isdigit() or int(text) < 1:
    raise argparse.ArgumentTypeError(f'"{text}" is not a whole number above 0')
  return int(text)


def name(text: str) -> str:
  """Parses a name that SLURM, Google Cloud and Kubernetes all take."""
  if not re.fullmatch(r'[a-z]([-a-z0-9]{0,38}[a-z0-9])?', text):
    raise argparse.ArgumentTypeError(
      f'"{text}" is not a name: at most 40 of a-z, 0-9 and "-", a letter first'
    )
  return text


def one_line(text: str) -> str:
  """Returns the text; refuses a line break, which would end a line early."""
  if '\n' in text or '\r' in text:
    raise argparse.ArgumentTypeError('a line break is not possible here')
  return text


def exports(env: dict[str, str]) -> list[str]:
  """Returns the lines of a shell script that set the variables."""
  return [f'export {key}={shlex.quote(value)}' for key, value in env.items()]


def guarded(run: Callable[[], int | None]) -> None:
  """Runs a launcher and exits; a LaunchError becomes one line and code 2."""
  streams.prepare()
  try:
    sys.exit(run())
  except LaunchError as error:
    print(f'error: {error}', file=sys.stderr)
    sys.exit(2)
  except KeyboardInterrupt:
    sys.exit(130)
