"""Memory size on KDDCUP99 10 %: N from 5 to 500.

python -m memae_jax.data.prepare kddcup99
python -m memae_jax.study --config=configs/studies/memory_size_kddcup99.py \
  --workdir=studies/kddcup99

All sizes train in one fleet, beside the autoencoder without a memory. The paper
has N = 50 and twenty runs. Arguments: slots (joined by "+"), seeds, recipe (see
configs/kddcup99.py), epochs (0: the recipe's), smoke.
"""

from memae_jax import config as config_lib
from memae_jax.studies import grid


def get_study(arg=''):
  """Returns MemAE at seven sizes, and the autoencoder."""
  args = config_lib.parse_arg(
    arg,
    slots=(5, 10, 20, 50, 100, 200, 500),
    seeds=5,
    recipe='robust',
    epochs=0.0,
    smoke={'slots': (5, 10), 'seeds': 2},
  )
  base = f'../kddcup99.py:variant=memae,seeds={args.seeds},recipe={args.recipe}'
  if args.epochs:
    base += f',epochs={args.epochs}'
  if args.smoke:
    base += ',smoke'
  return grid.Study(
    base=base,
    points=grid.chain(
      grid.sweep('model.memory.slots', args.slots), grid.point(variant='ae')
    ),
    metric='f1_at_ratio',
  )
