"""The score by which a sample moves a memory, against plain NumPy."""

import jax.numpy as jnp
import numpy as np

from memae_jax.methods import autoencoder, mnad, moving


def test_large_errors_weigh_more():
  rng = np.random.default_rng(0)
  wanted, output = rng.uniform(-1, 1, (2, 1, 4, 6, 3))
  error = ((output + 1) / 2 - (wanted + 1) / 2) ** 2
  weight = 1 - np.exp(-error)
  want = (weight / weight.sum() * error).sum()
  found = moving.regular_score(jnp.float32(wanted), jnp.float32(output))
  np.testing.assert_allclose(found, want, rtol=1e-5)
  assert want > error.mean()
  assert moving.regular_score(jnp.ones(3), jnp.ones(3)) == 0


def test_only_mnad_moves():
  assert hasattr(mnad.Mnad, 'moved_by')
  assert not hasattr(autoencoder.Autoencoder, 'moved_by')
