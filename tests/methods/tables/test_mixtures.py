"""Mixtures: energies by SciPy, means and covariances by NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats

from memae_jax.methods.tables import mixtures


def _case(seed=0):
  rng = np.random.default_rng(seed)
  z = rng.normal(size=(50, 3)) * [1, 3, 0.5] + [0, 5, -1]
  members = rng.dirichlet(np.ones(4), 50)
  return z.astype(np.float32), members.astype(np.float32)


def _of(z, members, mask):
  total = mixtures.sums(z, members, mask)
  scattered = mixtures.scatter(z, members, mask, mixtures.means(total))
  return mixtures.mixture(total, scattered)


def test_a_mixture_has_the_moments_of_its_members():
  z, members = _case()
  mask = (np.arange(50) < 40) * 1.0
  found = _of(z, members, mask)
  np.testing.assert_allclose(
    found.weights, members[:40].mean(axis=0), rtol=1e-5
  )
  for k, factor in enumerate(np.asarray(found.factors)):
    weights = members[:40, k]
    mean = np.average(z[:40], axis=0, weights=weights)
    np.testing.assert_allclose(found.means[k], mean, rtol=1e-4)
    wanted = np.cov(z[:40].T, aweights=weights, ddof=0)
    np.testing.assert_allclose(factor @ factor.T, wanted, rtol=1e-3, atol=1e-4)
  variances = [np.diag(f @ f.T) for f in np.asarray(found.factors)]
  np.testing.assert_allclose(
    mixtures.inverse_variances(found),
    (1 / np.array(variances)).sum(),
    rtol=1e-4,
  )


def test_energies_are_negative_log_densities_however_far():
  z, members = _case()
  found = _of(z, members, np.ones(50))
  far = np.concatenate([z, 1e3 * z[:2]])
  densities = [
    np.log(weight)
    + scipy.stats.multivariate_normal.logpdf(far, mean, factor @ factor.T)
    for weight, mean, factor in zip(*map(np.float64, found))
  ]
  wanted = -scipy.special.logsumexp(densities, axis=0)
  energies = np.asarray(mixtures.energy(far, found))
  np.testing.assert_allclose(energies, wanted, rtol=1e-5)
  assert wanted[-2:].min() > 1e4  # No floor under the density.


@pytest.mark.parametrize('case', ['one component', 'same samples'])
def test_degenerate_mixtures_have_finite_energies_and_gradients(case):
  z, members = _case()
  if case == 'one component':
    members = np.eye(4, dtype=np.float32)[np.zeros(50, int)]
  else:
    z = np.ones_like(z)

  def loss(z):
    found = _of(z, members, jnp.ones(50))
    penalty = mixtures.inverse_variances(found)
    return jnp.mean(mixtures.energy(z, found)) + 1e-9 * penalty

  value, slope = jax.jit(jax.value_and_grad(loss))(z)
  assert np.isfinite(value) and np.isfinite(slope).all()
