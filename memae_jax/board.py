"""One page of all runs in a folder, in whatever state they are.

python -m memae_jax.board runs

Writes runs/board.html, or --to: a row for each run, study and verdict of
`memae_jax.referee` in the folder, however deep, with its state, progress,
result and best rival. It only reads the runs, also while they train; a folder
that is damaged is a row that says so.
"""

from absl import flags

from memae_jax import cli
from memae_jax.comparison import board
from memae_jax.runtime import errors, paths


def run(*words: str) -> None:
  """Writes the board of the folder `words[0]`."""
  if not words:
    raise errors.UserError('give a folder that holds runs')
  to = flags.FLAGS.to and paths.local(flags.FLAGS.to, '--to')
  root = paths.local(words[0], 'the folder of runs')
  print(f'board: {board.write(root, to or None)}')


if __name__ == '__main__':
  flags.DEFINE_string('to', '', 'File to write; default: board.html in there.')
  cli.main(run, arguments=1)
