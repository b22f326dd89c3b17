"""The 1,797 handwritten digits of 8x8 pixels that come with scikit-learn."""

import numpy as np

from memae_jax.data import types


def load(config) -> types.Source:
  """Returns images [1797, 8, 8, 1] uint8 over the full range 0..255.

  In scikit-learn, a pixel is a count from 0 to 16: of the set pixels in a block
  of 4x4.
  """
  del config
  from sklearn import datasets  # Takes seconds; other data sets do without.

  raw = datasets.load_digits()
  images = np.round(raw.images[..., None] * (255 / 16)).astype(np.uint8)
  return types.Source(
    name='digits',
    inputs=images,
    labels=raw.target.astype(np.int32),
    label_names=tuple(str(name) for name in raw.target_names),
  )
