"""A user's own table: csv (also .gz), npz or parquet.

python -m memae_jax.main --workdir=runs/mine \
  --config=configs/arrays.py:path=table.csv,label=kind,normal=ok

Arguments: path, label (column with the labels; leave out without labels),
normal (its normal values, joined by "+"), categorical (columns to one-hot,
joined by "+"), drop (columns to leave out, joined by "+"), test (a second file
with the test rows), key (a column that names the rows: no input, but beside the
scores), decimal (point or comma), thousands (comma, point, blank, apostrophe),
separator (comma, semicolon, tab, bar), encoding, missing (what stands for a
missing value, joined by "+"), slots, seeds, variant, epochs, smoke. Anything
else by --config.data.FIELD=...: see `data` in memae_jax/config.py.
"""

from memae_jax import config as config_lib


def _names(text):
  return tuple(filter(None, text.split('+')))


def get_config(arg=''):
  """Half of the rows train, five seeds, three variants."""
  args = config_lib.parse_arg(
    arg,
    path='',
    test='',
    label='',
    normal='',
    categorical='',
    drop='',
    key='',
    decimal='',
    thousands='',
    separator='',
    encoding='',
    missing='',
    slots=50,
    seeds=5,
    variant='memae+nonspar+ae',
    epochs=100.0,
    smoke={'seeds': 2, 'slots': 5, 'epochs': 2.0},
  )
  config = config_lib.default()
  config.name = 'arrays'
  config.data.name = 'arrays'
  config.data.path = args.path
  config.data.test_path = args.test
  config.data.protocol = 'given' if args.test else 'random_rows'
  config.data.train_fraction = 0.5
  config.data.label_column = args.label
  config.data.normal_labels = _names(args.normal)
  config.data.categorical_columns = _names(args.categorical)
  config.data.drop_columns = _names(args.drop)
  config.data.key_column = args.key
  for name in ('decimal', 'thousands', 'separator', 'encoding'):
    config.data[name] = args[name]
  config.data.missing_marks = _names(args.missing)
  config.data.scaling = 'standard'
  config.data.clip = 5.0
  config.fleet.seeds = args.seeds
  config.fleet.variants = tuple(args.variant.split('+'))

  config.model.widths = (60, 30, 10)
  config.model.code = 3
  config.model.memory.slots = args.slots
  config.model.memory.temperature = 0.1

  config.train.batch_size = 256
  config.train.epochs = args.epochs
  config.train.learning_rate = 1e-3
  if args.smoke:
    config.eval.bootstrap = 20
  return config
