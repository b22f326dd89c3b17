"""KDDCUP99 10 %: network intrusion records, as in Table 3 of the paper.

python -m memae_jax.data.prepare kddcup99 --manual_dir=DIR
python -m memae_jax.main --config=configs/kddcup99.py --workdir=runs/kddcup99

Attacks (80 %) are the normal class, as the paper has it. Twenty random halves,
three variants, one fleet. Arguments: seeds, variant, epochs, smoke.
"""

from memae_jax import config as config_lib


def get_config(arg=''):
  """Twenty runs of each variant."""
  args = config_lib.parse_arg(
      arg, seeds=20, variant='memae+nonspar+ae', epochs=20.0, smoke=False
  )
  config = config_lib.default()
  config.name = 'kddcup99'
  config.paper = 'kddcup99'
  config.data.name = 'kddcup99'
  config.data.protocol = 'random_rows'
  config.data.train_fraction = 0.5
  config.data.scaling = 'minmax'
  config.data.unknown_category = 'zero'
  config.fleet.seeds = args.seeds
  config.fleet.variants = tuple(args.variant.split('+'))

  config.model.widths = (60, 30, 10)
  config.model.code = 3
  config.model.activation = 'tanh'
  config.model.memory.slots = 50

  config.train.batch_size = 1024
  config.train.epochs = args.epochs
  config.eval.flag_ratio = 0.2
  config.eval.batch_size = 4096
  if args.smoke:
    config.fleet.seeds = 2
    config.data.max_samples = 5000
    config.train.epochs = 3.0
    config.eval.bootstrap = 20
  return config
