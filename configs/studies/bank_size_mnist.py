"""Size of banks on MNIST: ten classes, three seeds, N from 10 to all images.

python -m memae_jax.data.prepare mnist
python -m memae_jax.study --config=configs/studies/bank_size_mnist.py \
  --max_replicas=90 --workdir=runs/bank_sizes_mnist

Slots are centres of k-means, or images drawn at random; of 5,000 there are as
many as training images. Sizes share a fleet, in which each has room for the
largest one: --max_replicas keeps it within some gigabytes. Arguments: slots and
select (joined by "+"), classes, seeds, smoke.
"""

from memae_jax import config as config_lib
from memae_jax.studies import grid


def get_study(arg=''):
  """Returns banks of seven sizes, chosen in two ways."""
  args = config_lib.parse_arg(
    arg,
    slots=(10, 30, 100, 300, 1000, 3000, 5000),
    select='k_means+random',
    classes=10,
    seeds=3,
    smoke={'slots': (10, 25), 'classes': 2, 'seeds': 1},
  )
  return grid.Study(
    base='../mnist.py:variant=bank' + (',smoke' if args.smoke else ''),
    points=grid.product(
      grid.sweep('methods.bank.select', args.select.split('+')),
      grid.sweep('model.memory.slots', args.slots),
    ),
    fields={
      'fleet.normal_classes': tuple(range(args.classes)),
      'fleet.seeds': args.seeds,
      'train.seed': 1,  # Features were chosen by trials on seed 0.
      'eval.baselines': (),
      'eval.pseudo': False,
    },
  )
