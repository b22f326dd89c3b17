"""Generated videos: people walk; a cyclist or a cart passes (no download).

python -m memae_jax.main --config=configs/moving_shapes.py --workdir=runs/shapes

Arguments: size (pixels of a side), task (reconstruct; predict: the fifth frame
from four, see docs/motion.md), slots, seeds, variant (joined by "+"), epochs,
smoke.
"""

from memae_jax import config as config_lib
from memae_jax.config import presets


def get_config(arg=''):
  """Trains a small video network, a minute or so on a laptop."""
  args = config_lib.parse_arg(
    arg,
    size=32,
    task='reconstruct',
    slots=200,
    seeds=1,
    variant='memae+nonspar+ae',
    epochs=5.0,
    smoke={'slots': 10, 'epochs': 1.0},
  )
  config = presets.experiment('moving_shapes', args)
  config.data.image_size = args.size
  config.data.clip_stride = 2
  config.data.protocol = 'given'
  config.data.scaling = 'fixed'

  widths = (4, 4, 4, 4) if args.smoke else (16, 16, 32, 32)
  presets.video_network(config, widths)
  presets.task(config, args.task)
  config.model.memory.threshold = 1.0

  config.train.batch_size = 8
  config.train.learning_rate = 1e-3
  config.eval.batch_size = 16
  if args.smoke:
    config.data.max_samples = 200
  return config
