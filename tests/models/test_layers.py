"""Batch normalisation: its moments with padding, on one device and many."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from memae_jax.models import layers


def _moved(x, mask=None, axis=None):
  """Returns the stored mean and variance after a step without momentum."""
  norm = layers.BatchNorm(jnp.float32, axis, momentum=0.0)
  variables = {
    'params': {'scale': jnp.ones(8), 'bias': jnp.zeros(8)},
    'batch_stats': {'mean': jnp.zeros(8), 'var': jnp.ones(8)},
  }
  _, moved = norm.apply(variables, x, True, mask, mutable='batch_stats')
  return moved['batch_stats']['mean'], moved['batch_stats']['var']


@pytest.mark.parametrize('padding', [0, 8])
@pytest.mark.parametrize('parts', [1, 8])
def test_a_variance_that_is_small_beside_the_mean(padding, parts):
  x = np.random.default_rng(0).normal(1000, 1, (64, 3, 8)).astype(np.float32)
  padded = np.concatenate([x, np.full((padding, 3, 8), 7, np.float32)])
  mask = np.arange(len(padded)) < 64 if padding else None
  function = _moved
  if parts > 1:
    mesh = jax.make_mesh(
      (parts,), ('data',), axis_types=(jax.sharding.AxisType.Auto,)
    )
    spec = P('data') if padding else None
    function = jax.shard_map(
      lambda x, mask: _moved(x, mask, 'data'),
      mesh=mesh,
      in_specs=(P('data'), spec),
      out_specs=P(),
      check_vma=False,
    )
  mean, var = jax.jit(function)(padded, mask)
  exact = x.astype(np.float64)
  np.testing.assert_allclose(mean, exact.mean((0, 1)), rtol=1e-6)
  np.testing.assert_allclose(var, exact.var((0, 1)), rtol=1e-5)


@pytest.mark.parametrize(
  ('name', 'function'),
  [
    ('none', lambda x: x),
    ('sigmoid', lambda x: 1 / (1 + np.exp(-x))),
    ('tanh', np.tanh),
    ('relu', lambda x: np.maximum(x, 0)),
  ],
)
def test_activations_of_an_output(name, function):
  x = np.linspace(-9, 9, 37)
  found = layers.output(jnp.asarray(x, jnp.float32), name)
  np.testing.assert_allclose(found, function(x), rtol=1e-5, atol=1e-6)
  half = layers.output(jnp.asarray(x, jnp.bfloat16), name)
  assert half.dtype == (jnp.bfloat16 if name == 'none' else jnp.float32)
