"""Pictures that foretell themselves: planted defects, and odd pictures."""

import numpy as np
import pytest

from memae_jax.data.sets import textures
from memae_jax.methods.alone import nkn
from memae_jax.methods.images import patches
from tests import helpers

QUICK = nkn.Settings(block=6, steps=40, starts=1)


def _waves(size, seed=0, channels=1):
  rng = np.random.default_rng(seed)
  rows, columns = np.mgrid[: size[0], : size[1]]
  wave = np.sin(2 * np.pi * rows / 6) * np.cos(2 * np.pi * columns / 7)
  picture = (
    0.5 + 0.3 * wave[..., None] + 0.02 * rng.normal(size=(*size, channels))
  )
  return picture


def test_blocks_cover_a_picture_that_they_do_not_divide():
  rows = lambda count: patches.corners((count, 6), 6, 6)[:, 0].tolist()
  assert rows(20) == [0, 6, 12, 14]
  assert rows(18) == [0, 6, 12]
  assert rows(6) == [0]
  assert nkn.side_of((64, 80), nkn.Settings()) == 8
  assert nkn.side_of((5, 80), nkn.Settings()) == 1


def test_a_defect_is_the_loudest_and_unknown_pixels_are_left_out():
  picture = _waves((20, 23))
  picture[8:11, 9:12] = 1.2
  missing = np.zeros((20, 23), bool)
  missing[0:2, 20:] = missing[15, 3] = True
  found = nkn.fit(picture, missing, QUICK, 0)
  assert (
    np.isnan(found.z[missing]).all() and np.isfinite(found.z[~missing]).all()
  )
  row, column = np.unravel_index(np.nanargmax(found.z), found.z.shape)
  assert 7 <= row <= 11 and 8 <= column <= 12
  assert found.hidden[9, 10] and not found.hidden[missing].any()
  # Hidden from all others, its block is still the farthest off.
  assert found.distance[9, 10] == found.distance.max() > 5
  assert found.hidden.mean() <= 0.11
  # Whatever stands at pixels that are unknown changes nothing.
  picture[missing] = -5
  again = nkn.fit(picture, missing, QUICK, 0)
  for one, other in zip(found[:5], again[:5]):
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize('colour', [(0.4,), (0.9, 0.1, 0.2)])
def test_a_constant_picture_has_no_error(colour):
  picture = np.broadcast_to(colour, (12, 12, len(colour)))
  found = nkn.fit(picture, np.zeros((12, 12), bool), QUICK, 0)
  assert np.nanmax(found.z) == 0 and np.isnan(found.r2)
  np.testing.assert_allclose(found.mean, picture)
  assert not found.hidden.any() and (found.sigma == 0).all()


def test_the_memory_is_that_of_pairs_of_hidden_pixels_and_of_a_block():
  whole = nkn.memory((224, 224), 0, nkn.Settings())
  assert 0.5e9 < whole < 3e9
  one_pass = nkn.Settings(passes=1)
  assert nkn.memory((224, 224), 0, one_pass) < whole / 10
  hole = nkn.memory((224, 224), 40_000, one_pass)
  assert hole > 5 * 8 * 40_000**2
  assert nkn.memory((224, 224), 0, one_pass._replace(block=150)) > 2e10


@pytest.mark.slow
def test_blocks_may_train_without_themselves():
  picture = _waves((12, 14))
  picture[7:9, 8:10] = 1.3
  missing = np.zeros((12, 14), bool)
  missing[0, 0] = True
  settings = QUICK._replace(retrain='block', passes=1)
  found = nkn.fit(picture, missing, settings, 0)
  row, column = np.unravel_index(np.nanargmax(found.z), found.z.shape)
  assert 7 <= row < 9 and 8 <= column < 10
  assert np.isfinite(found.sigma).all() and (found.distance >= 0).all()
  assert not found.hidden.any()


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['grating', 'weave'])
def test_planted_defects_are_found_and_errors_calibrated(kind):
  fields = {'data.texture': kind, 'data.image_size': 64}
  config = helpers.digits(**{'fleet.normal_classes': (3,), **fields})
  picture = textures.load(config.data).inputs[0] / 255
  row, column = np.random.default_rng(0).integers(4, 54, 2)
  picture[row : row + 6, column : column + 6] = 1.0
  found = nkn.fit(picture, np.zeros((64, 64), bool), nkn.Settings(), 0)
  top, left = np.unravel_index(np.argmax(found.z), found.z.shape)
  assert row - 2 <= top < row + 8 and column - 2 <= left < column + 8
  assert 0.8 <= found.z2 <= 1.2 and found.r2 > 0.7
  elsewhere = np.ones((64, 64), bool)
  elsewhere[row : row + 6, column : column + 6] = False
  assert found.z[elsewhere].max() < 5


@pytest.mark.slow
def test_white_noise_does_not_foretell_itself():
  noise = np.random.default_rng(0).normal(size=(32, 32, 1))
  found = nkn.fit(noise, np.zeros((32, 32), bool), nkn.Settings(), 0)
  assert found.r2 < 0.1 and 0.8 <= found.z2 <= 1.2
