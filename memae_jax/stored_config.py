"""The config of a run as a config file, `--config=stored_config.py:RUN`.

What a run in --workdir is evaluated, resumed or trained longer by where no
other config is given, so that single fields can be overridden.
"""

import argparse
import pathlib
import sys
import time

import ml_collections
from absl import flags

from memae_jax import config as config_lib
from memae_jax import errors


def get_config(arg: str) -> ml_collections.ConfigDict:
  """Returns the config that the run in folder `arg` was trained by.

  Raises:
    UserError: there is none, or it cannot be read.
  """
  path = pathlib.Path(arg).expanduser() / 'config.json'
  return ml_collections.ConfigDict(config_lib.load(path).to_dict())


def added(argv: list[str]) -> list[str]:
  """Adds this file to a command on a run that names no config."""
  parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
  for name in ('--mode', '--workdir', '--config'):
    parser.add_argument(name)
  parser.add_argument('--watch', nargs='?', const='true', default='false')
  given, _ = parser.parse_known_args(argv[1:])
  if given.config or not given.workdir or 'mode' not in flags.FLAGS:
    return argv
  path = pathlib.Path(given.workdir).expanduser() / 'config.json'
  if given.mode != 'eval' and not path.exists():
    if any(word.startswith('--config.') for word in argv):
      raise errors.UserError(
        f'{path} does not exist; give --config, or the folder of a run'
      )
    return argv
  watch = given.watch.lower() in ('true', 't', '1', 'y', 'yes')
  if watch and not path.exists():  # The training is yet to start.
    print(f'waiting for {path}', file=sys.stderr, flush=True)
    while not path.exists():
      time.sleep(1)
  return [argv[0], f'--config={__file__}:{given.workdir}', *argv[1:]]
