"""Methods whose memory may move with the samples of a stream."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp


class Moved(NamedTuple):
  """A memory after a sample.

  collection: of variables, if the sample counts as normal. regular: scalar, how
  unlike its output the sample is; below `MovesInStreams.below` it is normal.
  """

  collection: Any
  regular: jax.Array


@runtime_checkable
class MovesInStreams(Protocol):
  """Methods that have this beside `base.Method`.

  Attributes:
    moves: name of the collection of variables that moves.
    below: least regular score of a sample that does not move it.
  """

  moves: str
  below: float

  def moved_by(
    self, variables: Any, x: jax.Array, hyper: Any, output: jax.Array
  ) -> Moved:
    """Returns the memory after one sample.

    Args:
      variables: of one replica.
      x: [1, ...] model input, in [-1, 1].
      hyper: values of the replica.
      output: `base.Prediction.output` of it.
    """


def regular_score(wanted: jax.Array, output: jax.Array) -> jax.Array:
  """Returns the regular score of a sample, after Park et al. 2020.

  It is the mean of the squared errors e of all values, in units of the range
  [0, 1] and each weighted by 1 - exp(-e). Nothing but the sample itself enters:
  no least or largest score of a video, which a stream does not know.

  Args:
    wanted: [1, ...] in [-1, 1].
    output: [1, ...].
  """
  error = jnp.square(output - wanted) / 4
  weight = -jnp.expm1(-error)
  total = jnp.sum(weight)
  mean = jnp.sum(weight * error) / jnp.where(total > 0, total, 1)
  return jnp.where(total > 0, mean, 0)
