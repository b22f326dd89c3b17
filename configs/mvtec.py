"""Defects of a category of MVTec AD by patches: Bergmann et al. (2019).

python -m memae_jax.main --config=configs/mvtec.py:path=screw \
  --workdir=runs/screw

The folder is laid out like a category of MVTec AD, see image_folder.py. All
networks have the nine published layers and see patches, turned and mirrored at
random; pictures are scored by tiles that overlap. Published are 200 epochs of
10,000 patches each; here a picture gives four patches in each of its epochs.

Arguments: path, size (0: as they are), patch (published: 128), colour, slots,
epochs, seeds, variant (joined by "+": memae, memae_positions, ae, ae_ssim, vae,
bank and more; fm_ae needs the extra "features"), features of bank (patches, or
lite0), turn (degrees), smoke.
"""

from memae_jax import config as config_lib
from memae_jax.config import presets


def get_config(arg=''):
  """Trains the published network in five ways, and a bank beside it."""
  args = config_lib.parse_arg(
    arg,
    path='',
    size=256,
    patch=128,
    colour='auto',
    slots=500,
    epochs=10.0,
    seeds=3,
    variant='memae+memae_positions+ae+ae_ssim+vae+bank',
    features='patches',
    turn=180.0,
    smoke={
      'size': 48,
      'patch': 32,
      'slots': 10,
      'epochs': 1.0,
      'seeds': 1,
      'variant': 'memae+ae_ssim',
    },
  )
  config = presets.experiment('mvtec', args)
  config.data.name = 'image_folder'
  presets.bank_of_maps(config, args.features)
  presets.defects_in_patches(config, args.patch)
  config.data.path, config.data.colour = args.path, args.colour
  config.data.image_size, config.data.patch_turn = args.size, args.turn
  config.methods.bank.slots = 10 if args.smoke else 3276
  return config
