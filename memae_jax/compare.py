"""One table and one page from several runs.

python -m memae_jax.compare runs/mnist runs/mnist_v1 --output=comparison

The first setting of the first run is the reference, or --reference=AE, say. A
study's folder stands for all its finished runs. Writes compare.csv,
compare.json and compare.html.
"""

import sys

from absl import flags

from memae_jax import cli, errors, paths
from memae_jax.studies import comparison


def run(*words: str) -> None:
  """Compares the runs in the folders."""
  options = flags.FLAGS
  if not words:
    raise errors.UserError('give one or more run directories')
  found = comparison.compare(words, options.resamples, options.reference)
  page = comparison.write(found, paths.local(options.output, '--output'))
  print(comparison.text(found))
  print(f'comparison: {page}')


if __name__ == '__main__':
  flags.DEFINE_string('output', 'comparison', 'Folder to write to.')
  flags.DEFINE_string(
    'reference',
    '',
    'Setting that the others are compared with, as the table names it, or a'
    ' part of that; default: the first.',
  )
  flags.DEFINE_integer(
    'resamples', 200, 'Of the paired bootstrap; 0: none.', lower_bound=0
  )
  cli.main(run, arguments=sys.maxsize)
