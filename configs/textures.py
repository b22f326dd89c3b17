"""Textures with planted defects, generated: woven, diagonal or a random field.

python -m memae_jax.main --config=configs/textures.py --workdir=runs/textures

As mvtec.py with other pictures: networks have nine layers and see patches, and
pictures are scored by tiles. Patches are small and not turned, and the learning
rate is five times that of mvtec.py: with those of 64 pixels, turned at random,
training stood still (seen in the training loss of an autoencoder on "woven").
Arguments: texture (woven, diagonal, field, noise, waves, grating, weave,
masonry or wall; or brick, grass or gravel, photographs of scikit-image), size
(pixels of a side), patch, turn (degrees), slots, epochs, seeds, variant (joined
by "+"; see mvtec.py), features of bank (patches, or lite0), smoke.
"""

from memae_jax import config as config_lib
from memae_jax.config import presets


def get_config(arg=''):
  """Trains four networks on patches of 32 pixels, and a bank beside them."""
  args = config_lib.parse_arg(
    arg,
    texture='woven',
    size=128,
    patch=32,
    turn=0.0,
    slots=100,
    epochs=300.0,
    seeds=3,
    variant='memae+ae+ae_ssim+vae+bank',
    features='patches',
    smoke={
      'size': 48,
      'slots': 10,
      'epochs': 1.0,
      'seeds': 1,
      'variant': 'memae+ae_ssim',
    },
  )
  config = presets.experiment('textures', args)
  presets.bank_of_maps(config, args.features)
  presets.defects_in_patches(config, args.patch)
  config.data.texture, config.data.image_size = args.texture, args.size
  config.data.patch_turn, config.train.learning_rate = args.turn, 1e-3
  return config
