"""Blocks of positions: their maxima, and as many copies of a value."""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp


def max_pool(x: jax.Array, strides: Sequence[int]) -> jax.Array:
  """Takes the maximum of blocks: [B, *n, C] -> [B, *ceil(n / s), C].

  Of equal values the first gets the gradient. That of `jnp.max` divides by how
  many values equal the maximum: none at all where XLA computes them again with
  another rounding.

  Args:
    x: [B, *n, C].
    strides: s, the size of a block; the last block may be smaller.
  """
  fill = jnp.array(-jnp.inf, x.dtype)
  edges = [(0, -n % s, 0) for n, s in zip(x.shape[1:-1], strides)]
  x = jax.lax.pad(x, fill, [(0, 0, 0), *edges, (0, 0, 0)])
  blocks = [
    part for n, s in zip(x.shape[1:-1], strides) for part in (n // s, s)
  ]
  x = x.reshape(x.shape[0], *blocks, x.shape[-1])
  for axis in range(2, len(blocks) // 2 + 2):  # Each one leaves a place less.
    parts = [
      jax.lax.index_in_dim(x, i, axis, keepdims=False)
      for i in range(x.shape[axis])
    ]
    x = functools.reduce(lambda a, b: jnp.where(b > a, b, a), parts)
  return x


def up_sample(
  x: jax.Array, strides: Sequence[int], size: Sequence[int]
) -> jax.Array:
  """Repeats each position s times: [B, *m, C] -> [B, *size, C].

  Args:
    x: [B, *m, C].
    strides: s, one per spatial axis.
    size: of the result, at most m s.
  """
  for axis, (stride, n) in enumerate(zip(strides, size), 1):
    x = jnp.repeat(x, stride, axis=axis)
    x = jax.lax.slice_in_dim(x, 0, n, axis=axis)
  return x
