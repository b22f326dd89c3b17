"""Memory size on UCSD Ped2: the paper's curve at its full size, or of motion.

python -m memae_jax.data.prepare ucsd_ped2 --manual_dir=FOLDER
python -m memae_jax.study --config=configs/studies/memory_size_ped2.py \
  --workdir=studies/ped2

In the paper's curve the AUROC hardly moves from N = 1,000 on. The full size
needs an accelerator. If the fleet of all sizes does not fit a device,
--max_replicas=2 makes smaller ones. With recipe=motion it is one of small
networks that see how fast cells move, and of banks of such cells: minutes on a
CPU. Arguments: recipe (paper or motion), slots (joined by "+"), size (pixels of
a side, or rows of cells), seeds, epochs, smoke.
"""

from memae_jax import config as config_lib
from memae_jax.config import presets
from memae_jax.studies import grid

AE = 0.9170
PUBLISHED = {  # Read off the paper's plot, to 0.0005; N = 2,000 from its table.
  500: 0.9255,
  1000: 0.9405,
  1500: 0.9401,
  2000: 0.9410,
  3000: 0.9409,
}
_SIZES = {
  'paper': {'slots': tuple(PUBLISHED), 'size': 256, 'epochs': 60.0},
  'motion': {
    'slots': (10, 20, 50, 100, 200, 500, 1000, 2000),
    'size': 64,
    'epochs': 6.0,
  },
}


def get_study(arg=''):
  """Returns MemAE, in motion banks too, at all sizes, and the autoencoder."""
  recipe = 'motion' if 'recipe=motion' in (arg or '').split(',') else 'paper'
  args = config_lib.parse_arg(
    arg,
    **_SIZES[recipe],
    recipe=recipe,
    seeds=1,
    smoke={'slots': (5, 10), 'size': 32, 'epochs': 1.0},
  )
  presets.one_of('recipe', args.recipe, _SIZES)
  base = (
    f'../ped2.py:recipe={args.recipe},variant=memae,size={args.size},'
    f'seeds={args.seeds},epochs={args.epochs}'
  )
  if args.smoke:
    base += ',smoke'
  return grid.Study(
    base=base,
    points=grid.chain(
      [{'slots': n, 'published': PUBLISHED.get(n)} for n in args.slots],
      grid.point(variant='ae', published=AE),
    )
    if recipe == 'paper'
    else grid.chain(
      grid.product(
        grid.sweep('variant', ('memae', 'bank')),
        grid.sweep('slots', args.slots),
      ),
      grid.point(variant='ae'),
    ),
    fields={'methods.bank.slots': 0} if recipe == 'motion' else {},
    metric='auroc_normalised',
  )
