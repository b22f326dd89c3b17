"""Runs a job so that what a user can mend ends as one line and a code."""

import errno
import logging
import os
import pathlib
import sys
import threading
from collections.abc import Callable

import jax
from absl import app, flags
from absl import logging as absl_logging

from memae_jax import config as config_lib
from memae_jax import errors, host, parallel, stored_config

_OUT_OF_MEMORY = 'RESOURCE_EXHAUSTED'
_PATIENCE = 30.0  # Seconds that a failed process waits for those it ran with.


def _end_soon(code: int) -> None:
  """Lets a process that failed wait for the others of its run, but not long.

  At its exit JAX would wait for five minutes, while they wait for it.
  """
  if jax.distributed.is_initialized():
    sys.stdout.flush()
    timer = threading.Timer(_PATIENCE, os._exit, [code])
    timer.daemon = True
    timer.start()


def _fail(message: object, code: int) -> None:
  text = ' '.join(str(message).split())
  print(f'error: {text}', file=sys.stderr, flush=True)
  _end_soon(code)
  sys.exit(code)


def parse(argv: list[str], arguments: int = 0) -> list[str]:
  """Parses flags; whatever is wrong with them is one line and exit code 2.

  Returns:
    The command and at most `arguments` words that are no flags.
  """
  try:
    _check_config(argv[1:])
    rest = flags.FLAGS(stored_config.added(argv))
  except errors.UserError as error:
    _fail(error, error.exit_code)
  except (AttributeError, KeyError) as error:  # Of an unknown config field.
    _fail(f'config field {error.args[0]}', errors.UserError.exit_code)
  except (flags.Error, TypeError, ValueError, OSError) as error:
    _fail(error, errors.UserError.exit_code)
  except Exception as error:  # Whatever a config file does.
    _fail(
      f'{type(error).__name__} in the config file: {error}',
      errors.UserError.exit_code,
    )
  if len(rest) > 1 + arguments:
    _fail(f'unexpected argument "{rest[-1]}"; options start with "--"', 2)
  return rest


def _check_config(words: list[str]) -> None:
  """Ends if --config names no file, or --config.FIELD no field."""
  for word, after in zip(words, [*words[1:], '']):
    flag, equals, value = word.partition('=')
    if flag == '--config':
      config_lib.existing_file(value if equals else after, pathlib.Path())
    elif flag.startswith('--config.'):
      config_lib.check_field(flag.removeprefix('--config.').partition('[')[0])


def _log_to_stderr() -> None:
  """Our own lines from INFO on; of the libraries, only errors."""
  absl_logging.set_verbosity(absl_logging.ERROR)
  ours = logging.getLogger('memae_jax')
  ours.handlers.clear()
  handler = logging.StreamHandler(sys.stderr)
  handler.setFormatter(logging.Formatter('%(asctime)s %(message)s', '%H:%M:%S'))
  ours.addHandler(handler)
  ours.setLevel(logging.INFO)
  ours.propagate = False


def say(text: str) -> None:
  """Prints a result, once."""
  if parallel.is_first():
    print(text, flush=True)


def quiet_unless_first() -> None:
  """Of several processes, only the first logs what is no error."""
  if not parallel.is_first():
    logging.getLogger('memae_jax').setLevel(logging.ERROR)


def guarded(job: Callable[..., None], *words: str) -> None:
  """Runs `job`; what a user can mend ends as one line and SystemExit."""
  _log_to_stderr()
  try:
    job(*words)
  except errors.UserError as error:
    _fail(error, error.exit_code)
  except KeyboardInterrupt:
    _fail('interrupted; run the same command to go on', 130)
  except OSError as error:
    if error.errno is None:  # A library's own words, such as ml_collections'.
      _fail(error, 2)
    where = f'{error.filename}: ' if error.filename else ''
    mend = {
      errno.ENOSPC: '; free some space and run the same command again',
      errno.EACCES: '; choose a folder that you may write',
      errno.EROFS: '; choose a folder that you may write',
    }.get(error.errno, '')
    _fail(f'{where}{os.strerror(error.errno)}{mend}', 2)
  except Exception as error:
    if _OUT_OF_MEMORY not in str(error):
      _end_soon(1)
      raise
    _fail(
      f'out of device memory ({str(error).splitlines()[0][:200]}); lower'
      ' train.batch_size, eval.batch_size or the number of replicas',
      2,
    )


def _prepare_jax() -> None:
  """One CPU device a core, and compiled programs kept between runs.

  A fleet is spread over the CPU devices, as over GPUs and TPUs. JAX's own
  variables win: JAX_NUM_CPU_DEVICES=1 for one device,
  JAX_ENABLE_COMPILATION_CACHE=false or another JAX_COMPILATION_CACHE_DIR.
  """
  if 'JAX_NUM_CPU_DEVICES' not in os.environ:
    jax.config.update('jax_num_cpu_devices', host.cores())
  if 'JAX_COMPILATION_CACHE_DIR' not in os.environ:
    root = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
    jax.config.update(
      'jax_compilation_cache_dir', os.path.join(root, 'memae_jax', 'compiled')
    )


def main(job: Callable[..., None], arguments: int = 0) -> None:
  """Parses the flags, runs `job` on the words that are no flags, exits."""
  _prepare_jax()
  app.run(
    lambda argv: guarded(job, *argv[1:]),
    flags_parser=lambda argv: parse(argv, arguments),
  )
