"""Memory size on UCSD Ped2 by motion: small networks, and banks of cells.

python -m memae_jax.data.prepare ucsd_ped2 --manual_dir=FOLDER
python -m memae_jax.study --config=configs/studies/memory_size_motion.py \
  --workdir=runs/memory_size_motion

Minutes on a CPU. Banks are studied with --max_replicas=1 best, as small ones
are otherwise read as large ones. Arguments: variant and slots (joined by "+"),
seeds, epochs, smoke.
"""

from memae_jax import config as config_lib
from memae_jax.studies import grid


def get_study(arg=''):
  """Returns memories of eight sizes, and the autoencoder."""
  args = config_lib.parse_arg(
    arg,
    variant='memae+bank',
    slots=(10, 20, 50, 100, 200, 500, 1000, 2000),
    seeds=1,
    epochs=6.0,
    smoke={'slots': (5, 10), 'epochs': 1.0},
  )
  base = f'../ped2.py:recipe=motion,seeds={args.seeds},epochs={args.epochs}'
  return grid.Study(
    base=base + (',smoke' if args.smoke else ''),
    points=grid.chain(
      grid.product(
        grid.sweep('variant', args.variant.split('+')),
        grid.sweep('slots', args.slots),
      ),
      grid.point(variant='ae'),
    ),
    fields={'methods.bank.slots': 0},
    metric='auroc_normalised',
  )
