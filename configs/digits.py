"""Handwritten digits, 8x8, one class normal at a time (no download).

python -m memae_jax.main --config=configs/digits.py --workdir=runs/digits

Arguments: classes (how many of the ten), seeds, variant (memae, nonspar, ae,
or several joined by "+"), slots, epochs, smoke.
"""

from memae_jax import config as config_lib
from memae_jax.config import presets


def get_config(arg=''):
  """Trains all ten classes, for the three variants, in one fleet."""
  args = config_lib.parse_arg(
    arg,
    classes=10,
    seeds=1,
    variant='memae+nonspar+ae',
    slots=50,
    epochs=300.0,
    smoke={'classes': 2, 'epochs': 2.0},
  )
  config = presets.experiment('digits', args)
  config.data.protocol = 'one_class'
  config.data.scaling = 'fixed'
  config.fleet.normal_classes = tuple(range(args.classes))

  config.model.widths = (64, 32)
  config.model.code = 16
  config.model.activation = 'leaky_relu'
  config.model.memory.threshold = 1.0

  config.train.batch_size = 32
  config.train.learning_rate = 1e-3
  return config
