"""Values that data flow through, where they compute something."""

import numpy as np

from memae_jax.data import types


def test_times_of_frames():
  number = np.array([0, 2])
  assert types.Footage().at(number) is None
  even = types.Footage(rate=24).at(number)
  np.testing.assert_array_equal(even, [0, 0.083333])
  stored = types.Footage(rate=24, seconds=[0, 0.5, 2.25]).at(number)
  np.testing.assert_array_equal(stored, [0, 2.25])  # These count, if known.


def test_images_have_four_axes():
  labels = np.zeros(2, np.int32)
  source = lambda *shape: types.Source('x', np.zeros(shape), labels, ('fine',))
  assert source(2, 8, 8, 1).has_images
  assert not source(2, 3).has_images and not source(2, 4, 8, 8, 1).has_images
