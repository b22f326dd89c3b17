"""Order of the training samples: a pure function of (seed, position).

Training reads an endless sequence of positions 0, 1, 2, ... Position p of a
set of n samples belongs to epoch p // n and takes the (p % n)-th sample of
that epoch's own random order. The order is a keyed bijection of {0..n-1},
computed for just the positions asked for, so nothing is stored, n may differ
between replicas of one program, and resuming needs only the step. All of it is
exact integer arithmetic: the host (numpy) and any device agree to the bit.
"""

import jax
import numpy as np

_ROUNDS = 6


def _hash(x):
  """Mixes uint32 well (the "lowbias32" constants of Chris Wellons)."""
  x = x ^ (x >> 16)
  x = x * np.uint32(0x7FEB352D)
  x = x ^ (x >> 15)
  x = x * np.uint32(0x846CA68B)
  return x ^ (x >> 16)


def _permute_once(index, key, rows, columns):
  """Applies a bijection of {0 .. rows * columns - 1}: keyed rotations."""
  left, right = index // columns, index % columns
  for i in range(_ROUNDS):
    salt = _hash(key + np.uint32(2 * i + 1))
    left = (left + _hash(right + salt) % rows) % rows
    salt = _hash(key + np.uint32(2 * i + 2))
    right = (right + _hash(left + salt) % columns) % columns
  return left * columns + right


def _ceil_sqrt(count):
  """Returns the smallest r with r * r >= count, for counts up to 2**31."""
  xp = count.__array_namespace__()
  r = xp.ceil(xp.sqrt(count.astype(xp.float32))).astype(xp.uint32)
  # Float32 may be one off, and not on every device alike.
  r = xp.where((r - 1) * (r - 1) >= count, r - 1, r)
  return xp.where(r * r < count, r + 1, r)


def permute(index, key, count):
  """Applies the bijection of {0 .. count-1} that belongs to `key`.

  Args:
    index: [..., B] uint32 of numpy or jax.numpy, each below `count`.
    key: uint32 that broadcasts against `index`.
    count: uint32 that broadcasts against `index`, from 1 to 2**31; may be
      traced.

  Returns:
    [..., B] uint32 of the same library, each below `count`.
  """
  xp = index.__array_namespace__()
  count = xp.asarray(count, xp.uint32)
  rows = _ceil_sqrt(count)
  columns = (count + rows - 1) // rows
  key, rows, columns = (
    xp.broadcast_to(v, index.shape)
    for v in (xp.asarray(key, xp.uint32), rows, columns)
  )
  index = _permute_once(index.astype(xp.uint32), key, rows, columns)
  # The grid is a little larger than `count`: an index beyond it is permuted
  # again until it is below `count`.
  if xp is not np:
    step = lambda i: _permute_once(i, key, rows, columns)
    return jax.lax.while_loop(
      lambda i: xp.any(i >= count),
      lambda i: xp.where(i >= count, step(i), i),
      index,
    )
  while (out := index >= count).any():
    index[out] = _permute_once(index[out], key[out], rows[out], columns[out])
  return index


def sample_at(position, seed, count):
  """Returns which of `count` samples is at each position.

  Args:
    position: [B] uint32 of numpy or jax.numpy, below 2**32.
    seed: scalar uint32, or [G, 1] for the samples of G orders at once; under
      numpy it must be an array, since numpy warns of scalars that wrap.
    count: number of samples, of the shape of `seed`; may be traced.

  Returns:
    [B] or [G, B] int32 in {0 .. count-1}. Positions k*count .. (k+1)*count - 1
    hold every sample once.
  """
  xp = position.__array_namespace__()
  count = xp.asarray(count, xp.uint32)
  epoch = position // count
  key = _hash(_hash(xp.asarray(seed, xp.uint32)) + epoch)
  return permute(position % count, key, count).astype(xp.int32)
