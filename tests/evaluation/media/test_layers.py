"""Frames and maps of a film on disk."""

import numpy as np

from memae_jax.evaluation.media import layers as layers_lib


def test_the_hottest_error_is_a_quantile():
  rng = np.random.default_rng(0)
  maps = rng.exponential(size=(7, 30, 40)).astype(np.float16)
  layers = layers_lib.Layers()
  layers.add(np.zeros((3, 30, 40, 1)), maps[:3])
  layers.add(np.zeros((4, 30, 40, 1)), maps[3:].astype(float))
  expected = np.quantile(maps, 0.999, method='inverted_cdf')
  assert layers.quantile(0.999) == expected
  for (_, stored), error in zip(layers, maps, strict=True):
    np.testing.assert_array_equal(stored, error)
