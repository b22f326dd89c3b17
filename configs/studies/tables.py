"""Compares all methods over a folder of labelled tables, with their ranks.

python -m memae_jax.study --config=configs/studies/tables.py:path=FOLDER \
  --workdir=runs/tables

Each csv, npz or parquet file is a run of configs/arrays.py; ranks are by AUROC,
and trivial detectors have theirs. Arguments: path, label (column or array of
the labels in every file), normal (values of normals, joined by "+"),
categorical, drop, variant (joined by "+"), seeds, slots, epochs, smoke.
"""

import pathlib

from memae_jax import config as config_lib
from memae_jax.runtime import errors
from memae_jax.studies import grid

_KINDS = '.csv', '.csv.gz', '.npz', '.parquet'


def get_study(arg=''):
  """Returns each table that is found, by each variant."""
  args = config_lib.parse_arg(
    arg,
    path='',
    label='label',
    normal='0',
    categorical='',
    drop='',
    variant='memae+nonspar+ae+vae+bank+dagmm+dsebm_e+dsebm_r+dcn+deep_svdd',
    seeds=3,
    slots=50,
    epochs=50.0,
    smoke={'seeds': 1, 'slots': 5, 'epochs': 2.0},
  )
  root = pathlib.Path(args.path).expanduser()
  files = sorted(f for f in root.glob('*') if f.name.endswith(_KINDS))
  if not args.path or not files:
    raise errors.UserError(
      f'"{args.path}" has no csv, npz or parquet file; set path=FOLDER to a'
      ' folder of labelled tables'
    )
  of_run = 'label', 'normal', 'categorical', 'drop', 'seeds', 'slots', 'epochs'
  base = ','.join(f'{key}={args[key]}' for key in of_run if args[key])
  return grid.Study(
    base=f'../arrays.py:{base}' + ',smoke' * bool(args.smoke),
    points=grid.over_data(files, args.variant),
    ranked='data.path',
  )
