"""A user's own folder of pictures, laid out like MVTec AD.

python -m memae_jax.main --workdir=runs/mine \
  --config=configs/image_folder.py:path=screw,size=128

The folder holds train/good (normal pictures), test/good and test/KIND (one
folder for each kind of anomaly) and, if there are masks, ground_truth/KIND
with 000_mask.png for 000.png.

Arguments: path, size (pictures are resized to squares of this many pixels; 0:
as they are), colour (auto, grey, rgb), slots, epochs, seeds, variant (joined by
"+"), smoke. Anything else by --config.data.FIELD=...: see `data` in
memae_jax/config.py.
"""

from memae_jax import config as config_lib


def get_config(arg=''):
  """Three seeds of three variants, with a memory read at each position."""
  args = config_lib.parse_arg(
    arg,
    path='',
    size=128,
    colour='auto',
    slots=500,
    epochs=50.0,
    seeds=3,
    variant='memae+nonspar+ae',
    smoke={'size': 32, 'seeds': 1, 'slots': 10, 'epochs': 2.0},
  )
  config = config_lib.default()
  config.name = 'image_folder'
  config.data.name = 'image_folder'
  config.data.path = args.path
  config.data.image_size = args.size
  config.data.colour = args.colour
  config.data.protocol = 'given'
  config.data.scaling = 'fixed'
  config.fleet.seeds = args.seeds
  config.fleet.variants = tuple(args.variant.split('+'))

  config.model.network = 'conv'
  config.model.widths = (32, 64, 128, 128)
  config.model.kernels = (3, 3, 3, 3)
  config.model.strides = (2, 2, 2, 2)
  config.model.activation = 'leaky_relu'
  config.model.batch_norm = True
  config.model.memory.per_position = True
  config.model.memory.slots = args.slots
  config.model.memory.threshold = 1.0
  config.model.memory.temperature = 0.1
  config.model.memory.init = 'encodings'

  config.train.batch_size = 16
  config.train.epochs = args.epochs
  config.train.learning_rate = 1e-3
  config.eval.batch_size = 32
  if args.smoke:
    config.model.widths = (8, 8, 8, 8)
    config.eval.bootstrap = 20
  return config
