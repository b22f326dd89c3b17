"""Seeds and what they decide: one point for each seed and variant.

python -m memae_jax.study --config=configs/studies/seeds.py:base=digits \
  --workdir=studies/seeds

All seeds train in one fleet. Ask for more seeds later: those that are there
stay as they are. Arguments: seeds (0: ten), seed (the first), variant (joined
by "+"), base (digits, mnist, cifar10, kddcup99, ped2, moving_shapes), classes,
epochs, size (0: those of the base), smoke.
"""

from memae_jax import config as config_lib
from memae_jax.studies import bases, grid


def get_study(arg=''):
  """Returns each variant with each seed."""
  args = config_lib.parse_arg(
    arg, variant='memae+ae', smoke={'seeds': 2}, **bases.ARGUMENTS
  )
  seeds = args.seeds or 10
  points = grid.product(
    grid.sweep('variant', args.variant.split('+')),
    grid.sweep('train.seed', range(args.seed, args.seed + seeds)),
  )
  args.seeds, args.seed = 1, 0  # Each point has one seed, its own.
  return bases.on(args, points)
