"""A user's own table: csv (also .gz), npz or parquet.

python -m memae_jax.main --workdir=runs/mine \
  --config=configs/arrays.py:path=table.csv,label=kind,normal=ok

Arguments: path, label (column with the labels; leave out without labels),
normal (its normal values), categorical (columns to one-hot), dates (columns of
dates), drop (columns to leave out), test (a second file with the test rows),
key (a column that names the rows: no input, but beside the scores), decimal
(point or comma), thousands (comma, point, blank, apostrophe), separator (comma,
semicolon, tab, bar), encoding, missing (what stands for a missing value),
slots, seeds, variant, epochs, smoke. Several names or values are joined by "+".
Anything else is set by --config.data.FIELD=...; the fields stand in
memae_jax/config/data_fields.py.
"""

from memae_jax import config as config_lib
from memae_jax.config import presets, table_presets


def get_config(arg=''):
  """Trains on half of the rows, five seeds, three variants."""
  texts = (
    'path test label normal categorical dates drop key decimal thousands'
    ' separator encoding missing'
  )
  args = config_lib.parse_arg(
    arg,
    **dict.fromkeys(texts.split(), ''),
    slots=50,
    seeds=5,
    variant='memae+nonspar+ae',
    epochs=100.0,
    smoke={'seeds': 2, 'slots': 5, 'epochs': 2.0},
  )
  config = presets.experiment('arrays', args)
  table_presets.own_table(config)
  config.data.path, config.data.test_path = args.path, args.test
  config.data.protocol = 'given' if args.test else 'random_rows'
  config.data.train_fraction = 0.5
  config.data.label_column, config.data.key_column = args.label, args.key
  for field, text in (
    ('normal_labels', args.normal),
    ('categorical_columns', args.categorical),
    ('date_columns', args.dates),
    ('drop_columns', args.drop),
    ('missing_marks', args.missing),
  ):
    config.data[field] = tuple(filter(None, text.split('+')))
  for field in ('decimal', 'thousands', 'separator', 'encoding'):
    config.data[field] = args[field]
  return config
