"""Maxima of blocks, and the way back."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.models import blocks


@pytest.mark.parametrize('size', [(8, 8), (7, 9)])
def test_pooling_is_that_of_flax(size):
  x = jax.random.normal(jax.random.key(0), (2, *size, 3))
  np.testing.assert_array_equal(
    blocks.max_pool(x, (2, 2)), nn.max_pool(x, (2, 2), (2, 2), 'SAME')
  )
  up = blocks.up_sample(blocks.max_pool(x, (2, 2)), (2, 2), size)
  assert up.shape == x.shape
  np.testing.assert_array_equal(up[:, 0, 0], up[:, 1, 1])
  assert (np.asarray(up) >= np.asarray(x)).all()


def test_of_equal_values_the_first_has_the_gradient():
  x = jnp.zeros((1, 3, 2, 4, 1))
  gradient = jax.grad(lambda x: blocks.max_pool(x, (2, 2, 2)).sum())(x)
  expected = np.zeros(x.shape)
  expected[:, ::2, ::2, ::2] = 1
  np.testing.assert_array_equal(gradient, expected)
