"""Generated videos: people walk; a cyclist or a cart passes (no download).

python -m memae_jax.main --config=configs/moving_shapes.py --workdir=runs/shapes

Arguments: size (pixels of a side), slots, seeds, variant (joined by "+"),
epochs, smoke.
"""

from memae_jax import config as config_lib


def get_config(arg=''):
  """A small video network, a minute or so on a laptop."""
  args = config_lib.parse_arg(
    arg,
    size=32,
    slots=200,
    seeds=1,
    variant='memae+nonspar+ae',
    epochs=5.0,
    smoke={'slots': 10, 'epochs': 1.0},
  )
  config = config_lib.default()
  config.name = 'moving_shapes'
  config.data.name = 'moving_shapes'
  config.data.image_size = args.size
  config.data.clip_stride = 2
  config.data.protocol = 'given'
  config.data.scaling = 'fixed'
  config.fleet.seeds = args.seeds
  config.fleet.variants = tuple(args.variant.split('+'))

  config.model.network = 'conv'
  config.model.widths = (16, 16, 32, 32)
  config.model.kernels = (3, 3, 3, 3)
  config.model.strides = (2, 2, 2, 2)
  config.model.time_strides = (1, 2, 2, 2)
  config.model.activation = 'leaky_relu'
  config.model.batch_norm = True
  config.model.memory.per_position = True
  config.model.memory.slots = args.slots
  config.model.memory.threshold = 1.0

  config.train.batch_size = 8
  config.train.epochs = args.epochs
  config.train.learning_rate = 1e-3
  config.eval.batch_size = 16
  if args.smoke:
    config.data.max_samples = 200
    config.model.widths = (4, 4, 4, 4)
    config.eval.bootstrap = 20
  return config
