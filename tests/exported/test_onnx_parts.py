"""Steps that cut, join, order, pad, convolve or repeat."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.memory import nearest
from memae_jax.runtime import errors
from tests.exported import test_onnx_model


def _mean(x):
  return jnp.mean(x, axis=tuple(range(1, x.ndim)))


def _weighted(x):
  """A number that depends on the order of values."""
  return _mean(x @ jnp.arange(1.0, 1 + x.shape[-1]))


def _convolved(x, kernel, **fields):
  return jax.lax.conv_general_dilated(
    x, kernel, dimension_numbers=('NHWC', 'HWIO', 'NHWC'), **fields
  )


_KERNEL = np.random.default_rng(1).normal(size=(3, 3, 2, 4)).astype(np.float32)


@pytest.mark.parametrize(
  'function',
  [
    lambda x: x[:, 1:5:2, 1:],
    lambda x: jnp.concatenate([x, 2 * x[:, :1]], axis=1),
    lambda x: jnp.stack(jnp.split(x, 3, axis=1), axis=-1),
    lambda x: jax.lax.top_k(x, 2)[0],
    lambda x: jnp.take_along_axis(x, jax.lax.top_k(x, 2)[1], axis=2),
    lambda x: jax.lax.sort((jnp.floor(x), x), dimension=2, num_keys=2)[1],
    lambda x: jax.lax.dynamic_update_slice(x, x[:, :2], (0, 3, 0)),
    lambda x: jax.lax.pad(x, 7.0, [(0, 0, 0), (1, 2, 1), (-1, 0, 0)]),
    lambda x: jnp.moveaxis(jax.lax.map(jnp.tanh, jnp.moveaxis(x, 1, 0)), 0, 1),
    lambda x: jax.lax.fori_loop(0, 3, lambda i, y: y * 0.5 + i, x),
  ],
)
def test_steps(function):
  test_onnx_model.check(lambda x, _: _weighted(function(x)), (6, 4))


@pytest.mark.parametrize(
  'fields',
  [
    {'window_strides': (2, 1), 'padding': [(1, 1), (0, 2)]},
    {'window_strides': (1, 1), 'padding': 'SAME', 'rhs_dilation': (2, 1)},
    {
      'window_strides': (1, 1),
      'padding': [(1, 2), (0, 1)],
      'lhs_dilation': (2, 3),
    },
    {'window_strides': (1, 1), 'padding': [(-1, 0), (1, 1)]},
  ],
)
def test_convolutions(fields):
  test_onnx_model.check(
    lambda x, held: _weighted(_convolved(x, held['kernel'], **fields)),
    (7, 6, 2),
    {'kernel': _KERNEL},
    atol=1e-4,
  )


def test_nearest_slots():
  slots = np.random.default_rng(2).normal(size=(9, 5)).astype(np.float32)
  test_onnx_model.check(
    lambda x, held: nearest.nearest(x, held['slots'], k=3).distance[:, 2],
    (5,),
    {'slots': slots},
  )


def test_what_is_refused():
  def function(x, _):
    many = jax.lax.fori_loop(0, 600, lambda i, y: y * 0.5 + i, x)
    return many[:, 0]

  one_by_one = lambda x, _: jax.lax.map(jnp.sum, x)
  with pytest.raises(errors.UserError, match='takes samples one by one'):
    test_onnx_model.check(one_by_one, (2,))
  with pytest.raises(errors.UserError, match='a loop of 600 rounds'):
    test_onnx_model.check(function, (2,))
