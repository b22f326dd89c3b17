"""Handwritten digits, 8x8, one class normal at a time (no download).

python -m memae_jax.main --config=configs/digits.py --workdir=runs/digits

Arguments: classes (how many of the ten), seeds, variant (memae, nonspar, ae,
or several joined by "+"), slots, epochs, smoke, and preset: keras_dense,
keras_conv or keras_denoise, an autoencoder of the Keras tutorial as in
configs/mnist.py. For 8x8 pixels its code has 8 units instead of 32, as that of
keras_conv has here (1x1x8); batches and epochs stay those of this file.
"""

from memae_jax import config as config_lib
from memae_jax.config import presets


def get_config(arg=''):
  """Trains all ten classes, for the three variants, in one fleet."""
  args = config_lib.parse_arg(
    arg,
    classes=10,
    seeds=1,
    variant='',
    slots=50,
    epochs=300.0,
    preset='',
    smoke={'classes': 2, 'epochs': 2.0},
  )
  usual = presets.TUTORIALS.get(args.preset, ('memae+nonspar+ae',))
  args.variant = args.variant or usual[0]
  config = presets.experiment('digits', args)
  config.data.protocol = 'one_class'
  config.data.scaling = 'fixed'
  config.fleet.normal_classes = tuple(range(args.classes))

  if args.preset:
    presets.tutorial(config, args.preset, code=8)
  else:
    config.model.widths = (64, 32)
    config.model.code = 16
    config.model.activation = 'leaky_relu'
  config.model.memory.threshold = 1.0

  config.train.batch_size = 32
  config.train.learning_rate = 1e-3
  return config
