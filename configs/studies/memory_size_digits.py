"""Memory size on handwritten digits: minutes on a CPU, no download.

python -m memae_jax.study --config=configs/studies/memory_size_digits.py \
  --workdir=runs/sizes

Arguments: slots (joined by "+"), classes, seeds, epochs, smoke.
"""

from memae_jax import config as config_lib
from memae_jax.studies import grid


def get_study(arg=''):
  """Returns MemAE at nine sizes, and the autoencoder without a memory."""
  args = config_lib.parse_arg(
    arg,
    slots=(2, 3, 5, 10, 20, 50, 100, 200, 500),
    classes=10,
    seeds=3,
    epochs=300.0,
    smoke={'slots': (2, 3), 'classes': 2, 'seeds': 1, 'epochs': 1.0},
  )
  fields = {
    'fleet.normal_classes': tuple(range(args.classes)),
    'fleet.seeds': args.seeds,
    'train.epochs': args.epochs,
  }
  if args.smoke:
    fields['eval.pseudo'] = False
  return grid.Study(
    base='../digits.py:variant=memae' + (',smoke' if args.smoke else ''),
    points=grid.chain(
      grid.sweep('model.memory.slots', args.slots), grid.point(variant='ae')
    ),
    fields=fields,
  )
