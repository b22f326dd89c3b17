"""Categories of MVTec AD, LOCO, VisA, BTAD or DAGM 2007 below a folder.

python -m memae_jax.data.prepare mvtec --manual_dir=FOLDER
python -m memae_jax.study --config=configs/studies/mvtec.py:path=ROOT \
  --workdir=runs/mvtec
python -m memae_jax.study --workdir=runs/mvtec_patches \
  --config=configs/studies/mvtec.py:path=ROOT,patch=128

Each category is a run of configs/image_folder.py, or, where patch is given, of
configs/mvtec.py, whose networks have the nine published layers and see patches;
accuracies are those by the area of defects. Arguments: path (a folder with the
folders of the categories, at most three levels below; empty: the one that the
first command made), patch (pixels of a side; 0: whole pictures), size, epochs,
features (see those files, which have the usual values), variant (joined by
"+"), seeds, smoke.
"""

import pathlib

from memae_jax import config as config_lib
from memae_jax.data import registry
from memae_jax.data.images import layouts
from memae_jax.runtime import errors
from memae_jax.studies import grid

_WHOLE = 'memae+ae+bank'
_PATCHES = 'memae+memae_positions+ae+ae_ssim+vae+bank'


def get_study(arg=''):
  """Returns each category that is found, by each variant."""
  usual = {'path': '', 'variant': '', 'size': '', 'epochs': '', 'features': ''}
  args = config_lib.parse_arg(arg, **usual, patch=0, seeds=1)
  root = pathlib.Path(args.path or registry.data_dir() / 'mvtec').expanduser()
  folders = layouts.categories(root)
  if not folders:
    raise errors.UserError(
      f'{root} has no folder of a category, such as screw with screw/train/good'
      ' in it; set path=ROOT, or prepare mvtec'
    )
  of_run = ('patch', 'size', 'epochs', 'features', 'seeds')
  words = [f'{key}={args[key]}' for key in of_run if args[key]]
  words += ['smoke'] * bool(args.smoke)
  base = 'mvtec' if args.patch else 'image_folder'
  variant = args.variant or (_PATCHES if args.patch else _WHOLE)
  return grid.Study(
    base=f'../{base}.py:{",".join(words)}',
    points=grid.over_data(folders, variant),
    metric='accuracy_mean',
  )
