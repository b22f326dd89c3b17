"""The nearest slots of a query, and how far they are: a memory as a detector.

Blocks of slots as in the other reads, and of queries: nothing of size [Q, N].
Candidates are found by matrix products; their distances are then computed from
differences, since |q|^2 + |m|^2 - 2 q.m loses what nearly equal vectors differ
by.

Each slot may have a weight that its distances are multiplied by: a slot that
is doubted counts as farther away than it is.
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
  if metric not in METRICS:
    raise ValueError(f'metric is "{metric}"; use "euclidean" or "cosine"')
  # Half a squared distance is made of dot products.
  similarity = 'cosine' if metric == 'cosine' else 'dot'
  options = addressing.ReadOptions(
    similarity, read_bytes=read_bytes, axis=axis, k=k
  )
  return _nearest(options, query, _Slots(slots, None, slot_mask))


def weighted(
  query: jax.Array,
  slots: jax.Array,
  weights: jax.Array,
  k: int = 1,
  *,
  slot_mask: jax.Array | None = None,
  read_bytes: int = 2**28,
  axis: str | None = None,
) -> Neighbours:
  """Finds the slots with the least weighted distance, w |q - m|.

  Args:
    query: [Q, C].
    slots: [N, C]; with an axis, those of this device.
    weights: [N] of these slots, finite and at least 0.
    k, slot_mask, read_bytes, axis: see `nearest`.

  Returns:
    `Neighbours` by their weighted Euclidean distances.

  Raises:
    ValueError: k is not in 1 .. N.

  Example:
    The first slot is 1 away and the second one 2, but the first one counts
    three times.

    >>> slots, weights = jnp.array([[1.0], [4.0]]), jnp.array([3.0, 1.0])
    >>> out = weighted(jnp.array([[2.0]]), slots, weights, k=2)
    >>> print(out.index, out.distance)
    [[1 0]] [[2. 3.]]
  """
  options = addressing.ReadOptions('dot', read_bytes=read_bytes, axis=axis, k=k)
  return _nearest(options, query, _Slots(slots, weights, slot_mask))


def at(
  slots: jax.Array, index: jax.Array, axis: str | None = None
) -> jax.Array:
  """Returns slots by their numbers, on every device of an axis.

  Args:
    slots: [N, C]; with an axis, those of this device.
    index: [Q] numbers as in `Neighbours`, the same on all devices.
    axis: see `nearest`.

  Returns:
    [Q, C].

  Example:
    >>> print(at(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([1])))
    [[3. 4.]]
  """
  own, here = _own(slots, index, axis)
  found = jnp.where(here[:, None], jnp.asarray(slots)[own], 0)
  return found if axis is None else jax.lax.psum(found, axis)


def distances(
  query: jax.Array,
  slots: jax.Array,
  index: jax.Array,
  axis: str | None = None,
) -> jax.Array:
  """Returns the Euclidean distances of queries to slots of their own.

  Args:
    query: [Q, C].
    slots: [N, C]; with an axis, those of this device.
    index: [Q, k] numbers as in `Neighbours`, the same on all devices.
    axis: see `nearest`.

  Returns:
    [Q, k].

  Example:
    >>> slots = jnp.array([[0.0, 0.0], [3.0, 4.0]])
    >>> index = jnp.array([[1, 0, 1]])
    >>> print(distances(jnp.array([[0.0, 0.0]]), slots, index))
    [[5. 0. 5.]]
  """
  own, here = _own(slots, index, axis)
  slots = _Slots(jnp.asarray(slots), None, None)
  found = _measured('dot', jnp.asarray(query), slots, own)
  found = jnp.where(here, found, 0)
  return found if axis is None else jax.lax.psum(found, axis)


class _Slots(NamedTuple):
  """Slots of this device [N, C], their weights and whether they exist, [N]."""

  vectors: jax.Array
  weights: jax.Array | None
  mask: jax.Array | None


def _own(slots, index, axis) -> tuple[jax.Array, jax.Array]:
  """Returns numbers among the slots of this device, and which of them are."""
  count = len(slots)
  own = index - (0 if axis is None else jax.lax.axis_index(axis) * count)
  return jnp.clip(own, 0, count - 1), (own >= 0) & (own < count)


def _nearest(options, query, slots: _Slots) -> Neighbours:
  count, k, axis = len(slots.vectors), options.k, options.axis
  if not 1 <= k <= count:
    raise ValueError(f'k is {k}, but there are {count} slots')
  slots = _Slots(*(x if x is None else jnp.asarray(x) for x in slots))
  query = jnp.asarray(query)
  query = query.astype(jnp.promote_types(jnp.float32, query.dtype))
  most = min(options.read_bytes, _CACHED)
  found = jax.lax.platform_dependent(
    *(blocks.keys(query, options.similarity), slots),
    cpu=functools.partial(_by_tiles, options._replace(read_bytes=most)),
    default=functools.partial(_by_tiles, options),
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


def _by_tiles(options, query, slots: _Slots) -> Neighbours:
  """Returns the nearest slots of this device, for some queries at a time.

  Args:
    options: similarity, k, and the bytes that the arrays of a block of slots
      may take together.
    query: [Q, C] from `blocks.keys`.
    slots: of this device.
  """
  k, read_bytes = options.k, options.read_bytes
  count, (queries, width) = len(slots.vectors), query.shape
  most = max(_QUERIES, read_bytes // (4 * blocks.LIVE * count))
  tiles = -(-queries // most) or 1
  each = -(-queries // tiles)
  # As even as multiples of 128 can be: the last block overlaps another least.
  number = -(-count // blocks.chunk_size(each, count, read_bytes))
  chunk = min(-(-count // (128 * number)) * 128, count)
  options = addressing.ReadOptions(options.similarity, chunk=chunk, k=k)

  def of_tile(query):
    index = _candidates(options, query, slots)
    return _sorted(_existing(options.similarity, query, slots, index), k)

  if tiles == 1:
    return of_tile(query)
  query = jnp.pad(query, ((0, tiles * each - queries), (0, 0)))
  found = jax.lax.map(of_tile, query.reshape(tiles, each, width))
  return jax.tree.map(lambda x: x.reshape(-1, k)[:queries], found)


def _candidates(options, query, slots: _Slots) -> jax.Array:
  """Returns numbers of the slots that look nearest, some more than k."""
  squares = jnp.sum(query**2, axis=1)[:, None]

  def step(carry, block):
    best, index = carry
    key = blocks.keys(block.slots.astype(query.dtype), options.similarity)
    # Half of |q|^2 - |q - m|^2, which ranks as minus the distance.
    score = blocks.matmul(query, key.T) - jnp.sum(key**2, axis=1)[None] / 2
    if slots.weights is not None:
      weight = jax.lax.dynamic_slice_in_dim(
        slots.weights, block.start, len(block.index)
      )
      score = (score - squares / 2) * (weight**2).astype(query.dtype)[None]
    score = jnp.where(block.exists[None, :], score, -jnp.inf)
    return blocks.keep_highest(best, index, score, block)

  shape = query.shape[0], min(options.k + _SPARE, len(slots.vectors))
  start = (
    jnp.full(shape, -jnp.inf, query.dtype),
    jnp.zeros(shape, jnp.int32),
  )
  return blocks.fold(options, step, start, slots.vectors, slots.mask)[1]


def _measured(similarity, query, slots: _Slots, index) -> jax.Array:
  """Returns [Q, k] weighted distances to slots of this device."""

  def to_one(column):
    key = blocks.keys(slots.vectors[column].astype(query.dtype), similarity)
    return jnp.sqrt(jnp.sum((query - key) ** 2, axis=1))

  # One candidate of every query at a time: [Q, C], not [Q, k, C].
  distance = jax.lax.map(to_one, index.T).T
  if slots.weights is None:
    return distance
  return distance * slots.weights.astype(query.dtype)[index]


def _existing(similarity, query, slots: _Slots, index) -> Neighbours:
  """Returns weighted distances, infinite to slots that are not there."""
  distance = _measured(similarity, query, slots, index)
  if slots.mask is not None:
    distance = jnp.where(slots.mask[index], distance, jnp.inf)
  # Where there are fewer slots than candidates, one stands there repeatedly.
  earlier = jnp.tril(index[:, :, None] == index[:, None, :], -1).any(axis=2)
  return Neighbours(jnp.where(earlier, jnp.inf, distance), index)


def _sorted(found: Neighbours, k: int) -> Neighbours:
  """Returns the k nearest in order; equal distances by the slots' numbers."""
  distance, index = jax.lax.sort(
    (found.distance, found.index), dimension=1, num_keys=2
  )
  return Neighbours(distance[:, :k], index[:, :k])
