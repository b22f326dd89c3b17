"""The mixture of texture against scikit-learn, and planted defects."""

import itertools

import jax
import numpy as np
import pytest
import sklearn.mixture

from memae_jax.methods.images import gmm_texture
from memae_jax.runtime import errors
from tests.methods.images import direct

SIDE = gmm_texture.SIDE


def _fit(train, **fields):
  fields = {f'methods.gmm_texture.{k}': v for k, v in fields.items()}
  return direct.fit(gmm_texture.build, 'gmm_texture', train, **fields)


def _patches(picture):
  """Every patch of [h, w], less its mean, in the order of their places."""
  starts = (range(n - SIDE + 1) for n in picture.shape)
  rows = [
    picture[i : i + SIDE, j : j + SIDE].ravel()
    for i, j in itertools.product(*starts)
  ]
  return np.stack([row - row.mean() for row in rows])


def test_energies_are_those_of_scikit_learn():
  """Of seven components, where there is room for ten; patches far off, too."""
  rng = np.random.default_rng(0)
  train, test = direct.texture(2, 0, 24)[..., 0].astype(np.float64)
  test[5:9, 5:9] = 1
  test += 0.5  # Brightness is no part of a texture.
  directions = gmm_texture.projection(rng)
  np.testing.assert_allclose(directions @ directions.T, np.eye(12), atol=1e-9)
  np.testing.assert_allclose(directions.sum(axis=1), 0, atol=1e-9)
  mixture = sklearn.mixture.GaussianMixture(7, random_state=0)
  mixture.fit(_patches(train) @ directions.T)
  level = {
    'kernels': directions.T.reshape(SIDE, SIDE, 1, 12),
    **gmm_texture.arrays(mixture, 10),
    'mean': 0.0,
    'deviation': 1.0,
  }
  level = {key: np.float32(value) for key, value in level.items()}
  found = jax.jit(gmm_texture.energies)(np.float32(test[None]), level)
  expected = -mixture.score_samples(_patches(test) @ directions.T)
  assert np.ptp(expected) > 100
  expected = expected.reshape(found.shape)
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_a_level_is_standardised_by_pictures_that_did_not_fit_it():
  train, new = (direct.texture(5, seed, 24)[..., 0] for seed in (0, 1))
  level = gmm_texture.fitted_level(
    np.float64(train), 3, np.random.default_rng(0)
  )
  energies = jax.jit(gmm_texture.energies)
  flat = np.float64(energies(train, level)).reshape(5, -1)
  standard = np.abs(flat.mean(axis=1)) + np.abs(flat.std(axis=1) - 1)
  assert np.sort(standard)[0] < 1e-3 < 0.02 < np.sort(standard)[1]
  assert abs(energies(new, level).mean()) < 0.5
  one = gmm_texture.fitted_level(
    np.float64(train[:1]), 3, np.random.default_rng(0)
  )
  energy = energies(train[:1], one)
  assert abs(energy.mean()) < 1e-3 and abs(energy.std() - 1) < 1e-3


def test_the_pyramid_has_means_and_ends_before_patches_do():
  x = np.random.default_rng(0).normal(size=(2, 15, 29))
  first, second = gmm_texture.pyramid(x, 2)
  assert first is x and second.shape == (2, 7, 14)
  np.testing.assert_allclose(second[1, 3, 5], x[1, 6:8, 10:12].mean())
  for size, levels in (
    ((7, 90), 1),
    ((14, 14), 2),
    ((27, 60), 2),
    ((64, 56), 4),
  ):
    assert gmm_texture.depth(size, 4) == levels
  assert gmm_texture.depth((64, 64), 2) == 2


@pytest.mark.parametrize('trained_on', ['texture', 'flat'])
def test_a_flat_picture_has_a_flat_map(trained_on):
  train = direct.texture(2, 0, 16)
  if trained_on == 'flat':
    train = np.full_like(train, 0.3)
  _, predict = _fit(train, components=3)
  flat = np.full((2, 16, 16, 1), 0.37, np.float32)
  flat[1] = -1
  maps = predict(flat).maps[gmm_texture.RULE]
  assert np.isfinite(maps).all()
  np.testing.assert_allclose(maps, maps[0, 0, 0], rtol=1e-5, atol=1e-4)
  if trained_on == 'flat':
    np.testing.assert_allclose(maps, 0, atol=1e-3)


def test_the_map_of_each_level_lies_over_its_picture():
  """A spot as large as pixels of the third one; one level at a time is read."""
  train = direct.texture(2, 0, 80)
  fields = {'components': 1, 'levels': 3}
  variables, predict = _fit(train, **fields)
  spot = train[:1].copy()
  spot[0, 38:42, 36:40] += 1
  pictures = np.concatenate([spot, train[:1]])
  for level in range(3):
    alone = {
      name: arrays | {'mean': arrays['mean'] + 1e9 * (name != f'level{level}')}
      for name, arrays in variables['texture'].items()
    }
    maps = predict(pictures, {'texture': alone}).maps[gmm_texture.RULE]
    more = maps[0] - maps[1]
    rows, columns = np.nonzero(more > more.max() / 10)
    near = 2**level + 1
    assert abs(rows.mean() - 39.5) < near and abs(columns.mean() - 37.5) < near
    assert np.abs(rows - 39.5).max() <= 2**level * (SIDE / 2 + 1) + 3


@pytest.mark.slow  # A mixture for each of two levels.
def test_planted_defects_are_found():
  auroc = direct.planted(
    gmm_texture.build, 'gmm_texture', **{'methods.gmm_texture.levels': 2}
  )
  assert auroc >= 0.9


def test_pictures_smaller_than_a_patch():
  with pytest.raises(errors.UserError, match='7 x 7 pixels, but .* 6 x 90'):
    direct.built(gmm_texture.build, 'gmm_texture', (6, 90, 1))
