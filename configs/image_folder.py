"""A user's own folder of pictures, laid out like MVTec AD.

python -m memae_jax.main --workdir=runs/mine \
  --config=configs/image_folder.py:path=screw,size=128

The folder holds train/good (normal pictures), test/good and test/KIND (one
folder for each kind of anomaly) and, if there are masks, ground_truth/KIND
with 000_mask.png for 000.png.

Arguments: path, size (pictures are resized to squares of this many pixels; 0:
as they are), colour (auto, grey, rgb), slots (0: 500, with a bank 3,276),
epochs, seeds, variant (joined by "+"), features of bank, dictionary and
feature_memae (patches of pixels, or lite0: a network trained on ImageNet),
smoke. Anything else is set by --config.data.FIELD=...; the fields stand in
memae_jax/config/data_fields.py.
"""

from memae_jax import config as config_lib
from memae_jax.config import presets


def get_config(arg=''):
  """Trains three seeds of three variants, with a query at each position."""
  args = config_lib.parse_arg(
    arg,
    path='',
    size=128,
    colour='auto',
    slots=0,
    epochs=50.0,
    seeds=3,
    variant='memae+nonspar+ae',
    features='patches',
    smoke={'size': 32, 'seeds': 1, 'slots': 10, 'epochs': 2.0},
  )
  is_bank = 'bank' in args.variant
  args.slots = args.slots or (3276 if is_bank else 500)
  config = presets.experiment('image_folder', args)
  presets.bank_of_maps(config, args.features)
  config.data.path = args.path
  config.data.image_size = args.size
  config.data.colour = args.colour
  config.data.protocol = 'given'
  config.data.scaling = 'fixed'

  widths = (8, 8, 8, 8) if args.smoke else (32, 64, 128, 128)
  presets.picture_network(config, widths)
  presets.sharp_memory(config)
  config.model.memory.threshold = 1.0

  config.train.batch_size = 16
  config.train.learning_rate = 1e-3
  config.eval.batch_size = 32
  return config
