"""Reads the k most similar slots of each query, for inference.

One pass over blocks of slots finds log_z and the k most similar slots; the
survivors are among them if there are at most k. Only if some query may have
more, a second pass counts its survivors, so that none is lost silently.

Beside a streaming read of 65,536 slots without gradients it takes a third of
the time on a CPU for k up to 64, half for 256 and a sixth more for 1024.
"""

import jax
import jax.numpy as jnp

from memae_jax.memory import addressing, blocks, shrinkage


def read(
  query: jax.Array,
  slots: jax.Array,
  threshold: jax.Array | float,
  options: addressing.ReadOptions,
  *,
  slot_mask: jax.Array | None = None,
  query_mask: jax.Array | None = None,
) -> addressing.MemoryRead:
  """Reads the memory by the k most similar slots of each query.

  Equals the dense read of every query for which at most k slots survive.
  `log_z` and `kept` are always exact: where kept > k, the read is one of the
  k largest weights alone.

  Args:
    query: [Q, C].
    slots: [N, C].
    threshold: lambda as an absolute weight, scalar.
    options: k, similarity, temperature, on_empty, and chunk or read_bytes
      count here.
    slot_mask, query_mask: see `addressing.read`.

  Returns:
    `MemoryRead`; nothing in it carries a gradient.

  Raises:
    ValueError: `options` have no k.

  Example:
    The softmax weights are 0.7, 0.2 and 0.1. Two slots survive a threshold of
    0.15, so k = 2 gives the dense read.

    >>> from math import log
    >>> query = jnp.array([[1.0, 0.0]])
    >>> slots = jnp.array([[log(7), 0], [log(2), 9], [log(1), 90]])
    >>> options = addressing.ReadOptions(similarity='dot', k=2)
    >>> out = read(query, slots, 0.15, options)
    >>> print(out.usage, out.kept, out.value)
    [0.78 0.22 0.  ] [2] [[1.67 2.  ]]

    All three survive 0.05; `kept` says that one of them was not read.

    >>> out = read(query, slots, 0.05, options)
    >>> print(out.usage, out.kept, out.kept_mass)
    [0.78 0.22 0.  ] [3] [0.9]
  """
  if options.k is None:
    raise ValueError('a read of kind "top_k" needs k')
  query = blocks.prepare(query, options.similarity, options.temperature)
  query, slots = jax.lax.stop_gradient((query, jnp.asarray(slots)))
  options = blocks.static_options(options, query, slots)
  threshold = jnp.asarray(threshold, query.dtype)
  return _read(options, query, slots, threshold, slot_mask, query_mask)


def _read(options, query, slots, threshold, slot_mask, query_mask):
  """Reads by prepared queries and static options; else as `read`."""
  count, k = slots.shape[0], options.k
  best, index, total = _nearest(options, query, slots, slot_mask, min(k, count))
  peak = best[:, 0]
  log_z = peak + jnp.log(total)
  floor = shrinkage.floor(log_z, threshold)
  keep = best > floor[:, None]
  kept = jnp.sum(keep, axis=-1, dtype=jnp.int32)
  if k < count:
    kept = jax.lax.cond(
      jnp.any(keep[:, -1]),
      lambda: _count(options, query, slots, slot_mask, floor),
      lambda: kept,
    )
  weight, mass = _weights(best, keep, kept, options.on_empty)
  masked = True if query_mask is None else query_mask[:, None]
  used = jnp.where(masked, weight, 0)
  nearest = slots[index].astype(query.dtype)
  return addressing.MemoryRead(
    value=jnp.einsum(
      'qk,qkc->qc', weight, nearest, precision=jax.lax.Precision.HIGHEST
    ),
    entropy=addressing.entropy(weight),
    log_z=log_z,
    highest=peak,
    kept_mass=jnp.where(kept > 0, mass / total, 0),
    kept=kept,
    usage=jnp.zeros(count, query.dtype).at[index].add(used),
  )


def _weights(best, keep, kept, on_empty: str) -> tuple[jax.Array, jax.Array]:
  """Returns the weights of the survivors among the most similar slots.

  Args:
    best: [Q, k] similarities, the highest first.
    keep: [Q, k] bool, True for similarities above the floor.
    kept: [Q] number of slots above the floor, of all slots.
    on_empty: see `addressing.ReadOptions`.

  Returns:
    [Q, k] addressing weights, and [Q] sum of exp(s - highest) over survivors.
  """
  peak = best[:, 0]
  if on_empty == 'top1':
    keep = keep.at[:, 0].set(
      jnp.where(kept == 0, jnp.isfinite(peak), keep[:, 0])
    )
  shift = jnp.where(jnp.isfinite(peak), peak, 0)
  weight = jnp.where(keep, jnp.exp(best - shift[:, None]), 0)
  mass = jnp.sum(weight, axis=-1)
  return weight / jnp.where(mass > 0, mass, 1)[:, None], mass


def _nearest(options, query, slots, slot_mask, k):
  """Finds the most similar slots.

  Returns:
    [Q, k] similarities, the highest first, [Q, k] int32 indices of their
    slots, and [Q] the sum of exp(s - highest) over all slots.
  """

  def step(carry, block):
    best, index, peak, total = carry
    score = blocks.scores(query, block, options.similarity)
    peak, total = blocks.add_exponentials(peak, total, score)
    best, index = blocks.keep_highest(best, index, score, block)
    return best, index, peak, total

  nothing = jnp.zeros_like(query[:, 0])
  shape = (query.shape[0], k)
  best, index, _, total = blocks.fold(
    options,
    step,
    (
      jnp.full(shape, -jnp.inf, query.dtype),
      jnp.zeros(shape, jnp.int32),
      nothing - jnp.inf,
      nothing,
    ),
    slots,
    slot_mask,
  )
  return best, index, total


def _count(options, query, slots, slot_mask, floor) -> jax.Array:
  """Returns the [Q] int32 number of slots above the floor."""

  def step(kept, block):
    score = blocks.scores(query, block, options.similarity)
    return kept + jnp.sum(score > floor[:, None], axis=-1, dtype=jnp.int32)

  nothing = jnp.zeros(query.shape[:1], jnp.int32)
  return blocks.fold(options, step, nothing, slots, slot_mask)
