"""What the logits of PixelCNN depend on: all values before, and none after."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.models import pixelcnn


def _slopes(shape, layers, width):
  """Sizes [n, n] of gradients of the logits of value i by value j."""
  network = pixelcnn.PixelCnn(levels=3, layers=layers, width=width)
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.uniform(-1, 1, (1, *shape)), jnp.float32)
  variables = network.init(jax.random.key(0), x)
  draw = lambda leaf: jnp.float32(rng.normal(size=leaf.shape) / leaf.shape[-1])
  variables = jax.tree.map(draw, variables)
  weigh = jnp.arange(1.0, 4.0)[None]

  def each(x):
    logits = network.apply(variables, x)
    return jnp.sum(logits.reshape(-1, 3) * weigh, axis=1)

  slopes = jax.jit(jax.jacrev(each))(x)
  return np.abs(slopes).reshape(x.size, x.size)


@pytest.mark.parametrize(
  ('shape', 'layers', 'width'), [((6, 7, 1), 5, 8), ((4, 5, 3), 3, 13)]
)
def test_logits_depend_on_all_values_before_and_on_no_other(
  shape, layers, width
):
  """In the order of rows, columns, channels; there is no blind spot."""
  slopes = _slopes(shape, layers, width)
  later = np.triu(np.ones_like(slopes, bool))
  np.testing.assert_array_equal(slopes[later], 0)
  assert slopes[~later].min() > 0


def test_a_value_sees_two_rows_more_than_there_are_layers():
  rows = 7
  slopes = _slopes((rows, 1, 1), layers=2, width=8)
  seen = slopes[-1] > 0
  np.testing.assert_array_equal(seen, [0, 0, 1, 1, 1, 1, 0])


def test_logits_are_float32_whatever_it_computes_in():
  network = pixelcnn.PixelCnn(4, 1, 2, jnp.bfloat16)
  shape = jax.eval_shape(
    lambda x: network.init_with_output(jax.random.key(0), x)[0],
    np.zeros((2, 3, 5, 2), np.float32),
  )
  assert shape.shape == (2, 3, 5, 2, 4) and shape.dtype == jnp.float32
