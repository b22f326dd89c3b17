"""Categories of MVTec AD, LOCO, VisA, BTAD or DAGM 2007 below a folder.

python -m memae_jax.data.prepare mvtec --manual_dir=FOLDER
python -m memae_jax.study --config=configs/studies/mvtec.py:path=ROOT \
  --workdir=runs/mvtec

Each category is a run of configs/image_folder.py; accuracies are those by the
area of defects. Arguments: path (a folder with the folders of the categories,
at most three levels below; empty: the one that the first command made), size,
variant (joined by "+"), features (see configs/image_folder.py), seeds, epochs,
smoke.
"""

import pathlib

from memae_jax import config as config_lib
from memae_jax.data import registry
from memae_jax.data.images import layouts
from memae_jax.runtime import errors
from memae_jax.studies import grid


def get_study(arg=''):
  """Returns each category that is found, by each variant."""
  args = config_lib.parse_arg(
    arg,
    path='',
    size=128,
    variant='memae+ae+bank',
    features='patches',
    seeds=1,
    epochs=50.0,
    smoke={'size': 32, 'epochs': 2.0},
  )
  root = pathlib.Path(args.path or registry.data_dir() / 'mvtec').expanduser()
  folders = layouts.categories(root)
  if not folders:
    raise errors.UserError(
      f'{root} has no folder of a category, such as screw with screw/train/good'
      ' in it; set path=ROOT, or prepare mvtec'
    )
  of_run = ('size', 'variant', 'features', 'seeds', 'epochs')
  base = ','.join(f'{key}={args[key]}' for key in of_run)
  return grid.Study(
    base=f'../image_folder.py:{base}' + ',smoke' * bool(args.smoke),
    points=grid.over_data(folders, args.variant),
    metric='accuracy_mean',
  )
