"""Reading the memory: queries in, weighted sums of slots out (section 3)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from memae_jax.memory import shrinkage


class MemoryRead(NamedTuple):
  """Results of a read of N slots of width C by Q queries.

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
  """Choices of how a memory is read.

  A program is compiled for each set of options; the temperature alone may be
  traced.

  similarity: 'cosine' (equation 5) or 'dot' (the released code).
  temperature: the similarities are divided by it.
  on_empty: what a dead read (a query for which no slot survives) gives.
    'zero': nothing. 'top1': the most similar slot; `kept` and `kept_mass`
    still are 0.
  shrink_gradient: 'exact', or 'published', which only the dense read has; see
    `shrinkage`.
  kind: 'dense', 'streaming', 'top_k', or 'auto': dense if it fits
    `read_bytes`, else streaming.
  read_bytes: rough limit for the arrays that a read and its gradient hold
    besides queries and slots. It sizes the blocks of the streaming read. Under
    `jax.vmap` it is meant for each of the mapped reads.
  chunk: slots per block; a few arrays of [Q, chunk] live at a time. None: as
    many slots as `read_bytes` has room for.
  k: slots per query that 'top_k' looks at.
  axis: name of the mesh axis over which the slots are spread, see
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
  """Returns unit vectors along the last axis; a zero vector stays zero.

  Example:
    >>> print(normalise(jnp.array([[3.0, 4.0], [0.0, 0.0]])))
    [[0.6 0.8]
     [0.  0. ]]
  """
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
  """Returns the similarity of every query to every slot.

  Args:
    query: [Q, C].
    slots: [N, C].
    similarity: 'cosine' (equation 5) or 'dot' (the released code).
    temperature: the similarities are divided by it.
    slot_mask: [N] bool; False marks slots that do not exist.

  Returns:
    [Q, N] float32 (float64 for float64 queries), -inf where a slot does not
    exist.

  Raises:
    ValueError: the similarity is unknown.

  Example:
    The cosine ignores the lengths 2 and 5; the dot product does not.

    >>> query = jnp.array([[2.0, 0.0]])
    >>> slots = jnp.array([[3.0, 4.0], [0.0, 1.0]])
    >>> print(similarities(query, slots))
    [[0.6 0. ]]
    >>> print(similarities(query, slots, 'dot'))
    [[6. 0.]]
    >>> exists = jnp.array([True, False])
    >>> print(similarities(query, slots, slot_mask=exists))
    [[ 0.6 -inf]]
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
  """Turns similarities into sparse addressing weights (equations 4, 6, 7).

  Three steps: softmax, hard shrinkage, L1 renormalisation.

  Args:
    similarity_: [Q, N], -inf for slots that do not exist.
    threshold: lambda, an absolute weight (not a multiple of 1/N).
    on_empty, shrink_gradient: see `ReadOptions`.

  Returns:
    `Shrunk` with [Q, N] weights.

  Example:
    The softmax weights are 0.7, 0.2 and 0.1. Above a threshold of 0.15 two
    slots survive, which share their mass of 0.9 as 0.7 / 0.9 and 0.2 / 0.9.

    >>> similarity = jnp.log(jnp.array([[0.7, 0.2, 0.1]]))
    >>> shrunk = address(similarity, 0.15)
    >>> print(shrunk.weights, shrunk.kept, shrunk.kept_mass)
    [[0.78 0.22 0.  ]] [2] [0.9]

    No slot survives a threshold of 0.8: the read is dead.

    >>> print(address(similarity, 0.8).weights)
    [[0. 0. 0.]]
    >>> print(address(similarity, 0.8, on_empty='top1').weights)
    [[1. 0. 0.]]
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
  """Returns -sum a log a over the last axis, in nats, with 0 log 0 = 0.

  The gradient at a = 0 is taken as 0, so it is finite everywhere.

  Example:
    Two slots with equal weights have log 2; a sparser read has less.

    >>> print(entropy(jnp.array([[0.5, 0.5, 0.0], [0.9, 0.1, 0.0]])))
    [0.69 0.33]
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
  """Reads the memory with all [Q, N] weights at once: the dense read.

  Args:
    query: [Q, C].
    slots: [N, C].
    threshold: lambda as an absolute weight, scalar.
    options: similarity, temperature, on_empty and shrink_gradient count here.
    slot_mask: [N] bool; False marks slots that do not exist.
    query_mask: [Q] bool; False marks padding, which `usage` leaves out.

  Returns:
    `MemoryRead`, float32 (float64 for float64 queries).

  Example:
    The dot products are log 7, log 2 and log 1, so the softmax weights are
    0.7, 0.2 and 0.1. The third slot does not survive a threshold of 0.15; of
    the others the read takes 0.78 and 0.22.

    >>> from math import log
    >>> query = jnp.array([[1.0, 0.0]])
    >>> slots = jnp.array([[log(7), 0], [log(2), 9], [log(1), 90]])
    >>> out = read(query, slots, 0.15, ReadOptions(similarity='dot'))
    >>> print(out.usage, out.kept, out.kept_mass)
    [0.78 0.22 0.  ] [2] [0.9]
    >>> print(out.value)  # 0.78 [1.95, 0] + 0.22 [0.69, 9]
    [[1.67 2.  ]]
    >>> print(out.entropy, out.log_z)  # log_z = log(7 + 2 + 1)
    [0.53] [2.3]
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
