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
  """MemAE at seven sizes, and the autoencoder."""
  args = config_lib.parse_arg(
    arg,
    slots=(10, 25, 50, 100, 200, 500, 1000),
    classes=10,
    seeds=2,
    epochs=30.0,
    smoke=False,
  )
  base, slots = '../mnist.py:variant=memae', args.slots
  fields = {
    'fleet.normal_classes': tuple(range(args.classes)),
    'fleet.seeds': args.seeds,
    'train.epochs': args.epochs,
  }
  if args.smoke:
    base, slots, fields = f'{base},smoke', slots[:2], {}
  return grid.Study(
    base=base,
    points=grid.chain(
      grid.sweep('model.memory.slots', slots), grid.point(variant='ae')
    ),
    fields=fields,
  )
