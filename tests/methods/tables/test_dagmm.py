"""DAGMM: its features, its two passes, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import config as config_lib
from memae_jax.methods import base
from memae_jax.methods.tables import dagmm, mixtures


def _method(**options):
  config = config_lib.resolve(
    {
      'data': {'protocol': 'random_rows'},
      'methods': {'dagmm': {'widths': (6, 4), **options}},
    }
  )
  return dagmm.build(config, (5,), [])


def _rows(count=40):
  return np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)


def _trained(method, x):
  """Variables after both passes over x, as evaluation has them."""
  variables = method.init(jax.random.key(0), x[:1], None)
  rng, mask = np.random.default_rng(0), np.ones(len(x), bool)
  for round_ in range(2):
    sums = method.collect(variables, x, None, mask, 1, round_)
    sums = jax.tree.map(lambda of: np.asarray(of, np.float64), sums)
    variables, done = method.finish(variables, sums, None, 1, round_, rng)
    assert done == bool(round_)
    variables = jax.tree.map(jnp.asarray, variables)
  return variables


def test_features_are_relative_distance_and_cosine():
  x, output = _rows(), _rows()[::-1]
  found = np.asarray(dagmm.features(x, output))
  norm = np.linalg.norm
  np.testing.assert_allclose(
    found[:, 0], norm(x - output, axis=1) / norm(x, axis=1), rtol=1e-5
  )
  cosine = (x * output).sum(axis=1) / norm(x, axis=1) / norm(output, axis=1)
  np.testing.assert_allclose(found[:, 1], cosine, rtol=1e-4, atol=1e-6)
  slope = jax.grad(lambda x: dagmm.features(x, x).sum())(jnp.zeros((2, 5)))
  assert np.isfinite(slope).all()


def test_the_passes_give_the_mixture_of_all_training_samples():
  method, x = _method(), _rows()
  variables = _trained(method, x)
  part = lambda name: {'params': variables['params'][name]}
  code = method.encoder.apply(part('encoder'), x, False)
  out = method.decoder.apply(part('decoder'), code, False)
  z = jnp.concatenate([code, dagmm.features(x, out)], axis=1)
  shares = method.members.apply(part('members'), z)
  total = mixtures.sums(z, shares, jnp.ones(len(x)))
  scattered = mixtures.scatter(
    z, shares, jnp.ones(len(x)), mixtures.means(total)
  )
  wanted = mixtures.mixture(total, scattered)
  for name, of in wanted._asdict().items():
    np.testing.assert_allclose(
      variables['mixture'][name], of, rtol=2e-3, atol=2e-4
    )
  scored = method.predict(variables, x, None, None, None)
  np.testing.assert_allclose(
    scored.scores['energy'], mixtures.energy(z, wanted), rtol=5e-3, atol=5e-3
  )
  assert {'mse', 'energy'} <= scored.scores.keys()


def test_without_weights_the_loss_is_the_length_of_the_error():
  x = _rows()
  keys = jax.random.split(jax.random.key(1), len(x))
  batch = base.Batch(x, None, keys, len(x))
  plain = _method(energy=0.0, covariance=0.0)
  variables = plain.init(jax.random.key(0), x[:1], None)
  of = lambda method: method.loss(variables, batch, None, base.Across())
  out = plain.predict(variables, x, None, None, None).output
  found = of(plain)
  wanted = np.square(x - out).sum(axis=1).mean()
  np.testing.assert_allclose(found.loss, wanted, rtol=1e-5)
  full, terms = of(_method()), of(_method()).terms
  wanted += 0.1 * terms['energy'] + 0.005 * terms['covariance']
  np.testing.assert_allclose(full.loss, wanted, rtol=1e-5)
