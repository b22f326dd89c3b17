"""Deep SVDD and DCN: centres, and what collapses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.methods import base
from memae_jax.methods.tables import codes
from memae_jax.training import fleet

ROWS = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)


def _method(name, **options):
  config = config_lib.resolve(
    {
      'data': {'protocol': 'random_rows'},
      'methods': {name: options},
      'model': {'network': 'dense', 'widths': (6,), 'code': 2},
    }
  )
  replica = fleet.Replica('r', name, 0, None, 1, 1.0, 0.0, 1e-3)
  return codes.build(config, (5,), [replica])


def _batch(x=ROWS):
  keys = jax.random.split(jax.random.key(1), len(x))
  return base.Batch(jnp.asarray(x), None, keys, len(x))


def test_the_centre_of_deep_svdd_is_the_mean_of_the_first_codes():
  method = _method('deep_svdd', widths=(6,), code=3)
  variables = method.init(jax.random.key(0), ROWS[:1], None)
  assert all('bias' not in of for of in variables['params'].values())
  sums = method.collect(variables, ROWS, None, np.ones(40, bool), 0, 0)
  sums = jax.tree.map(np.asarray, sums)
  variables, _ = method.finish(variables, sums, None, 0, 0, None)
  first, second = (variables['params'][f'Dense_{i}']['kernel'] for i in (0, 1))
  hidden = ROWS @ first
  code = np.where(hidden > 0, hidden, 0.1 * hidden) @ second
  mean = np.asarray(code.mean(axis=0))
  wanted = np.where(np.abs(mean) < 0.1, np.where(mean < 0, -0.1, 0.1), mean)
  centre = variables['centres']['centre']
  np.testing.assert_allclose(centre, wanted, rtol=1e-4, atol=1e-5)
  spread = np.sqrt(np.var(code, axis=0).sum()) / np.linalg.norm(wanted)
  np.testing.assert_allclose(variables['centres']['spread'], spread, rtol=1e-3)
  far = np.square(code - wanted[None]).sum(axis=1)
  scored = method.predict(variables, ROWS, None, None, None)
  np.testing.assert_allclose(scored.scores['code_distance'], far, rtol=1e-3)
  loss = method.loss(variables, _batch(), None, base.Across()).loss
  np.testing.assert_allclose(loss, far.mean(), rtol=1e-4)


@pytest.mark.parametrize('spread,collapsed', [(1e-5, True), (0.2, False)])
def test_a_network_that_gives_one_code_for_all_is_doubted(spread, collapsed):
  method = _method('deep_svdd')
  variables = {'centres': {'spread': np.float32(spread)}}
  assert bool(method.doubt(variables)) == collapsed


def _centred(method):
  variables = method.init(jax.random.key(0), ROWS[:1], None)
  found = method.collect(variables, ROWS, None, None, 1, 0)
  rng = np.random.default_rng(0)
  out, done = method.finish(variables, np.asarray(found), None, 1, 0, rng)
  assert done
  return variables, jax.tree.map(jnp.asarray, out)


def test_centres_pull_once_they_are_known_and_follow_their_codes():
  method = _method('dcn', clusters=3, rate=1.0, pull=0.5)
  before, variables = _centred(method)
  plain = method.loss(before, _batch(), None, base.Across())
  np.testing.assert_allclose(plain.loss, plain.terms['reconstruction'])
  np.testing.assert_array_equal(plain.collections['centres']['at'], 0)
  found = method.loss(variables, _batch(), None, base.Across())
  terms = found.terms
  wanted = terms['reconstruction'] + 0.5 * 0.5 / 5 * terms['distance']
  np.testing.assert_allclose(found.loss, wanted, rtol=1e-5)
  moved = variables | {'centres': found.collections['centres']}
  again = method.loss(moved, _batch(), None, base.Across())
  assert again.terms['distance'] <= terms['distance'] + 1e-6
  scored = method.predict(variables, ROWS, None, None, None)
  code = np.asarray(method.collect(variables, ROWS, None, None, 1, 0))
  at = np.asarray(variables['centres']['at'])
  nearest = np.linalg.norm(code[:, None] - at, axis=-1).min(axis=1)
  np.testing.assert_allclose(
    scored.scores['code_distance'], nearest, rtol=1e-3, atol=1e-5
  )


def test_without_a_pull_the_gradient_is_that_of_the_autoencoder():
  method = _method('dcn', clusters=3, pull=0.0)
  before, variables = _centred(method)

  def slope(variables):
    of = lambda params: (
      method.loss(
        variables | {'params': params}, _batch(), None, base.Across()
      ).loss
    )
    return jax.grad(of)(variables['params'])

  for one, other in zip(
    *map(jax.tree.leaves, (slope(before), slope(variables)))
  ):
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize('rate', [1.0, 0.3])
def test_no_step_of_centres_raises_their_distance(rate):
  """Lloyd's step, whole or in part, of a network that stands still."""
  method = _method('dcn', clusters=4, rate=rate)
  _, variables = _centred(method)
  start = jax.random.normal(jax.random.key(2), (4, 2))
  variables['centres']['at'] = start  # Far from the best ones.
  step = jax.jit(
    lambda variables: method.loss(variables, _batch(), None, base.Across())
  )
  distances = []
  for _ in range(12):
    found = step(variables)
    distances.append(float(found.terms['distance']))
    variables = variables | {'centres': found.collections['centres']}
  assert np.diff(distances).max() <= 1e-6 * distances[0]
  assert distances[-1] < 0.9 * distances[0]
