"""UCSD Ped2: the video network of the paper, Table 2, at its full size.

python -m memae_jax.data.prepare ucsd_ped2 --manual_dir=FOLDER
python -m memae_jax.main --config=configs/ped2.py --workdir=runs/ped2

Arguments: size (pixels of a side, divisible by 16), slots, seeds, variant
(joined by "+"), epochs, data (ucsd_ped2, cuhk_avenue or shanghaitech), smoke,
and released: the memory as in the released code, with inner products without a
temperature, slots from random numbers, and a shrinkage threshold of 0.0025,
which is 5/N for 2,000 slots and leaves most reads dead.
"""

from memae_jax import config as config_lib
from memae_jax.config import presets
from memae_jax.runtime import errors

_SETS = ('ucsd_ped2', 'cuhk_avenue', 'shanghaitech')


def get_config(arg=''):
  """Trains three variants at 256 pixels, 16 frames and 2,000 slots."""
  args = config_lib.parse_arg(
    arg,
    size=256,
    slots=2000,
    seeds=1,
    variant='memae+nonspar+ae',
    epochs=60.0,
    released=False,
    data='ucsd_ped2',
    smoke={'size': 32, 'slots': 10, 'epochs': 1.0},
  )
  if args.data not in _SETS:
    raise errors.UserError(
      f'config argument "data" is "{args.data}"; use {", ".join(_SETS)}'
    )
  config = presets.experiment(args.data.split('_')[-1], args)  # Such as ped2.
  config.paper = config.name
  config.data.name = args.data
  config.data.image_size = args.size
  config.data.protocol = 'given'
  config.data.scaling = 'fixed'

  widths = (8, 8, 8, 8) if args.smoke else (96, 128, 256, 256)
  presets.video_network(config, widths)
  if args.released:
    config.model.memory.similarity = 'dot'
    config.model.memory.threshold = 0.0025 * args.slots
  else:
    presets.sharp_memory(config)
    config.model.memory.threshold = 1.0
  config.train.batch_size = 10
  config.train.learning_rate = 1e-4
  config.eval.batch_size = 8
  if args.smoke:
    config.data.max_samples = 200
  return config
