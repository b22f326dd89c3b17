"""Commands as they are read."""

from absl import flags

from memae_jax import cli
from memae_jax.config import command_line, config_file

DIGITS = 'configs/digits.py:smoke'
EVAL = ['--mode=eval', '--workdir=r', '--steps=all']


def read(*argv):
  """The flags of a command, without the one of our own file."""
  found = command_line.read(['main', *argv])
  ours = f'--config={config_file.__file__}:'
  return [word.replace(ours, '--config=') for word in found.words[1:]]


def parsed(*argv):
  """The config that a command means, or the line that refuses it."""
  flags.FLAGS.unparse_flags()
  for name in [n for n in flags.FLAGS if n.startswith('config.')]:
    delattr(flags.FLAGS, name)
  for name in ('config', 'workdir', 'mode', 'watch'):
    flags.FLAGS[name].unparse()
  try:
    cli.parse(['main', *argv])
    return flags.FLAGS.config
  finally:
    flags.FLAGS.mark_as_parsed()
