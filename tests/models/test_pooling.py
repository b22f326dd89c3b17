"""Overlapping pools and unpools against plain NumPy, window by window."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.models import pooling

SIZES = (55, 27), (13, 6), (1, 2), (4, 3)


def _count(size):
  """Windows of 3 that begin every 2 pixels, until none is left out."""
  count = 1
  while 2 * (count - 1) + 3 < size:
    count += 1
  return count


def _pooled(x):
  """The maxima of [H, W] and where they are in their windows."""
  shape = tuple(map(_count, x.shape))
  value, place = np.zeros(shape), np.zeros(shape, int)
  for i, j in np.ndindex(shape):
    best = -np.inf
    for r in range(3):
      for c in range(3):
        row, column = 2 * i + r, 2 * j + c
        if row < x.shape[0] and column < x.shape[1] and x[row, column] > best:
          best, place[i, j] = x[row, column], 3 * r + c
    value[i, j] = best
  return value, place


def _unpooled(y, place, size):
  out = np.zeros(size)
  for i, j in np.ndindex(y.shape):
    out[2 * i + place[i, j] // 3, 2 * j + place[i, j] % 3] += y[i, j]
  return out


@pytest.mark.parametrize('size', SIZES, ids=str)
def test_maxima_and_their_places(size):
  rng = np.random.default_rng(0)
  x = rng.normal(size=(2, *size, 3)).round(1)  # Some values are equal.
  value, place = jax.jit(pooling.max_pool)(jnp.asarray(x, jnp.float32))
  assert value.shape[1:3] == tuple(map(pooling.pooled, size))
  y = rng.normal(size=value.shape)
  back = jax.jit(pooling.unpool, static_argnums=2)(
    jnp.asarray(y, jnp.float32), place, size
  )
  for b, c in np.ndindex(2, 3):
    highest, where = _pooled(x[b, ..., c])
    np.testing.assert_allclose(value[b, ..., c], highest, atol=1e-5)
    np.testing.assert_array_equal(place[b, ..., c], where)
    expected = _unpooled(y[b, ..., c], where, size)
    np.testing.assert_allclose(back[b, ..., c], expected, atol=1e-5)


def test_unpooling_is_the_adjoint_of_pooling():
  x = jax.random.normal(jax.random.key(0), (2, 9, 12, 3))
  value, place = jax.jit(pooling.max_pool)(x)
  y = jax.random.normal(jax.random.key(1), value.shape)
  product = lambda x: jnp.vdot(pooling.max_pool(x)[0], y)
  gradient = jax.jit(jax.grad(product))(x)
  np.testing.assert_allclose(
    jax.jit(pooling.unpool, static_argnums=2)(y, place, (9, 12)),
    gradient,
    atol=1e-6,
  )


@pytest.mark.parametrize('size', SIZES, ids=str)
def test_values_are_spread_over_their_windows(size):
  count = tuple(map(_count, size))
  y = np.random.default_rng(0).normal(size=(2, *count, 3))
  out = pooling.spread(jnp.asarray(y, jnp.float32), size)
  rows, columns = (
    np.minimum(np.arange(n) // 2, m - 1) for n, m in zip(size, count)
  )
  expected = y[:, rows][:, :, columns]
  np.testing.assert_allclose(out, expected, atol=1e-6)
  # Each pixel lies in the window whose value it has.
  for n, index in zip(size, (rows, columns)):
    assert (
      (np.arange(n) - 2 * index >= 0) & (np.arange(n) < 2 * index + 3)
    ).all()
