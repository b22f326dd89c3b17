"""UCSD Ped2: the video network of the paper, Table 2, or one of motion.

python -m memae_jax.data.prepare ucsd_ped2 --manual_dir=FOLDER
python -m memae_jax.main --config=configs/ped2.py --workdir=runs/ped2

Arguments: size (rows of pixels or cells), slots, seeds, variant (joined by
"+"), epochs, data (ucsd_ped2, cuhk_avenue or shanghaitech), task (reconstruct;
predict: the fifth frame from four), smoke, and recipe. The rate of Ped2 is that
which is usual in the field; the set states none. The other two have none here.

  paper     clips of frames; cosines / 0.1, lambda 1/N, score by squared error
  motion    how fast cells move, and a bank beside networks; docs/motion.md
  released  as the authors' code: inner products, lambda 0.0025 (5/N of 2,000,
            which leaves most reads dead), entropy 2e-4, its score of 2019
  port      as a re-run of that code: no entropy, a fifth of the rate half-way
"""

from memae_jax import config as config_lib
from memae_jax.config import presets

_SETS = {'ucsd_ped2': 10.0, 'cuhk_avenue': 0.0, 'shanghaitech': 0.0}  # Rates.
_RECIPES = {  # Epochs, and what is set after the network of the paper.
  'paper': (60.0, lambda config: None),
  'motion': (6.0, presets.speeds_of_cells),
  'released': (100.0, presets.released_code),
  'port': (80.0, presets.ported_code),
}


def get_config(arg=''):
  """Trains three variants: at full size, or on 64 rows of 96 cells."""
  names = ('size', 0), ('slots', 0), ('variant', ''), ('epochs', 0.0)
  words = {'data': 'ucsd_ped2', 'recipe': 'paper', 'task': 'reconstruct'}
  smoke = {'size': 32, 'slots': 10, 'epochs': 1.0}
  args = config_lib.parse_arg(arg, **dict(names), **words, seeds=1, smoke=smoke)
  presets.one_of('data', args.data, _SETS)
  presets.one_of('recipe', args.recipe, _RECIPES)
  moves, (epochs, change) = args.recipe == 'motion', _RECIPES[args.recipe]
  args.size = args.size or (64 if moves else 256)
  args.slots = args.slots or (200 if moves else 2000)
  args.variant = args.variant or 'memae+nonspar+ae' + '+bank' * moves
  args.epochs = args.epochs or epochs
  config = presets.experiment(args.data.split('_')[-1], args)  # Such as ped2.
  config.paper = '' if moves else config.name
  config.data.name = args.data
  config.data.image_size = args.size
  config.data.protocol = 'given'
  config.data.scaling = 'fixed'
  widths = (8, 8, 8, 8) if args.smoke else (96, 128, 256, 256)
  presets.video_network(config, widths)
  presets.sharp_memory(config)
  config.model.memory.threshold = 1.0
  config.train.batch_size, config.train.learning_rate = 10, 1e-4
  config.eval.batch_size, config.eval.frame_rate = 8, _SETS[args.data]
  change(config)
  presets.task(config, args.task)
  if args.smoke:
    config.data.max_samples = 200
  return config
