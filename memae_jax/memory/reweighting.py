"""Re-weights the distance to the nearest slot by the slots around it.

Where many slots lie about as near as the nearest one, the normals there are
common and the distance counts less; where the next ones are far, the nearest
slot is itself a rare one, and the distance counts almost in full (Roth et al.
2022, "Towards total recall in industrial anomaly detection", section 3.3).
"""

import jax
import jax.numpy as jnp

from memae_jax.memory import nearest


def factors(
  query: jax.Array,
  slots: jax.Array,
  index: jax.Array,
  count: int,
  *,
  slot_mask: jax.Array | None = None,
  read_bytes: int = 2**28,
  axis: str | None = None,
) -> jax.Array:
  """Returns the factors of the distances of queries to their nearest slots.

  Equation 7 of the paper in the form of anomalib: 1 minus the softmax of the
  distances of a query to the `count` slots around its nearest one, at that one,
  which is itself among them. The code of the paper's authors has no such
  factor.

  Args:
    query: [Q, C].
    slots: [N, C]; with an axis, those of this device.
    index: [Q] number of the nearest slot of each query.
    count: slots around it, itself included, at least 2; of fewer that exist,
      as many as there are.
    slot_mask, read_bytes, axis: see `nearest.nearest`.

  Returns:
    [Q] between 0 and 1; 1 where no other slot exists.

  Example:
    The query is 1 from its nearest slot and 2 from the neighbour of that one:
    1 - exp(1) / (exp(1) + exp(2)).

    >>> slots = jnp.array([[0.0], [3.0], [9.0]])
    >>> print(factors(jnp.array([[1.0]]), slots, jnp.array([0]), count=2))
    [0.73]
  """
  around = nearest.nearest(
    nearest.at(slots, index, axis),
    slots,
    count,
    slot_mask=slot_mask,
    read_bytes=read_bytes,
    axis=axis,
  )
  exists = jnp.isfinite(around.distance)
  distance = nearest.distances(query, slots, around.index, axis)
  # The first one is the slot itself, or one that equals it.
  share = jax.nn.softmax(jnp.where(exists, distance, -jnp.inf), axis=1)[:, 0]
  return jnp.where(exists.sum(axis=1) > 1, 1 - share, 1)
