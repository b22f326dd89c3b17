"""Diagnostics of reads and of slots, which tell whether a memory is alive."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from memae_jax.memory import addressing


class ReadTotals(NamedTuple):
  """Sums over reads; they add up over batches, steps and devices.

  queries: number of queries. dead: queries for which no slot survived.
  kept: sum of the surviving slots. lost: queries with more survivors than were
  read. usage: [N] sum of the addressing weights of each slot.
  """

  queries: jax.Array
  dead: jax.Array
  kept: jax.Array
  lost: jax.Array
  usage: jax.Array


def totals(
  read: addressing.MemoryRead,
  query_mask: jax.Array | None = None,
  most: int | None = None,
) -> ReadTotals:
  """Returns the totals of one read.

  Args:
    read: of Q queries over N slots.
    query_mask: [Q] bool, False for padding, as given to the read.
    most: slots that were read per query (`k` of a top-k read); None: all.

  Example:
    The first query reads two slots by halves. The second is equally similar
    to all three slots, whose weights of 1/3 do not survive a threshold of 0.4.

    >>> query = jnp.array([[9.0, 9.0], [0.0, 0.0]])
    >>> slots = jnp.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    >>> options = addressing.ReadOptions(similarity='dot')
    >>> total = totals(addressing.read(query, slots, 0.4, options))
    >>> print(total.queries, total.dead, total.kept, total.usage)
    2.0 1.0 2.0 [0.5 0.5 0. ]
  """
  if query_mask is None:
    query_mask = jnp.ones(read.kept.shape, bool)
  count = lambda x: jnp.sum(jnp.where(query_mask, x, 0), dtype=jnp.float32)
  return ReadTotals(
    queries=count(jnp.ones_like(read.kept)),
    dead=count(read.kept == 0),
    kept=count(read.kept),
    lost=count(read.kept > (most or jnp.inf)),
    usage=read.usage.astype(jnp.float32),
  )


def nothing(slots: int) -> ReadTotals:
  """Returns the totals of no reads.

  Args:
    slots: N.

  Example:
    >>> print(nothing(3).queries, nothing(3).usage)
    0.0 [0. 0. 0.]
  """
  zero = jnp.float32(0)
  return ReadTotals(zero, zero, zero, zero, jnp.zeros(slots))


@jax.jit
def summary(total: ReadTotals) -> dict[str, jax.Array]:
  """Turns totals into the scalars that are logged.

  Returns:
    dead_read_rate: share of queries that read nothing.
    mean_kept: mean number of surviving slots per query.
    slots_used: number of slots with any addressing weight.
    usage_perplexity: exp of the entropy of the usage shares, from 1 (one slot
      takes all) to N (all alike); 0 if nothing was read.

  Example:
    Ten queries, two of them dead; the others read two of three slots alike.

    >>> usage = jnp.array([4.0, 4.0, 0.0])
    >>> total = ReadTotals(queries=10, dead=2, kept=12, lost=0, usage=usage)
    >>> for name, value in summary(total).items():
    ...   print(name, value)
    dead_read_rate 0.2
    mean_kept 1.2
    slots_used 2.0
    usage_perplexity 2.0
  """
  queries = jnp.maximum(total.queries, 1)
  mass = jnp.sum(total.usage)
  share = total.usage / jnp.where(mass > 0, mass, 1)
  return {
    'dead_read_rate': total.dead / queries,
    'mean_kept': total.kept / queries,
    'slots_used': jnp.sum(total.usage > 0, dtype=jnp.float32),
    'usage_perplexity': jnp.where(
      mass > 0, jnp.exp(addressing.entropy(share)), 0
    ),
  }


@jax.jit
def duplicate_slots(
  slots: jax.Array,
  slot_mask: jax.Array | None = None,
  min_cosine: float = 0.999,
) -> jax.Array:
  """Counts slots whose nearest other slot points the same way.

  Args:
    slots: [N, C].
    slot_mask: [N] bool; False marks slots that do not exist.
    min_cosine: two slots at least this similar are duplicates.

  Returns:
    int32 scalar. It takes memory of size [N, N]: meant for the end of a run.

  Example:
    The first two slots point the same way, whatever their lengths.

    >>> slots = jnp.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]])
    >>> print(duplicate_slots(slots))
    2
  """
  cosine = addressing.similarities(slots, slots, 'cosine', slot_mask=slot_mask)
  others = jnp.where(jnp.eye(slots.shape[0], dtype=bool), -jnp.inf, cosine)
  duplicate = jnp.max(others, axis=-1) >= min_cosine
  if slot_mask is not None:
    duplicate &= slot_mask
  return jnp.sum(duplicate, dtype=jnp.int32)
