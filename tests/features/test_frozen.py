"""Outputs of the frozen network, as features of pictures and of positions."""

import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import image_errors
from memae_jax.features import frozen, lite0

RNG = np.random.default_rng(0)
OUTPUTS = {
  'b0': jnp.asarray(RNG.normal(size=(2, 8, 6, 3)), jnp.float32),
  'b1': jnp.asarray(RNG.normal(size=(2, 4, 3, 5)), jnp.float32),
}
X = jnp.asarray(RNG.uniform(-1, 1, (2, 10, 10, 3)), jnp.float32)


@pytest.fixture(autouse=True)
def seen(monkeypatch):
  """Pictures that a stand-in for the network was given."""
  pictures = []

  def features(weights, x, names):
    pictures.append(x)
    return {name: OUTPUTS[name] for name in names}

  monkeypatch.setattr(lite0, 'select', lambda weights, names: weights)
  monkeypatch.setattr(lite0, 'features', features)
  return pictures


def test_whole_pictures_are_joined_means_of_norm_1(seen):
  found = frozen.whole({}, ('b0', 'b1'), 16)(X)
  means = [np.mean(output, axis=(1, 2)) for output in OUTPUTS.values()]
  expected = np.concatenate(means, axis=1)
  expected /= np.linalg.norm(expected, axis=1, keepdims=True)
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  assert seen[0].shape == (2, 16, 16, 3)


def test_maps_have_the_positions_of_the_first_output(seen):
  found = frozen.maps({}, ('b0', 'b1'))(X)
  assert found.shape == (2, 8, 6, 3 + 5)
  window = np.asarray(OUTPUTS['b0'])[1, 2:5, 3:6]
  np.testing.assert_allclose(
    found[1, 3, 4, :3], window.mean(axis=(0, 1)), rtol=1e-4, atol=1e-6
  )
  np.testing.assert_array_equal(
    seen[0], jnp.round(image_errors.to_unit(X) * 255)
  )
