"""The variational head against the formulas of its distribution."""

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax.models import variational


def _head(log_variance, mean):
  """Variables of a head of two channels with these moments everywhere."""
  bias = jnp.array([*mean, *log_variance])
  return {'params': {'Dense_0': {'kernel': jnp.zeros((2, 4)), 'bias': bias}}}


def test_the_divergence_is_that_of_two_gaussians():
  mean, log_variance = [0.5, -1.0], [0.2, -0.7]
  head = variational.Head()
  x = jnp.ones((3, 5, 2))
  codes, divergence = head.apply(_head(log_variance, mean), x, None)
  np.testing.assert_allclose(codes, np.broadcast_to(mean, x.shape), rtol=1e-6)
  # By its definition, with draws from the posterior.
  rng, spread = np.random.default_rng(0), np.exp(np.array(log_variance) / 2)
  draws = rng.normal(mean, spread, (400_000, 2))
  log = lambda x, m, s: -(((x - m) / s) ** 2) / 2 - np.log(s)
  drawn = (log(draws, mean, spread) - log(draws, 0, 1)).sum(axis=1).mean()
  np.testing.assert_allclose(divergence, 5 * np.full(3, drawn), rtol=0.01)


def test_noise_has_the_deviation_of_the_code():
  noise = jax.random.normal(jax.random.key(0), (4, 2))
  variables = _head([2.0, -2.0], [1.0, 1.0])
  codes, divergence = variational.Head().apply(
    variables, jnp.zeros((4, 2)), noise
  )
  expected = 1 + np.asarray(noise) * np.exp([1.0, -1.0])
  np.testing.assert_allclose(codes, expected, rtol=1e-6)
  assert divergence.shape == (4,) and (divergence > 0).all()


def test_a_standard_code_has_no_divergence():
  variables = _head([0.0, 0.0], [0.0, 0.0])
  _, divergence = variational.Head().apply(variables, jnp.ones((4, 2)), None)
  np.testing.assert_allclose(divergence, 0, atol=1e-6)
