"""Reading the memory: queries in, weighted sums of slots out (section 3)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from memae_jax.memory import shrinkage


class MemoryRead(NamedTuple):
  """What a read of Q queries over N slots of width C gives.

  value: [Q, C] sum_i a_i m_i; 0 for a dead read.
  entropy: [Q] -sum_i a_i log a_i in nats (equation 9); 0 for a dead read.
  log_z: [Q] logsumexp of the similarities over all N slots.
  kept_mass: [Q] softmax mass of the surviving slots; 0 for a dead read.
  kept: [Q] int32 number of surviving slots.
  usage: [N] sum of the addressing weights of each slot over the queries
    that are not padding.

  Only `value` and `entropy` carry gradients.
  """

  value: jax.Array
  entropy: jax.Array
  log_z: jax.Array
  kept_mass: jax.Array
  kept: jax.Array
  usage: jax.Array


class ReadOptions(NamedTuple):
  """How a memory is read; a program is compiled for each, but temperatures.

  similarity: 'cosine' (equation 5) or 'dot' (the released code).
  temperature: the similarities are divided by it; may be traced.
  on_empty: 'zero': a query that no slot survives for reads nothing. 'top1': it
    reads its most similar slot; `kept` and `kept_mass` still say 0.
  shrink_gradient: 'exact', or 'published', which only the dense read has; see
    `shrinkage`.
  kind: 'dense', 'streaming', 'top_k', or 'auto': dense if it fits
    `read_bytes`, else streaming.
  read_bytes: about what a read and its gradient may hold besides queries and
    slots. Sizes the blocks of the streaming read. Under `jax.vmap` it is meant
    for each of the mapped reads.
  chunk: slots in a block, of which some arrays of [Q, chunk] live at a time;
    None: as many as `read_bytes` has room for.
  k: slots that 'top_k' looks at, for each query.
  axis: name of a mesh axis that the slots are spread over, see
    `streaming.read`.
  """

  similarity: str = 'cosine'
  temperature: float | jax.Array = 1.0
  on_empty: str = 'zero'
  shrink_gradient: str = 'exact'
  kind: str = 'auto'
  read_bytes: int = 2**28
  chunk: int | None = None
  k: int | None = None
  axis: str | None = None


USUAL = ReadOptions()


def normalise(vectors: jax.Array) -> jax.Array:
  """Unit vectors along the last axis; a zero vector stays zero."""
  square = jnp.sum(vectors * vectors, axis=-1, keepdims=True)
  safe = square > jnp.finfo(vectors.dtype).tiny
  return jnp.where(safe, vectors, 0) * jax.lax.rsqrt(jnp.where(safe, square, 1))


def similarities(
  query: jax.Array,
  slots: jax.Array,
  similarity: str = 'cosine',
  temperature: float = 1.0,
  slot_mask: jax.Array | None = None,
) -> jax.Array:
  """Similarity of every query to every slot.

  Args:
    query: [Q, C].
    slots: [N, C].
    similarity: 'cosine' (equation 5) or 'dot' (the released code).
    temperature: the similarities are divided by it.
    slot_mask: [N] bool; False marks slots that do not exist.

  Returns:
    [Q, N] float32 (float64 if given), -inf where a slot does not exist.
  """
  dtype = jnp.promote_types(jnp.float32, query.dtype)
  query, slots = query.astype(dtype), slots.astype(dtype)
  if similarity == 'cosine':
    query, slots = normalise(query), normalise(slots)
  elif similarity != 'dot':
    raise ValueError(f'similarity is "{similarity}"; use "cosine" or "dot"')
  scores = (
    jnp.matmul(query, slots.T, precision=jax.lax.Precision.HIGHEST)
    / temperature
  )
  if slot_mask is None:
    return scores
  return jnp.where(slot_mask[None, :], scores, -jnp.inf)


def address(
  similarity_: jax.Array,
  threshold: jax.Array | float,
  on_empty: str = 'zero',
  shrink_gradient: str = 'exact',
) -> shrinkage.Shrunk:
  """Softmax, hard shrinkage and L1 renormalisation (equations 4, 6, 7).

  Args:
    similarity_: [Q, N], -inf for slots that do not exist.
    threshold: lambda, an absolute weight (not a multiple of 1/N).
    on_empty, shrink_gradient: see `ReadOptions`.

  Returns:
    `Shrunk` with [Q, N] weights.
  """
  shrink = {
    'exact': shrinkage.shrunk_softmax,
    'published': shrinkage.published_shrunk_softmax,
  }[shrink_gradient]
  shrunk = shrink(similarity_, jnp.asarray(threshold, similarity_.dtype))
  if on_empty == 'zero':
    return shrunk
  nearest = jax.nn.one_hot(
    jnp.argmax(similarity_, axis=-1),
    similarity_.shape[-1],
    dtype=similarity_.dtype,
  )
  dead = (shrunk.kept == 0)[:, None]
  return shrunk._replace(weights=jnp.where(dead, nearest, shrunk.weights))


def entropy(weights: jax.Array) -> jax.Array:
  """-sum a log a over the last axis, in nats, with 0 log 0 = 0.

  The gradient at a = 0 is taken as 0, so it is finite everywhere.
  """
  positive = weights > 0
  log = jnp.log(jnp.where(positive, weights, 1))
  return -jnp.sum(jnp.where(positive, weights * log, 0), axis=-1)


def read(
  query: jax.Array,
  slots: jax.Array,
  threshold: jax.Array | float,
  options: ReadOptions = USUAL,
  *,
  slot_mask: jax.Array | None = None,
  query_mask: jax.Array | None = None,
) -> MemoryRead:
  """The dense read: all [Q, N] weights at once.

  Args:
    query: [Q, C].
    slots: [N, C].
    threshold: lambda as an absolute weight, scalar.
    options: of them similarity, temperature, on_empty and shrink_gradient.
    slot_mask: [N] bool; False marks slots that do not exist.
    query_mask: [Q] bool; False marks padding, which `usage` leaves out.

  Returns:
    `MemoryRead`, float32 (float64 for float64 queries).
  """
  scores = similarities(
    query, slots, options.similarity, options.temperature, slot_mask
  )
  shrunk = address(scores, threshold, options.on_empty, options.shrink_gradient)
  value = jnp.matmul(
    shrunk.weights,
    slots.astype(scores.dtype),
    precision=jax.lax.Precision.HIGHEST,
  )
  used = jax.lax.stop_gradient(shrunk.weights)
  if query_mask is not None:
    used = jnp.where(query_mask[:, None], used, 0)
  return MemoryRead(
    value=value,
    entropy=entropy(shrunk.weights),
    log_z=shrunk.log_z,
    kept_mass=shrunk.kept_mass,
    kept=shrunk.kept,
    usage=jnp.sum(used, axis=0),
  )
