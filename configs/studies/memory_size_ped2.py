"""Memory size on UCSD Ped2: the paper's curve, at its full size.

python -m memae_jax.data.prepare ucsd_ped2 --manual_dir=FOLDER
python -m memae_jax.study --config=configs/studies/memory_size_ped2.py \
  --workdir=studies/ped2

In the paper's curve the AUROC hardly moves from N = 1,000 on. The full size
needs an accelerator. If the fleet of all sizes does not fit a device,
--max_replicas=2 makes smaller ones. Arguments: slots (joined by "+"), size
(pixels of a side), seeds, epochs, smoke.
"""

from memae_jax import config as config_lib
from memae_jax.studies import grid

AE = 0.9170
PUBLISHED = {  # Read off the paper's plot, to 0.0005; N = 2,000 from its table.
  500: 0.9255,
  1000: 0.9405,
  1500: 0.9401,
  2000: 0.9410,
  3000: 0.9409,
}


def get_study(arg=''):
  """Returns MemAE at the five sizes of the paper, and the autoencoder."""
  args = config_lib.parse_arg(
    arg,
    slots=(500, 1000, 1500, 2000, 3000),
    size=256,
    seeds=1,
    epochs=60.0,
    smoke={'slots': (5, 10), 'size': 32, 'epochs': 1.0},
  )
  base = (
    f'../ped2.py:variant=memae,size={args.size},seeds={args.seeds},'
    f'epochs={args.epochs}'
  )
  if args.smoke:
    base += ',smoke'
  return grid.Study(
    base=base,
    points=grid.chain(
      [{'slots': n, 'published': PUBLISHED.get(n)} for n in args.slots],
      grid.point(variant='ae', published=AE),
    ),
    metric='auroc_normalised',
  )
