import numpy as np
import pytest

from memae_jax.methods.alone import trivial

RNG = np.random.default_rng(0)


def test_the_mean_is_that_of_the_pixels_outside_of_the_block():
  picture = RNG.random((10, 7, 2))
  found = trivial.rest_mean(picture, 4)
  inside = np.zeros((10, 7), bool)
  inside[4:8, 4:] = True
  np.testing.assert_allclose(found[5, 6], picture[~inside].mean(axis=0))


@pytest.mark.parametrize('name', ['period_shift', 'own_patches'])
def test_what_repeats_is_foretold_and_a_defect_is_not(name):
  rows, columns = np.mgrid[:32, :32]
  wave = np.sin(2 * np.pi * rows / 8) * np.cos(2 * np.pi * columns / 16)
  picture = wave[..., None].copy()
  error = np.abs(trivial.ALL[name](picture, 4) - picture)
  # Patches at the border have no other like them.
  assert error[4:-4, 4:-4].max() < 1e-9
  picture[10, 12] += 3
  error = np.abs(trivial.ALL[name](picture, 4) - picture)
  assert error[10, 12] > 1 and np.median(error) < 0.01


def test_medians_of_rows_and_columns_foretell_what_is_their_sum():
  picture = RNG.random((9, 1, 1)) + RNG.random((1, 11, 1))
  np.testing.assert_allclose(trivial.axis_median(picture, 4), picture)


def test_a_picture_without_room_for_a_shift_is_left_as_it_is():
  picture = RNG.random((6, 6, 1))
  np.testing.assert_array_equal(trivial.period_shift(picture, 6), picture)
