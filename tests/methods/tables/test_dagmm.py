"""DAGMM: its features, its two passes, and what it refuses."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import scipy.special
import scipy.stats

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.methods import base
from memae_jax.methods.tables import dagmm, mixtures
from memae_jax.models import memae


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


def _batch(x, mask=None, size=None):
  keys = jax.random.split(jax.random.key(1), len(x))
  return base.Batch(jnp.asarray(x), mask, keys, size or len(x))


def _trained(method, x, variables=None, mask=None):
  """Variables after both passes over x, as evaluation has them."""
  variables = variables or method.init(jax.random.key(0), x[:1], None)
  rng = np.random.default_rng(0)
  mask = np.ones(len(x), bool) if mask is None else mask
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
  batch = _batch(x)
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


def _descended(loss, params, steps=20):
  """Parameters after some steps of Adam; a loss comes with its terms."""
  adam = optax.adam(1e-2)

  @jax.jit
  def step(params, state):
    slope, terms = jax.grad(loss, has_aux=True)(params)
    updates, state = adam.update(slope, state)
    return optax.apply_updates(params, updates), state, terms

  state = adam.init(params)
  for _ in range(steps):
    params, state, _ = step(params, state)
  return params


def test_without_weights_it_trains_bit_for_bit_as_the_autoencoder():
  """The project's own, of the same layers, by squared lengths of errors."""
  method, x = _method(energy=0.0, covariance=0.0), _rows()
  layers = {'network': 'dense', 'widths': (6, 4), 'code': 1}
  layers['activation'] = 'tanh'
  options = config_lib.resolve(
    {'data': {'protocol': 'random_rows'}, 'model': layers}
  ).model
  plain = memae.build(options, (5,), None, dtype=options.compute)
  params = method.init(jax.random.key(0), x[:1], None)['params']

  def of_dagmm(params):
    found = method.loss({'params': params}, _batch(x), None, base.Across())
    return found.loss, found.terms

  def of_plain(params):
    knobs = memae.Knobs(False, False, 0.0, 0)
    out = plain.apply({'params': params}, x, knobs).reconstruction
    return 5 * _batch(x).mean(losses.mean(losses.squared(x, out))), {}

  networks = {k: of for k, of in params.items() if k != 'members'}
  found = _descended(of_dagmm, params)
  expected = _descended(of_plain, networks)
  expected['members'] = params['members']  # Nothing moves them.
  jax.tree.map(np.testing.assert_array_equal, found, expected)
  del found['members']
  moved = jax.tree.map(lambda a, b: np.abs(a - b).max(), found, networks)
  assert min(jax.tree.leaves(moved)) > 0


def test_without_features_the_energy_is_that_of_codes():
  method, x = _method(features=False, code=2), _rows()
  variables = _trained(method, x)
  code = method.encoder.apply(
    {'params': variables['params']['encoder']}, x, False
  )
  mixture = jax.tree.map(np.float64, variables['mixture'])
  densities = [
    np.log(weight)
    + scipy.stats.multivariate_normal.logpdf(code, mean, factor @ factor.T)
    for weight, mean, factor in zip(
      mixture['weights'], mixture['means'], mixture['factors'], strict=True
    )
  ]
  wanted = -scipy.special.logsumexp(densities, axis=0)
  found = method.predict(variables, x, None, None, None).scores['energy']
  np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@functools.cache
def _descent():
  """Value and gradient of the loss of 8 rows, compiled once."""
  method = _method()

  def loss(params, x, mask, size):
    batch = _batch(x, mask, size)
    return method.loss({'params': params}, batch, None, base.Across()).loss

  return jax.jit(jax.value_and_grad(loss), static_argnums=3)


@pytest.mark.parametrize('case', ['one row', 'same rows', 'zeros', 'empty'])
def test_degenerate_batches_have_finite_losses_gradients_and_energies(case):
  """Singular covariances, and components to which no sample belongs."""
  method, x, mask = _method(), _rows(8), np.ones(8, bool)
  variables = method.init(jax.random.key(0), x[:1], None)
  if case == 'one row':
    mask = np.arange(8) < 1
  elif case == 'same rows':
    x = np.repeat(x[:1], 8, axis=0)
  elif case == 'zeros':
    x = np.zeros_like(x)
  else:
    last = variables['params']['members']['Dense_1']
    last['bias'] = jnp.float32([300, 0, 0, 0])
  params, size = variables['params'], int(mask.sum())
  value, slope = _descent()(params, x, mask, size)
  assert np.isfinite(value)
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(slope))
  fitted = _trained(method, x, variables, mask)
  scores = method.predict(fitted, 1e3 * x, None, None, None).scores['energy']
  assert np.isfinite(scores).all()
