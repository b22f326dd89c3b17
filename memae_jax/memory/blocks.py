"""Slots in blocks: nothing of size [Q, N] where a read takes them in turn."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from memae_jax.memory import addressing

LIVE = 4  # Arrays of [Q, slots] that a read and its gradient hold at a time.


class Block(NamedTuple):
  """Some consecutive slots.

  start: of the first one. index: [B] their numbers, counted over all devices
  of the axis. slots: [B, C]. exists: [B] bool, False for slots that are masked
  or were part of an earlier block.
  """

  start: jax.Array
  index: jax.Array
  slots: jax.Array
  exists: jax.Array


def chunk_size(queries: int, slots: int, read_bytes: int) -> int:
  """Slots in a block: a multiple of 128 from 128 on, or all of them."""
  fit = read_bytes // (LIVE * 4 * max(queries, 1))
  return min(max(fit // 128, 1) * 128, slots)


def fixed(
  options: addressing.ReadOptions, query: jax.Array, slots: jax.Array
) -> addressing.ReadOptions:
  """What is fixed when a read is compiled: options with a chunk of at most N.

  Args:
    options: how to read.
    query: [Q, C] as of `prepare`, which the temperature is part of.
    slots: [N, C].
  """
  count = slots.shape[0]
  chunk = options.chunk or chunk_size(query.shape[0], count, options.read_bytes)
  return options._replace(temperature=1.0, chunk=min(chunk, count))


def fold(
  rules: addressing.ReadOptions,
  step: Callable[[Any, Block], Any],
  carry: Any,
  slots: jax.Array,
  slot_mask: jax.Array | None,
) -> Any:
  """Calls carry = step(carry, block) for all blocks of slots, in order.

  The last block ends with the last slot. It overlaps the one before if chunk
  does not divide N: slots in padded copies would cost their size again.

  Args:
    rules: see `fixed`.
    step: takes and returns a carry.
    carry: the first one.
    slots: [N, C].
    slot_mask: [N] bool or None.

  Returns:
    The last carry.
  """
  count, chunk = slots.shape[0], rules.chunk
  first = 0 if rules.axis is None else jax.lax.axis_index(rules.axis) * count

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
  """[Q, C] vectors whose dot products with `keys` are the similarities."""
  query = query.astype(jnp.promote_types(jnp.float32, query.dtype))
  return keys(query, similarity) / temperature


def keys(slots: jax.Array, similarity: str) -> jax.Array:
  """What queries are compared with: slots, or for 'cosine' their directions."""
  if similarity == 'cosine':
    return addressing.normalise(slots)
  if similarity != 'dot':
    raise ValueError(f'similarity is "{similarity}"; use "cosine" or "dot"')
  return slots


def matmul(one: jax.Array, two: jax.Array) -> jax.Array:
  """Matrix product in full precision."""
  return jnp.matmul(one, two, precision=jax.lax.Precision.HIGHEST)


def scores(query: jax.Array, block: Block, similarity: str) -> jax.Array:
  """[Q, B] similarities of prepared queries, -inf where no slot is."""
  score = matmul(query, keys(block.slots.astype(query.dtype), similarity).T)
  return jnp.where(block.exists[None, :], score, -jnp.inf)


def add_exponentials(
  peak: jax.Array, total: jax.Array, score: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Takes similarities into a running logsumexp.

  Args:
    peak: [Q] highest similarity so far, -inf at first.
    total: [Q] sum of exp(s - peak) so far.
    score: [Q, B] more similarities.

  Returns:
    The new peak and total.
  """
  higher = jnp.maximum(peak, jnp.max(score, axis=-1))
  shift = jnp.where(jnp.isfinite(higher), higher, 0)
  more = jnp.sum(jnp.exp(score - shift[:, None]), axis=-1)
  return higher, total * jnp.exp(peak - shift) + more
