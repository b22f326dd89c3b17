"""The handwritten digits that come with scikit-learn: 1,797 of 8x8 pixels."""

import numpy as np

from memae_jax.data import types


def load(config) -> types.Source:
  """Returns images [1797, 8, 8, 1] uint8 over the full range 0..255.

  scikit-learn counts set pixels of 4x4 blocks, 0 to 16.
  """
  del config
  from sklearn import datasets  # Late: it takes seconds, others need none.

  raw = datasets.load_digits()
  images = np.round(raw.images[..., None] * (255 / 16)).astype(np.uint8)
  return types.Source(
    name='digits',
    inputs=images,
    labels=raw.target.astype(np.int32),
    label_names=tuple(str(name) for name in raw.target_names),
  )
