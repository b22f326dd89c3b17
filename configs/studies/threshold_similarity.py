"""Shrinkage threshold (multiples of 1/N) against the kind of similarity.

python -m memae_jax.study \
  --config=configs/studies/threshold_similarity.py:base=mnist \
  --workdir=studies/threshold_mnist

The paper takes cosines and 1 to 3; its code takes inner products and, on video,
5, where nearly all reads are dead; most configs here take cosines over 0.1.
Each of these three is one fleet. Arguments: thresholds (joined by "+"), base
(digits, mnist, cifar10, kddcup99, ped2, moving_shapes), classes, seeds, seed
(the first), epochs, size (0: those of the base), smoke.
"""

from memae_jax import config as config_lib
from memae_jax.studies import bases, grid


def get_study(arg=''):
  """Returns each threshold with each of three similarities."""
  args = config_lib.parse_arg(
    arg,
    thresholds=(0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 5.0),
    smoke={'thresholds': (0.0, 0.5)},
    **bases.ARGUMENTS,
  )
  addressing = grid.zipit(
    grid.sweep('model.memory.similarity', ('cosine', 'cosine', 'dot')),
    grid.sweep('model.memory.temperature', (1.0, 0.1, 1.0)),
  )
  points = grid.product(
    grid.sweep('model.memory.threshold', args.thresholds), addressing
  )
  return bases.on(args, points)
