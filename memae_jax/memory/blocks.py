"""Slots taken block by block, so that a read holds nothing of size [Q, N]."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from memae_jax.memory import addressing

LIVE = 4  # Arrays of [Q, slots] that a read and its gradient hold at a time.
_GROUP = 32  # Neighbours in a block of which only the highest is sorted first.


class Block(NamedTuple):
  """B consecutive slots.

  start: number of the first one on this device. index: [B] their numbers,
  counted over all devices of the axis. slots: [B, C]. exists: [B] bool, False
  for slots that are masked or were part of an earlier block.
  """

  start: jax.Array
  index: jax.Array
  slots: jax.Array
  exists: jax.Array


def chunk_size(queries: int, slots: int, read_bytes: int) -> int:
  """Returns the slots per block: a multiple of 128, or all if these are fewer.

  Args:
    queries: Q.
    slots: N.
    read_bytes: that `LIVE` float32 arrays of [Q, chunk] may take together.

  Example:
    4,096 queries and 256 slots make 4 MiB per array, so 16 MiB for four.

    >>> chunk_size(queries=4096, slots=2000, read_bytes=2**24)
    256
    >>> chunk_size(queries=4096, slots=50, read_bytes=2**24)
    50
  """
  fit = read_bytes // (LIVE * 4 * max(queries, 1))
  return min(max(fit // 128, 1) * 128, slots)


def static_options(
  options: addressing.ReadOptions, query: jax.Array, slots: jax.Array
) -> addressing.ReadOptions:
  """Returns the options that a read is compiled with.

  Their chunk is a number of at most N. Their temperature is 1: the queries
  are divided by the real one, which may be traced.

  Args:
    options: how to read.
    query: [Q, C] from `prepare`.
    slots: [N, C].

  Example:
    >>> query, slots = jnp.zeros((4, 2)), jnp.zeros((3, 2))
    >>> wanted = addressing.ReadOptions(temperature=0.5, chunk=100)
    >>> options = static_options(wanted, query, slots)
    >>> options.temperature, options.chunk
    (1.0, 3)
  """
  count = slots.shape[0]
  chunk = options.chunk or chunk_size(query.shape[0], count, options.read_bytes)
  return options._replace(temperature=1.0, chunk=min(chunk, count))


def fold(
  options: addressing.ReadOptions,
  step: Callable[[Any, Block], Any],
  carry: Any,
  slots: jax.Array,
  slot_mask: jax.Array | None,
) -> Any:
  """Calls carry = step(carry, block) for all blocks of slots, in order.

  The last block ends with the last slot. It overlaps the one before if chunk
  does not divide N: slots in padded copies would cost their size again.

  Args:
    options: from `static_options`.
    step: takes a carry and a block, returns the next carry.
    carry: the first one.
    slots: [N, C].
    slot_mask: [N] bool; False marks slots that do not exist. None: all do.

  Returns:
    The last carry.

  Example:
    Two blocks hold three slots. The second one has the second slot again, for
    which `exists` is False there: the sum has each slot once.

    >>> slots = jnp.array([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])
    >>> add = lambda total, block: total + block.exists @ block.slots
    >>> options = addressing.ReadOptions(chunk=2)
    >>> print(fold(options, add, jnp.zeros(2), slots, None))
    [ 6. 60.]
    >>> exists = jnp.array([True, True, False])
    >>> print(fold(options, add, jnp.zeros(2), slots, exists))
    [ 3. 30.]
  """
  count, chunk = slots.shape[0], options.chunk
  first = (
    0 if options.axis is None else jax.lax.axis_index(options.axis) * count
  )

  def body(number, carry):
    start = jnp.minimum(number * chunk, count - chunk)
    cut = lambda x: jax.lax.dynamic_slice_in_dim(x, start, chunk)
    index = start + jnp.arange(chunk, dtype=jnp.int32)
    exists = index >= number * chunk
    if slot_mask is not None:
      exists &= cut(slot_mask)
    return step(carry, Block(start, first + index, cut(slots), exists))

  return jax.lax.fori_loop(0, -(-count // chunk), body, carry)


def prepare(
  query: jax.Array, similarity: str, temperature: float | jax.Array
) -> jax.Array:
  """Returns vectors whose dot products with `keys` are the similarities.

  Args:
    query: [Q, C].
    similarity: 'cosine' or 'dot'.
    temperature: the similarities are divided by it.

  Returns:
    [Q, C] float32 (float64 for float64 queries).

  Example:
    The direction (0.6, 0.8) divided by a temperature of 0.5.

    >>> print(prepare(jnp.array([[3.0, 4.0]]), 'cosine', 0.5))
    [[1.2 1.6]]
  """
  query = query.astype(jnp.promote_types(jnp.float32, query.dtype))
  return keys(query, similarity) / temperature


def keys(slots: jax.Array, similarity: str) -> jax.Array:
  """Returns the slots as queries are compared with them.

  Args:
    slots: [N, C].
    similarity: 'dot' leaves them as they are, 'cosine' makes unit vectors.

  Raises:
    ValueError: the similarity is unknown.

  Example:
    >>> print(keys(jnp.array([[3.0, 4.0]]), 'cosine'))
    [[0.6 0.8]]
    >>> print(keys(jnp.array([[3.0, 4.0]]), 'dot'))
    [[3. 4.]]
  """
  if similarity == 'cosine':
    return addressing.normalise(slots)
  if similarity != 'dot':
    raise ValueError(f'similarity is "{similarity}"; use "cosine" or "dot"')
  return slots


def matmul(one: jax.Array, two: jax.Array) -> jax.Array:
  """Returns a matrix product in full precision, on accelerators, too.

  Example:
    >>> print(matmul(jnp.array([[1.0, 2.0]]), jnp.array([[3.0], [4.0]])))
    [[11.]]
  """
  return jnp.matmul(one, two, precision=jax.lax.Precision.HIGHEST)


def scores(query: jax.Array, block: Block, similarity: str) -> jax.Array:
  """Returns the [Q, B] similarities of queries to the slots of a block.

  Args:
    query: [Q, C] from `prepare`.
    block: of B slots.
    similarity: 'cosine' or 'dot'.

  Returns:
    [Q, B], -inf for slots that do not exist.

  Example:
    >>> index, exists = jnp.arange(2), jnp.array([True, False])
    >>> slots = jnp.array([[3.0, 4.0], [0.0, 1.0]])
    >>> block = Block(0, index, slots, exists)
    >>> print(scores(jnp.array([[2.0, 1.0]]), block, 'dot'))
    [[ 10. -inf]]
  """
  score = matmul(query, keys(block.slots.astype(query.dtype), similarity).T)
  return jnp.where(block.exists[None, :], score, -jnp.inf)


def keep_highest(
  best: jax.Array, index: jax.Array, score: jax.Array, block: Block
) -> tuple[jax.Array, jax.Array]:
  """Takes a block into the k highest similarities so far.

  Args:
    best: [Q, k] the highest so far, the highest first; -inf at first.
    index: [Q, k] int32 numbers of their slots.
    score: [Q, B] similarities to the slots of the block.
    block: of B slots, behind those of the blocks before: of equal similarities
      the earlier one stays in front.

  Returns:
    The new best and index.

  Example:
    The block has slots 5 and 6, and the second one is the most similar so far.

    >>> slots, exists = jnp.zeros((2, 1)), jnp.array([True, True])
    >>> block = Block(0, jnp.array([5, 6]), slots, exists)
    >>> best, index = jnp.array([[4.0, 2.0]]), jnp.array([[1, 3]])
    >>> score = jnp.array([[2.0, 8.0]])
    >>> print(*keep_highest(best, index, score, block))
    [[8. 4.]] [[6 1]]
  """
  k = best.shape[1]
  more, where = highest(score, min(k, score.shape[1]))
  best, order = jax.lax.top_k(jnp.concatenate([best, more], axis=1), k)
  both = jnp.concatenate([index, block.index[where]], axis=1)
  return best, jnp.take_along_axis(both, order, axis=1)


def highest(score: jax.Array, k: int) -> tuple[jax.Array, jax.Array]:
  """Returns the k highest of each row and where they stand, the highest first.

  The same as `jax.lax.top_k`, which takes a row one by one on a CPU. There the
  maxima of groups are taken first, by vector instructions: all of the k highest
  stand in the k groups of the highest maxima. Of equal ones the first k groups
  have the first k, if groups lie one behind the other.

  Args:
    score: [Q, B].
    k: how many, at most B.

  Returns:
    [Q, k] scores and [Q, k] int32 columns; of equal scores the first comes
    first.

  Example:
    >>> best, column = highest(jnp.array([[4.0, 8.0, 2.0, 8.0]]), 3)
    >>> print(best, column)
    [[8. 8. 4.]] [[1 3 0]]
  """
  plain = lambda score: tuple(jax.lax.top_k(score, k))
  if 16 * k > score.shape[1] // _GROUP:
    return plain(score)
  grouped = functools.partial(_highest_of_groups, k=k)
  return jax.lax.platform_dependent(score, cpu=grouped, default=plain)


def _highest_of_groups(score, k: int) -> tuple[jax.Array, jax.Array]:
  """Does what `highest` says, for at least k groups."""
  queries, count = score.shape
  groups = count // _GROUP
  inside = score[:, : groups * _GROUP].reshape(queries, groups, _GROUP)
  _, group = jax.lax.top_k(jnp.max(inside, axis=2), k)
  # In their order, so that the first of equal scores stays the first.
  start = _GROUP * jnp.sort(group, axis=1)[:, :, None]
  column = start + jnp.arange(_GROUP, dtype=jnp.int32)[None, None]
  rest = jnp.arange(groups * _GROUP, count, dtype=jnp.int32)
  rest = jnp.broadcast_to(rest[None], (queries, len(rest)))
  column = jnp.concatenate([column.reshape(queries, -1), rest], axis=1)
  best, where = jax.lax.top_k(_at(score, column), k)
  return best, _at(column, where)


def _at(array: jax.Array, column: jax.Array) -> jax.Array:
  """Returns what stands in these columns of each row; all of them exist."""
  return jnp.take_along_axis(array, column, axis=1, mode='promise_in_bounds')


def add_exponentials(
  peak: jax.Array, total: jax.Array, score: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Adds similarities to a running logsumexp.

  Args:
    peak: [Q] highest similarity so far, -inf at first.
    total: [Q] sum of exp(s - peak) so far.
    score: [Q, B] more similarities.

  Returns:
    The new peak and total; log_z is peak + log(total).

  Example:
    The logarithms of 2 and 3, then that of 5: together log(10) = 2.3.

    >>> peak, total = jnp.array([-jnp.inf]), jnp.array([0.0])
    >>> score = jnp.log(jnp.array([[2.0, 3.0]]))
    >>> peak, total = add_exponentials(peak, total, score)
    >>> print(jnp.exp(peak), total)  # 2 / 3 + 3 / 3
    [3.] [1.67]
    >>> score = jnp.log(jnp.array([[5.0]]))
    >>> peak, total = add_exponentials(peak, total, score)
    >>> print(jnp.exp(peak), total)  # (2 + 3 + 5) / 5
    [5.] [2.]
    >>> print(peak + jnp.log(total))
    [2.3]
  """
  higher = jnp.maximum(peak, jnp.max(score, axis=-1))
  shift = jnp.where(jnp.isfinite(higher), higher, 0)
  more = jnp.sum(jnp.exp(score - shift[:, None]), axis=-1)
  return higher, total * jnp.exp(peak - shift) + more
