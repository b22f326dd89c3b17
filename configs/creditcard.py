"""Card fraud: the ULB table of 284,807 payments of two days, 492 are frauds.

python -m memae_jax.data.prepare creditcard --manual_dir=FOLDER
python -m memae_jax.main --config=configs/creditcard.py --workdir=runs/fraud

Or path=creditcard.csv, without preparing it. Arguments: seeds, variant (joined
by "+"; all: every one for tables), slots, epochs (0: the recipe's), smoke, and

  recipe  honest (default): the table network, standard scaling clipped at 5,
          log1p of the amount. tutorial: 30-14-7-7-30 with ReLU output (ae_l1).
  split   time (default of honest): the first day trains, the second is tested.
          random (default of tutorial): a fifth of the rows is tested. Training
          rows that equal a test row are left out and counted.
  time    what is seen of it: none (default of honest), time_of_day, or seconds
          (default of tutorial).
"""

from memae_jax import config as config_lib
from memae_jax.config import presets, table_presets


def get_config(arg=''):
  """Trains three seeds; average precision and money come first."""
  args = config_lib.parse_arg(
    arg,
    path='',
    recipe='honest',
    split='',
    time='',
    seeds=3,
    variant='',
    slots=50,
    epochs=0.0,
    smoke={'seeds': 1, 'epochs': 1.0},
  )
  presets.one_of('recipe', args.recipe, ('honest', 'tutorial'))
  is_tutorial = args.recipe == 'tutorial'
  args.split = args.split or ('random' if is_tutorial else 'time')
  presets.one_of('split', args.split, ('random', 'time'))
  args.time = args.time or ('seconds' if is_tutorial else 'none')
  args.variant = args.variant or ('ae_l1+' * is_tutorial + 'memae+nonspar+ae')
  if args.variant == 'all':
    args.variant = '+'.join(('ae_l1',) * is_tutorial + table_presets.METHODS)
  args.epochs = args.epochs or (100.0 if is_tutorial else 20.0)
  config = presets.experiment('creditcard', args)
  presets.table_network(config)
  presets.standard_table(config)
  config.model.memory.similarity, config.data.log1p = 'dot', True
  if is_tutorial:
    table_presets.fraud_tutorial(config)
  config.data.path, config.data.time_input = args.path, args.time
  config.data.protocol = 'given' if args.split == 'time' else 'random_rows'
  config.data.train_fraction, config.data.disjoint = 0.8, True
  config.eval.headline, config.eval.normal_quantile = 'average_precision', 0.999
  config.eval.batch_size = 4096
  if args.smoke:
    config.data.max_samples = 20000
  return config
