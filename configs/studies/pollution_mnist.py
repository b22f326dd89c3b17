"""Dirty training data on MNIST, and what a bank does about them.

python -m memae_jax.data.prepare mnist
python -m memae_jax.study --config=configs/studies/pollution_mnist.py \
  --workdir=studies/pollution

A bank of all samples (five neighbours) and one of 100 centres, on clean data,
on dirty data, and with outliers dropped at the stated share, slots weighted by
their outlier factors, or both, by several numbers of neighbours. Beside those
that are asked for, one is half as many again as the share of all features.
Arguments: share, kinds and densities (joined by "+"), classes, seeds, seed (the
first), smoke.
"""

from memae_jax import config as config_lib
from memae_jax.studies import grid


def get_study(arg=''):
  """Returns both banks on clean data, and with each remedy on dirty data."""
  args = config_lib.parse_arg(
    arg,
    share=0.1,
    kinds=('mixed', 'one_class'),
    densities=(6.0, 60.0, 200.0),
    classes=10,
    seeds=1,
    seed=1,
    smoke={'kinds': ('mixed',), 'densities': (0.15,), 'classes': 1},
  )
  dirty = grid.product(
    grid.point(**{'data.pollution': args.share}),
    grid.sweep('data.pollution_kind', args.kinds),
  )
  densities = dict.fromkeys((*args.densities, round(1.5 * args.share, 4)))
  remedies = grid.zipit(
    grid.sweep('methods.bank.dropped', (args.share, 0.0, args.share)),
    grid.sweep('methods.bank.weighted', (False, True, True)),
  )
  by_density = grid.sweep('methods.bank.density', densities)
  memories = grid.zipit(
    grid.sweep('slots', (5000, 100)),
    grid.sweep('methods.bank.neighbours', (5, 1)),
  )
  treated = grid.product(dirty, remedies, by_density)
  return grid.Study(
    base='../mnist.py:variant=bank' + (',smoke' if args.smoke else ''),
    points=grid.product(memories, grid.chain(grid.point(), dirty, treated)),
    fields={
      'fleet.normal_classes': tuple(range(args.classes)),
      'fleet.seeds': args.seeds,
      'train.seed': args.seed,
      'eval.pseudo': False,
      'eval.baselines': (),
    },
  )
