"""Features by name, and samples that do not have them."""

import types

import numpy as np
import pytest

from memae_jax import image_errors
from memae_jax.features import kinds, pixels
from memae_jax.runtime import errors

SHAPE = 8, 6, 1


def _options(features):
  return types.SimpleNamespace(features=features, patch=4, stride=2)


@pytest.mark.parametrize(
  ('features', 'scaling', 'shape'),
  [
    ('raw', 'standard', (3, 48)),
    ('cells', 'none', (3, *SHAPE)),
    ('blur_unit', 'fixed', (3, 48)),
    ('blur_unit', 'blur_unit', (3, 48)),
    ('contrast_unit', 'contrast', (3, 48)),
    ('patches', 'contrast', (3, 3, 2, 16)),
  ],
)
def test_features_have_the_shape_of_their_kind(features, scaling, shape):
  x = np.random.default_rng(0).uniform(-1, 1, (3, *SHAPE)).astype(np.float32)
  found = kinds.build(_options(features), SHAPE, scaling)(x)
  assert found.shape == shape
  if features.endswith('unit'):
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_inputs_that_are_blurred_are_not_blurred_again():
  x = np.random.default_rng(0).uniform(-1, 1, (3, *SHAPE)).astype(np.float32)
  found = kinds.build(_options('blur_unit'), SHAPE, 'blur_unit')(x)
  np.testing.assert_array_equal(found, pixels.raw(image_errors.unit_norm(x)))


@pytest.mark.parametrize(
  ('features', 'scaling', 'shape', 'words'),
  [
    ('blur_unit', 'standard', (12,), 'shape .12,.; use "raw"'),
    ('lite0', 'contrast', SHAPE, 'needs data.scaling "fixed" and not "contr'),
    ('cells', 'fixed', (4, 8, 6, 1), 'needs images'),
    ('patches', 'fixed', (8, 3, 1), 'is 4, but pictures have 8 x 3 pixels'),
  ],
)
def test_samples_without_such_features(features, scaling, shape, words):
  with pytest.raises(errors.UserError, match=words):
    kinds.build(_options(features), shape, scaling)


def test_a_kind_by_its_name():
  x = np.random.default_rng(0).uniform(-1, 1, (3, *SHAPE)).astype(np.float32)
  named = kinds.build(_options('patches'), SHAPE, 'fixed', 'raw')
  np.testing.assert_array_equal(named(x), pixels.raw(x))
  with pytest.raises(errors.UserError, match='bank.also" has "blur_unit"'):
    kinds.build(_options('raw'), (12,), 'fixed', 'blur_unit')
