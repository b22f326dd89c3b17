"""Memory size on MNIST: ten classes, two seeds, N from 10 to 1,000.

python -m memae_jax.data.prepare mnist
python -m memae_jax.study --config=configs/studies/memory_size_mnist.py \
  --workdir=studies/mnist

All sizes train in one fleet, beside the autoencoder without a memory.
Arguments: slots (joined by "+"), classes, seeds, epochs, smoke.
"""

from memae_jax import config as config_lib
from memae_jax.studies import grid


def get_study(arg=''):
  """Returns MemAE at seven sizes, and the autoencoder."""
  args = config_lib.parse_arg(
    arg,
    slots=(10, 25, 50, 100, 200, 500, 1000),
    classes=10,
    seeds=2,
    epochs=30.0,
    smoke={'slots': (10, 25), 'classes': 2, 'seeds': 1, 'epochs': 2.0},
  )
  return grid.Study(
    base='../mnist.py:variant=memae' + (',smoke' if args.smoke else ''),
    points=grid.chain(
      grid.sweep('model.memory.slots', args.slots), grid.point(variant='ae')
    ),
    fields={
      'fleet.normal_classes': tuple(range(args.classes)),
      'fleet.seeds': args.seeds,
      'train.epochs': args.epochs,
    },
  )
