"""One table and one page from several runs.

python -m memae_jax.compare runs/mnist runs/mnist_v1

The first setting of the first run is the reference, or the one that is named,
such as --reference=AE. The folder of a study stands for all its finished runs;
a run without results yet is named and left out. Writes compare.csv,
compare.json and compare.html beside the runs, here to
runs/comparison-mnist-mnist_v1, or to --output.
"""

import sys

from absl import flags

from memae_jax import cli
from memae_jax.comparison import differences, folders, page
from memae_jax.runtime import disk, errors, paths


def run(*words: str) -> None:
  """Compares the runs in the folders `words`."""
  options = flags.FLAGS
  if not words:
    raise errors.UserError('give one or more run directories')
  results = differences.compare(words, options.resamples, options.reference)
  print(page.text(results))
  folder = paths.local(options.output, '--output')
  if not options.output:
    folder = folders.place(results, words)
  with disk.chosen(folder, '--output'):
    written = page.write(results, folder)
  print(f'comparison: {written}')


if __name__ == '__main__':
  flags.DEFINE_string(
    'output', '', 'Folder to write to; default: one beside the runs.'
  )
  flags.DEFINE_string(
    'reference',
    '',
    'Setting that the others are compared with, as the table names it, or a'
    ' part of that; default: the first.',
  )
  flags.DEFINE_integer(
    'resamples',
    200,
    'Number of resamples of the paired bootstrap; 0: none.',
    lower_bound=0,
  )
  cli.main(run, arguments=sys.maxsize)
