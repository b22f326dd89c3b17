"""The ablation of Table 4: which parts of MemAE earn their keep.

python -m memae_jax.study --config=configs/studies/ablation.py:base=kddcup99 \
  --workdir=studies/ablation_kddcup99
python -m memae_jax.compare studies/ablation_kddcup99 --reference=AE

AE, AE-L1 (penalty on the code), the memory without shrinkage, without entropy
loss, without either, and all of it train with the same seeds and splits, in one
fleet. The second command adds paired differences. Arguments: base (digits,
mnist, cifar10, kddcup99, ped2, moving_shapes), classes, seeds, seed (the
first), epochs, size (0: those of the base), smoke.
"""

from memae_jax import config as config_lib
from memae_jax.studies import bases, grid

PED2 = (0.9170, 0.9286, 0.9324, 0.9372, 0.9293, 0.9410)


def get_study(arg=''):
  """Returns six points, in the order of the paper's table but for the fifth."""
  args = config_lib.parse_arg(arg, **bases.ARGUMENTS)
  points = grid.chain(
    grid.point(label='AE', variant='ae'),
    grid.point(label='AE-L1', variant='ae_l1'),
    grid.point(label='MemAE without shrinkage', threshold=0.0),
    grid.point(label='MemAE without entropy loss', alpha=0.0),
    grid.point(
      label='MemAE without either (nonSpar)', threshold=0.0, alpha=0.0
    ),
    grid.point(label='MemAE'),
  )
  if args.base == 'ped2':
    points = grid.zipit(points, grid.sweep('published', PED2))
  return bases.on(args, points)
