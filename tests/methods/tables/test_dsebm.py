"""DSEBM: reconstructions are gradients of the energy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.methods import base
from memae_jax.methods.tables import dsebm
from memae_jax.training import fleet


def _method(shape, name='dsebm_e'):
  settings = {name: {'widths': (6, 4), 'noise': 0.3}}
  config = config_lib.resolve(
    {'data': {'protocol': 'random_rows'}, 'methods': settings}
  )
  replica = fleet.Replica('r', name, 0, None, 1, 1.0, 0.0, 1e-3)
  return dsebm.build(config, shape, [replica])


@pytest.mark.parametrize('shape', [(5,), (7, 6, 3)])
def test_what_is_rebuilt_is_the_input_less_the_slope_of_the_energy(shape):
  method = _method(shape)
  rng = np.random.default_rng(0)
  x = rng.normal(size=(3, *shape)).astype(np.float32)
  variables = method.init(jax.random.key(0), x, None)
  np.testing.assert_allclose(
    variables['params']['bias'], x.mean(axis=0), atol=1e-6
  )
  found = method.predict(variables, x, None, None, None)
  way = rng.normal(size=x.shape).astype(np.float32)
  step = 1e-2
  ahead, behind = (
    method.predict(variables, x + s * way, None, None, None).scores['energy']
    for s in (step, -step)
  )
  slope = (x - found.output) * way
  np.testing.assert_allclose(
    np.sum(np.asarray(slope).reshape(3, -1), axis=1),
    (ahead - behind) / (2 * step),
    rtol=2e-2, atol=2e-2,
  )  # fmt: skip


def test_energies_are_those_of_the_formula_and_names_choose_the_score():
  method = _method((5,))
  x = np.random.default_rng(0).normal(size=(4, 5)).astype(np.float32)
  variables = method.init(jax.random.key(0), x, None)
  params = jax.tree.map(np.asarray, variables['params'])
  h = x
  for layer in ('Dense_0', 'Dense_1'):
    h = np.logaddexp(0, h @ params[layer]['kernel'] + params[layer]['bias'])
  wanted = 0.5 * np.square(x - params['bias'][None]).sum(axis=1) - h.sum(axis=1)
  found = method.predict(variables, x, None, None, None).scores
  np.testing.assert_allclose(found['energy'], wanted, rtol=1e-4, atol=1e-4)
  assert method.score == 'energy' and _method((5,), 'dsebm_r').score == 'mse'


def test_it_learns_to_take_noise_away():
  method = _method((5,))
  x = np.random.default_rng(0).normal(size=(64, 5)).astype(np.float32) * 0.01
  keys = jax.random.split(jax.random.key(1), len(x))
  batch = base.Batch(jnp.asarray(x), None, keys, len(x))
  variables = method.init(jax.random.key(0), x, None)

  def loss(params):
    return method.loss({'params': params}, batch, None, base.Across()).loss

  step = jax.jit(jax.value_and_grad(loss))
  params, values = variables['params'], []
  for _ in range(100):
    value, slope = step(params)
    values.append(float(value))
    params = jax.tree.map(lambda p, g: p - 0.02 * g, params, slope)
  assert values[-1] < 0.8 * values[0]
