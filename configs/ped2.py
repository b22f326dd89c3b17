"""UCSD Ped2: the video network of the paper, Table 2, at its full size.

python -m memae_jax.data.prepare ucsd_ped2 --manual_dir=FOLDER
python -m memae_jax.main --config=configs/ped2.py --workdir=runs/ped2

The released code takes dot products instead of cosines, slots that start as
random numbers, and a shrinkage threshold of 5/N, where most reads are dead.

Arguments: size (pixels of a side, divisible by 16), slots, seeds, variant
(joined by "+"), epochs, released (the memory as in the released code: inner
products without a temperature, lambda 0.0025, slots from random numbers), data
(ucsd_ped2, cuhk_avenue or shanghaitech), smoke.
"""

from memae_jax import config as config_lib
from memae_jax.runtime import errors

_SETS = {
  'ucsd_ped2': 'ped2',
  'cuhk_avenue': 'avenue',
  'shanghaitech': 'shanghaitech',
}


def get_config(arg=''):
  """256 pixels, clips of 16 frames, 2,000 slots: MemAE and both ablations."""
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
  config = config_lib.default()
  if args.data not in _SETS:
    raise errors.UserError(
      f'config argument "data" is "{args.data}"; use {", ".join(_SETS)}'
    )
  config.name = config.paper = _SETS[args.data]
  config.data.name = args.data
  config.data.image_size = args.size
  config.data.protocol = 'given'
  config.data.scaling = 'fixed'
  config.fleet.seeds = args.seeds
  config.fleet.variants = tuple(args.variant.split('+'))

  config.model.network = 'conv'
  config.model.widths = (96, 128, 256, 256)
  config.model.kernels = (3, 3, 3, 3)
  config.model.strides = (2, 2, 2, 2)
  config.model.time_strides = (1, 2, 2, 2)
  config.model.activation = 'leaky_relu'
  config.model.batch_norm = True
  config.model.memory.per_position = True
  config.model.memory.slots = args.slots
  config.model.memory.threshold = 1.0
  config.model.memory.temperature = 0.1
  config.model.memory.init = 'encodings'

  config.train.batch_size = 10
  config.train.epochs = args.epochs
  config.train.learning_rate = 1e-4
  config.eval.batch_size = 8
  if args.smoke:
    config.data.max_samples = 200
    config.model.widths = (8, 8, 8, 8)
    config.eval.bootstrap = 20
  if args.released:
    config.model.memory.similarity = 'dot'
    config.model.memory.temperature = 1.0
    config.model.memory.init = 'uniform'
    config.model.memory.threshold = 0.0025 * config.model.memory.slots
  return config
