"""One picture alone, or a folder of them, without any training picture.

python -m memae_jax.main --config=configs/one_image.py:path=fabric.png \
  --workdir=runs/fabric

A Gaussian process with learned kernels foretells each block of a picture from
the rest of it; four trivial detectors do so, too. Pictures in folders good and
KIND, or in test/good and test/KIND, and masks in ground_truth/KIND give
metrics.

Arguments: path, or texture (generated pictures, see textures.py), size
(pictures are resized to squares of this many pixels; 0: as they are), colour
(auto, grey, rgb), block (pixels of a side; 0: an eighth of the picture), fill
(a mask: white pixels are filled in), seeds, variant (joined by "+"), smoke.
"""

from memae_jax import config as config_lib
from memae_jax.config import presets


def get_config(arg=''):
  """Fits a neural kernel network to each picture, beside trivial detectors."""
  args = config_lib.parse_arg(
    arg,
    path='',
    texture='',
    size=0,
    colour='auto',
    block=0,
    fill='',
    seeds=1,
    slots=10,
    epochs=1.0,
    variant='nkn+rest_mean+period_shift+axis_median+own_patches',
    smoke={'size': 16, 'block': 4},
  )
  config = presets.experiment('one_image', args)
  name = 'textures' if args.texture else 'image_folder'
  config.data.name, config.data.protocol = name, 'alone'
  if args.texture:
    config.data.texture = args.texture
  config.data.path, config.data.colour = args.path, args.colour
  config.data.fill = args.fill
  config.data.image_size, config.data.scaling = args.size, 'fixed'
  config.methods.nkn.block = args.block
  config.methods.nkn.steps = 20 if args.smoke else 600
  config.eval.baselines = ()
  return config
