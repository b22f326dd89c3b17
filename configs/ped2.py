"""UCSD Ped2: the video network of the paper, Table 2, or one of motion.

python -m memae_jax.data.prepare ucsd_ped2 --manual_dir=FOLDER
python -m memae_jax.main --config=configs/ped2.py --workdir=runs/ped2

Arguments: recipe (paper: clips of frames; motion: how fast cells move, see
docs/motion.md), task (reconstruct; predict: the fifth frame from four), size
(rows of pixels or cells), slots, seeds, variant (joined by "+"), epochs, data
(ucsd_ped2, cuhk_avenue or shanghaitech), smoke, and released: the memory as in
the released code, with inner products without a temperature, slots from random
numbers, and a threshold of 0.0025, 5/N for 2,000 slots: most reads are dead.
"""

from memae_jax import config as config_lib
from memae_jax.config import presets

_SETS = ('ucsd_ped2', 'cuhk_avenue', 'shanghaitech')
_SIZES = {
  'paper': {'size': 256, 'slots': 2000, 'epochs': 60.0},
  'motion': {'size': 64, 'slots': 200, 'epochs': 6.0},
}


def get_config(arg=''):
  """Trains three variants: at full size, or on 64 rows of 96 cells."""
  recipe = 'motion' if 'recipe=motion' in (arg or '').split(',') else 'paper'
  args = config_lib.parse_arg(
    arg,
    **_SIZES[recipe],
    seeds=1,
    variant='memae+nonspar+ae' + ('+bank' if recipe == 'motion' else ''),
    released=False,
    data='ucsd_ped2',
    recipe=recipe,
    task='reconstruct',
    smoke={'size': 32, 'slots': 10, 'epochs': 1.0},
  )
  presets.one_of('data', args.data, _SETS)
  presets.one_of('recipe', args.recipe, _SIZES)
  config = presets.experiment(args.data.split('_')[-1], args)  # Such as ped2.
  config.paper = config.name if recipe == 'paper' else ''
  config.data.name = args.data
  config.data.image_size = args.size
  config.data.protocol = 'given'
  config.data.scaling = 'fixed'
  widths = (8, 8, 8, 8) if args.smoke else (96, 128, 256, 256)
  presets.video_network(config, widths)
  presets.sharp_memory(config)
  config.model.memory.threshold = 1.0
  if args.released:
    presets.released_memory(config)
  config.train.batch_size, config.train.learning_rate = 10, 1e-4
  config.eval.batch_size = 8
  if recipe == 'motion':
    presets.speeds_of_cells(config)
  presets.task(config, args.task)
  if args.smoke:
    config.data.max_samples = 200
  return config
