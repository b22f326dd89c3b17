"""Which sample comes when: a pure function of (seed, position).

Training reads an endless sequence of positions 0, 1, 2, ... Position p of a
set of n samples belongs to epoch p // n and takes the (p % n)-th sample of
that epoch's own random order. The order is a keyed bijection of {0..n-1},
computed for just the positions asked for, so nothing is stored, n may differ
between replicas of one program, and resuming needs only the step.
"""

import jax
import jax.numpy as jnp

_ROUNDS = 6


def _hash(x: jax.Array) -> jax.Array:
  """Mixes uint32 well (the "lowbias32" constants of Chris Wellons)."""
  x = x ^ (x >> 16)
  x = x * jnp.uint32(0x7FEB352D)
  x = x ^ (x >> 15)
  x = x * jnp.uint32(0x846CA68B)
  return x ^ (x >> 16)


def _permute_once(index, key, rows, columns):
  """A bijection of {0 .. rows * columns - 1}: rounds of keyed rotations."""
  left, right = index // columns, index % columns
  for i in range(_ROUNDS):
    salt = _hash(key + jnp.uint32(2 * i + 1))
    left = (left + _hash(right + salt) % rows) % rows
    salt = _hash(key + jnp.uint32(2 * i + 2))
    right = (right + _hash(left + salt) % columns) % columns
  return left * columns + right


def permute(index: jax.Array, key: jax.Array, count: jax.Array) -> jax.Array:
  """Applies the bijection of {0 .. count-1} that belongs to `key`.

  Args:
    index: [B] uint32, each below `count`.
    key: [B] or scalar uint32.
    count: scalar uint32, from 1 to 2**31; may be traced.

  Returns:
    [B] uint32, each below `count`.
  """
  count = jnp.asarray(count, jnp.uint32)
  rows = jnp.ceil(jnp.sqrt(count.astype(jnp.float32))).astype(jnp.uint32)
  columns = (count + rows - 1) // rows
  key = jnp.broadcast_to(jnp.asarray(key, jnp.uint32), index.shape)
  step = lambda i: _permute_once(i, key, rows, columns)
  # The grid is a little larger than count: walk on until inside again.
  return jax.lax.while_loop(
    lambda i: jnp.any(i >= count),
    lambda i: jnp.where(i >= count, step(i), i),
    step(index.astype(jnp.uint32)),
  )


def sample_at(
  position: jax.Array, seed: jax.Array, count: jax.Array
) -> jax.Array:
  """Returns which of `count` samples stand at the positions.

  Args:
    position: [B] uint32, below 2**32.
    seed: scalar uint32.
    count: scalar, number of samples; may be traced.

  Returns:
    [B] int32 in {0 .. count-1}. Positions k*count .. (k+1)*count - 1 hold
    every sample once.
  """
  count = jnp.asarray(count, jnp.uint32)
  epoch = position // count
  key = _hash(_hash(jnp.asarray(seed, jnp.uint32)) + epoch)
  return permute(position % count, key, count).astype(jnp.int32)
