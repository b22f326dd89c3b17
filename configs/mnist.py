"""MNIST, one digit normal at a time: Table 1 of the paper.

python -m memae_jax.data.prepare mnist
python -m memae_jax.main --config=configs/mnist.py --workdir=runs/mnist

Ten classes, three seeds and three variants train in one fleet, for 200 epochs:
up to 160 the pseudo-anomalies of the validation normals are told apart ever
better (30 epochs cost 0.01 of AUROC). Arguments after a colon: classes (how
many of the ten), seeds, variant (memae, nonspar, ae, ae_l1, dae, vae; joined by
"+"), slots, epochs, smoke, and

  network   v2 (default; ICCV: 32-16-8 channels) or v1 (arXiv: 16-32-64)
  protocol  one_class (default; the paper: a class is split 2:1, anomalies are
            30 % of the test set) or official (the official training images of
            a class; all 10,000 test images)
"""

from memae_jax import config as config_lib
from memae_jax.config import presets
from memae_jax.runtime import errors


def get_config(arg=''):
  """Trains the paper's networks, with seeds that the paper does not have."""
  args = config_lib.parse_arg(
    arg,
    classes=10,
    seeds=3,
    variant='memae+nonspar+ae',
    slots=100,
    epochs=200.0,
    network='v2',
    protocol='one_class',
    smoke={'classes': 2, 'seeds': 1, 'slots': 10, 'epochs': 2.0},
  )
  config = presets.experiment('mnist', args)
  presets.one_class_images(config, args)
  presets.sharp_memory(config)
  config.data.scaling = 'fixed'
  config.model.memory.threshold = 1.0
  if args.network == 'v2':
    presets.conv_network(config, widths=(32, 16, 8))
    config.model.kernels = (3, 3, 3)
    config.model.strides = (2, 2, 3)
  elif args.network == 'v1':
    presets.conv_network(config, widths=(16, 32, 64))
    config.model.kernels = (1, 3, 3)
    config.model.strides = (2, 2, 2)
    config.model.decoder_widths = (64, 32)
    config.model.decoder_kernels = (3, 3, 3)
  else:
    raise errors.UserError(
      f'config argument "network" is "{args.network}"; use v1 or v2'
    )
  return config
