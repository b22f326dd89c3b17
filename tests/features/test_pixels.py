"""Features of pixels."""

import numpy as np

from memae_jax.features import pixels


def test_patches_are_windows_less_their_means():
  x = np.random.default_rng(0).normal(size=(2, 7, 9, 3)).astype(np.float32)
  found = pixels.patches(x, 3, 2)
  assert found.shape == (2, 3, 4, 27)
  window = x[1, 2:5, 4:7]
  window = window - window.mean(axis=(0, 1))
  np.testing.assert_allclose(found[1, 1, 2], window.ravel(), atol=1e-5)
