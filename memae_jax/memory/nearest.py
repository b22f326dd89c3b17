"""The nearest slots of a query, and how far they are: a memory as a detector.

Blocks of slots as in the other reads, and of queries: nothing of size [Q, N].
Candidates are found by matrix products; their distances are then computed from
differences, since |q|^2 + |m|^2 - 2 q.m loses what nearly equal vectors differ
by.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from memae_jax.memory import addressing, blocks

METRICS = ('euclidean', 'cosine')
_SPARE = 4  # Candidates beside the k nearest, for what rounding may swap.
_QUERIES = 512  # At a time, at least: enough for a matrix product.
_CACHED = 2**26  # Bytes at a time, beyond which caches of a CPU do not help.


class Neighbours(NamedTuple):
  """The k nearest slots of each query, the nearest first.

  distance: [Q, k] Euclidean distances; by 'cosine' those of the unit vectors,
    from 0 to 2. Infinite where there are fewer than k slots.
  index: [Q, k] int32 numbers of the slots, over all devices of an axis. Of
    slots at the same distance the one with the lower number comes first.
  """

  distance: jax.Array
  index: jax.Array


def nearest(
  query: jax.Array,
  slots: jax.Array,
  k: int = 1,
  metric: str = 'euclidean',
  *,
  slot_mask: jax.Array | None = None,
  read_bytes: int = 2**28,
  axis: str | None = None,
) -> Neighbours:
  """Finds the nearest slots.

  Args:
    query: [Q, C].
    slots: [N, C]; with an axis, those of this device.
    k: neighbours of each query, at most all slots of a device.
    metric: 'euclidean', or 'cosine' to compare directions.
    slot_mask: [N] bool; False marks slots that do not exist.
    read_bytes: about what may live at a time besides queries and slots.
    axis: name of a mesh axis that the slots are spread over, inside
      `jax.shard_map`; all else is the same on its devices.

  Returns:
    `Neighbours`, float32 (float64 for float64 queries).

  Raises:
    ValueError: unknown metric, or k is not in 1 .. N.

  Example:
    The query is the second slot, and 5 away from the first one.

    >>> slots = jnp.array([[0.0, 0.0], [3.0, 4.0], [9.0, 9.0]])
    >>> out = nearest(jnp.array([[3.0, 4.0]]), slots, k=2)
    >>> print(out.index, out.distance)
    [[1 0]] [[0. 5.]]
  """
  count = slots.shape[0]
  if metric not in METRICS:
    raise ValueError(f'metric is "{metric}"; use "euclidean" or "cosine"')
  if not 1 <= k <= count:
    raise ValueError(f'k is {k}, but there are {count} slots')
  query, slots = jnp.asarray(query), jnp.asarray(slots)
  query = query.astype(jnp.promote_types(jnp.float32, query.dtype))
  # Half a squared distance is made of dot products.
  similarity = 'cosine' if metric == 'cosine' else 'dot'
  by_tiles = lambda most: functools.partial(_by_tiles, similarity, k, most)
  found = jax.lax.platform_dependent(
    *(blocks.keys(query, similarity), slots, slot_mask),
    cpu=by_tiles(min(read_bytes, _CACHED)),
    default=by_tiles(read_bytes),
  )
  if axis is None:
    return found
  index = jax.lax.axis_index(axis) * count + found.index
  return _of_all_devices(found._replace(index=index), axis)


def _of_all_devices(found: Neighbours, axis: str) -> Neighbours:
  """Returns the nearest of all devices of an axis, on each of them.

  Each compares them for its share of the queries: what is sent and held does
  not grow with the number of devices.
  """
  queries, k = found.index.shape
  more = -queries % jax.lax.axis_size(axis)
  found = jax.tree.map(lambda x: jnp.pad(x, ((0, more), (0, 0))), found)
  share = jax.lax.all_to_all(
    found, axis, split_axis=0, concat_axis=1, tiled=True
  )
  found = jax.lax.all_gather(_sorted(share, k), axis, tiled=True)
  return jax.tree.map(lambda x: x[:queries], found)


def _by_tiles(
  similarity: str, k: int, read_bytes: int, query, slots, slot_mask
) -> Neighbours:
  """Returns the nearest slots of this device, for some queries at a time.

  Args:
    similarity: 'cosine' or 'dot'.
    k, slots, slot_mask: see `nearest`.
    read_bytes: that the arrays of a block of slots may take together.
    query: [Q, C] from `blocks.keys`.
  """
  count, (queries, width) = slots.shape[0], query.shape
  most = max(_QUERIES, read_bytes // (4 * blocks.LIVE * count))
  tiles = -(-queries // most) or 1
  each = -(-queries // tiles)
  # As even as multiples of 128 can be: the last block overlaps another least.
  number = -(-count // blocks.chunk_size(each, count, read_bytes))
  chunk = min(-(-count // (128 * number)) * 128, count)
  options = addressing.ReadOptions(similarity, chunk=chunk, k=k)

  def of_tile(query):
    index = _candidates(options, query, slots, slot_mask)
    return _sorted(_distances(similarity, query, slots, slot_mask, index), k)

  if tiles == 1:
    return of_tile(query)
  query = jnp.pad(query, ((0, tiles * each - queries), (0, 0)))
  found = jax.lax.map(of_tile, query.reshape(tiles, each, width))
  return jax.tree.map(lambda x: x.reshape(-1, k)[:queries], found)


def _candidates(options, query, slots, slot_mask) -> jax.Array:
  """Returns numbers of the slots that look nearest, some more than k."""

  def step(carry, block):
    best, index = carry
    key = blocks.keys(block.slots.astype(query.dtype), options.similarity)
    # Half of |q|^2 - |q - m|^2, which ranks as minus the distance.
    score = blocks.matmul(query, key.T) - jnp.sum(key**2, axis=1)[None] / 2
    score = jnp.where(block.exists[None, :], score, -jnp.inf)
    return blocks.keep_highest(best, index, score, block)

  shape = query.shape[0], min(options.k + _SPARE, slots.shape[0])
  start = (
    jnp.full(shape, -jnp.inf, query.dtype),
    jnp.zeros(shape, jnp.int32),
  )
  return blocks.fold(options, step, start, slots, slot_mask)[1]


def _distances(similarity, query, slots, slot_mask, index) -> Neighbours:
  """Returns distances to slots of these numbers [Q, k], infinite to none."""

  def to_one(column):
    key = blocks.keys(slots[column].astype(query.dtype), similarity)
    return jnp.sqrt(jnp.sum((query - key) ** 2, axis=1))

  # One candidate of every query at a time: [Q, C], not [Q, k, C].
  distance = jax.lax.map(to_one, index.T).T
  if slot_mask is not None:
    distance = jnp.where(jnp.asarray(slot_mask)[index], distance, jnp.inf)
  # Where there are fewer slots than candidates, one stands there repeatedly.
  earlier = jnp.tril(index[:, :, None] == index[:, None, :], -1).any(axis=2)
  return Neighbours(jnp.where(earlier, jnp.inf, distance), index)


def _sorted(found: Neighbours, k: int) -> Neighbours:
  """Returns the k nearest in order; equal distances by the slots' numbers."""
  distance, index = jax.lax.sort(
    (found.distance, found.index), dimension=1, num_keys=2
  )
  return Neighbours(distance[:, :k], index[:, :k])
