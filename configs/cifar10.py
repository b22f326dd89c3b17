"""CIFAR-10, one class normal at a time: Table 1 of the paper.

python -m memae_jax.data.prepare cifar10
python -m memae_jax.main --config=configs/cifar10.py --workdir=runs/cifar10

Ten classes, three seeds and three variants train in one fleet. Each image is
scaled by its own contrast, and the threshold is 3/N, the upper end of what the
paper recommends: with these, MemAE separates pseudo-anomalies of the validation
normals best (on MNIST with --config.data.scaling=fixed and 1/N). Arguments
after a colon: classes (how many of the ten), seeds, variant (memae, nonspar,
ae, ae_l1, dae, vae; joined by "+"), slots, epochs, smoke, and

  features  of a bank: contrast_unit (default), raw, or lite0: a network trained
            on ImageNet, whose labels hold most of these classes
  protocol  one_class (default; the paper: a class is split 2:1, anomalies are
            30 % of the test set) or official (the official training images of
            a class; all 10,000 test images)
"""

from memae_jax import config as config_lib
from memae_jax.config import presets


def get_config(arg=''):
  """Trains the paper's networks, with seeds that the paper does not have."""
  args = config_lib.parse_arg(
    arg,
    classes=10,
    seeds=3,
    variant='memae+nonspar+ae',
    slots=500,
    epochs=10.0,
    protocol='one_class',
    features='contrast_unit',
    smoke={'classes': 2, 'seeds': 1, 'slots': 10, 'epochs': 1.0},
  )
  config = presets.experiment('cifar10', args)
  presets.one_class_images(config, args)
  presets.conv_network(config, widths=(64, 128, 128, 256))
  presets.sharp_memory(config)
  config.data.scaling = 'contrast'
  config.methods.bank.features = args.features
  if args.features == 'lite0':  # It takes pictures as they are.
    config.data.scaling = 'fixed'
  config.eval.score = 'contrast_unit'  # Suggested by trials on seed 0.
  config.model.memory.threshold = 3.0
  return config
