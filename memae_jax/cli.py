"""Command lines: flags, logs, and errors as one line and an exit code."""

import logging
import os
import sys
import threading
from collections.abc import Callable

import jax
from absl import app, flags
from absl import logging as absl_logging

from memae_jax.config import command_line
from memae_jax.runtime import (
  disk,
  errors,
  host,
  jax_settings,
  parallel,
  processes,
  streams,
)

_LONGEST = 2000  # Most letters of an error line.
_OUT_OF_MEMORY = 'RESOURCE_EXHAUSTED'
PATIENCE = 30.0  # Seconds that a failed process waits for those it ran with.


def _end_soon(code: int) -> None:
  """Ends a failed process soon, although JAX would wait for the other ones.

  At its exit JAX waits for five minutes, while the other processes of the run
  wait for this one.

  Args:
    code: exit code.
  """
  sys.stdout.flush()
  if processes.is_joining():  # No work is lost, and JAX would never end.
    os._exit(code)
  if jax.distributed.is_initialized():
    timer = threading.Timer(PATIENCE, os._exit, [code])
    timer.daemon = True
    timer.start()


def _fail(message: object, code: int) -> None:
  """Prints an error line and exits."""
  text = ' '.join(str(message)[:_LONGEST].split())
  print(f'error: {text}', file=sys.stderr, flush=True)
  _end_soon(code)
  sys.exit(code)


def parse(argv: list[str], arguments: int = 0) -> list[str]:
  """Parses flags; any error in them is one line and exit code 2.

  Args:
    argv: the command and its words.
    arguments: how many words may be no flags.

  Returns:
    The command and the words that are no flags.
  """
  try:
    command = command_line.read(argv)
    sys.argv = command.words  # ml_collections looks for fields there.
    rest = flags.FLAGS(command.words)
    if command.members:
      command_line.set_members(flags.FLAGS['config'].value, command.members)
  except SystemExit as end:  # absl calls --help a failure.
    raise SystemExit(0) from end
  except errors.UserError as error:
    _fail(error, error.exit_code)
  except (flags.Error, TypeError, ValueError, OSError) as error:
    _fail(error, errors.UserError.exit_code)
  except (RecursionError, MemoryError) as error:
    _fail(
      f'the flags cannot be read ({type(error).__name__}: {error})',
      errors.UserError.exit_code,
    )
  if len(rest) > 1 + arguments:
    word = rest[-1]
    mend = 'options start with "--"'
    if word.partition('=')[0] in flags.FLAGS:
      mend = f'write --{word}'
    _fail(f'unexpected argument "{word}"; {mend}', 2)
  return rest


def _log_to_stderr() -> None:
  """Logs lines of this package from INFO on, and errors of libraries."""
  absl_logging.set_verbosity(absl_logging.ERROR)
  ours = logging.getLogger('memae_jax')
  ours.handlers.clear()
  handler = logging.StreamHandler(sys.stderr)
  handler.setFormatter(logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S'))
  ours.addHandler(handler)
  ours.setLevel(logging.INFO)
  ours.propagate = False


def say(text: str) -> None:
  """Prints a result, once for all processes of a run."""
  if parallel.is_first():
    print(text, flush=True)


def quiet_unless_first() -> None:
  """Logs only errors in all processes of a run but the first."""
  if not parallel.is_first():
    logging.getLogger('memae_jax').setLevel(logging.ERROR)


def guarded(job: Callable[..., None], *words: str) -> None:
  """Runs a job; an error that a user can mend is one line and SystemExit.

  Args:
    job: to run.
    *words: its arguments.
  """
  _log_to_stderr()
  try:
    job(*words)
  except errors.UserError as error:
    _fail(error, error.exit_code)
  except KeyboardInterrupt:
    _fail('interrupted; run the same command to go on', 130)
  except Exception as error:
    if message := disk.line(error):
      _fail(message, 2)
    if isinstance(error, OSError) and error.errno is None:
      _fail(error, 2)  # The message of a library, such as ml_collections.
    if _OUT_OF_MEMORY not in str(error):
      _end_soon(1)
      raise
    _fail(
      f'out of device memory ({str(error).splitlines()[0][:200]}); lower'
      ' train.batch_size, eval.batch_size or the number of replicas',
      2,
    )


def _prepare_jax() -> None:
  """Sets up JAX: a CPU device per core, a cache of programs, fixed numerics.

  A fleet is spread over the CPU devices, as over GPUs and TPUs. The variables
  of JAX win: JAX_NUM_CPU_DEVICES=1 for one device,
  JAX_ENABLE_COMPILATION_CACHE=false or another JAX_COMPILATION_CACHE_DIR.
  """
  jax_settings.fix()
  if 'JAX_NUM_CPU_DEVICES' not in os.environ:
    # Without jit somebody debugs: arrays of one device are easier to read.
    is_compiled = not jax.config.jax_disable_jit
    jax.config.update('jax_num_cpu_devices', host.cores() if is_compiled else 1)
  if 'JAX_COMPILATION_CACHE_DIR' not in os.environ:
    root = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    jax.config.update(
      'jax_compilation_cache_dir', os.path.join(root, 'memae_jax', 'compiled')
    )


def main(job: Callable[..., None], arguments: int = 0) -> None:
  """Parses the flags, runs a job, and exits.

  Args:
    job: takes the words that are no flags.
    arguments: how many such words there may be.
  """
  streams.prepare()
  _log_to_stderr()
  _prepare_jax()
  disk.hush()
  app.run(
    lambda argv: guarded(job, *argv[1:]),
    flags_parser=lambda argv: parse(argv, arguments),
  )
