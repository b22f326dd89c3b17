"""Hard shrinkage of addressing weights (equations 4, 6 and 7 of the paper).

softmax -> hard shrinkage -> L1 renormalisation is one function of the
similarities s: the softmax restricted to the surviving slots
{i : s_i > logsumexp(s) + log(threshold)}. The survivor set is constant almost
everywhere, so the gradient is the softmax's own, over the survivors:
ds_i = a_i (g_i - sum_j a_j g_j). `shrunk_softmax` is that function, with that
gradient. `published_shrunk_softmax` is the formula as printed, whose gradient
spikes (1e4 and more) just above the threshold; it serves parity tests.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

EPSILON = 1e-12  # As in the released code.


class Shrunk(NamedTuple):
  """Sparse addressing weights of Q queries.

  weights: [Q, N] each row sums to 1, or to 0 for a dead read.
  log_z: [Q] logsumexp of the similarities over all slots.
  kept_mass: [Q] softmax mass of the survivors, 0 for a dead read.
  kept: [Q] int32 number of survivors.
  """

  weights: jax.Array
  log_z: jax.Array
  kept_mass: jax.Array
  kept: jax.Array


def floor(log_z: jax.Array, threshold: jax.Array) -> jax.Array:
  """Returns the [Q] similarities that survivors exceed.

  They are log_z + log(threshold): a softmax weight exp(s - log_z) exceeds the
  threshold where s exceeds this floor.

  Args:
    log_z: [Q] logsumexp of the similarities.
    threshold: scalar lambda; 0 keeps every slot, so the floor is -inf.

  Example:
    >>> print(floor(jnp.array([0.0, 2.3]), 0.15))  # log(0.15) = -1.90
    [-1.9  0.4]
    >>> print(floor(jnp.array([0.0, 2.3]), 0.0))
    [-inf -inf]
  """
  tiny = jnp.finfo(log_z.dtype).tiny
  return jnp.where(
    threshold > 0, log_z + jnp.log(jnp.maximum(threshold, tiny)), -jnp.inf
  )


def survivors(
  similarity: jax.Array, threshold: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """Finds the slots whose softmax weight exceeds the threshold.

  Args:
    similarity: [Q, N], -inf for slots that do not exist.
    threshold: scalar lambda, an absolute weight; 0 keeps every slot.

  Returns:
    [Q, N] bool survivors and [Q] log of the softmax normaliser.

  Example:
    >>> keep, log_z = survivors(jnp.log(jnp.array([[7.0, 2.0, 1.0]])), 0.15)
    >>> print(keep)  # The softmax weights are 0.7, 0.2 and 0.1.
    [[ True  True False]]
    >>> print(log_z)  # log(7 + 2 + 1)
    [2.3]
  """
  log_z = jax.nn.logsumexp(similarity, axis=-1)
  return similarity > floor(log_z, threshold)[:, None], log_z


@jax.custom_vjp
def _restricted_softmax(similarity: jax.Array, keep: jax.Array) -> jax.Array:
  """Softmax over the kept slots of each row; a row without any is 0."""
  shifted = jnp.where(keep, similarity, -jnp.inf)
  peak = jnp.max(shifted, axis=-1, keepdims=True)
  peak = jnp.where(jnp.isfinite(peak), peak, 0)
  weights = jnp.exp(shifted - peak)
  total = jnp.sum(weights, axis=-1, keepdims=True)
  return weights / jnp.where(total > 0, total, 1)


def _restricted_softmax_fwd(similarity, keep):
  weights = _restricted_softmax(similarity, keep)
  return weights, weights


def _restricted_softmax_bwd(weights, cotangent):
  mean = jnp.sum(weights * cotangent, axis=-1, keepdims=True)
  return weights * (cotangent - mean), None


_restricted_softmax.defvjp(_restricted_softmax_fwd, _restricted_softmax_bwd)


def shrunk_softmax(similarity: jax.Array, threshold: jax.Array) -> Shrunk:
  """Returns addressing weights with the exact gradient of the survivors.

  Args:
    similarity: [Q, N] float, -inf for slots that do not exist.
    threshold: scalar lambda >= 0.

  Returns:
    `Shrunk`; only `weights` carries a gradient, and only to `similarity`.

  Example:
    Softmax weights of 0.7, 0.2 and 0.1, a threshold of 0.15: two survivors.

    >>> similarity = jnp.log(jnp.array([[0.7, 0.2, 0.1]]))
    >>> shrunk = shrunk_softmax(similarity, 0.15)
    >>> print(shrunk.weights, shrunk.kept_mass)
    [[0.78 0.22 0.  ]] [0.9]

    The gradient of the first weight is that of a softmax over the survivors:
    0.78 * (1 - 0.78) for its own similarity, -0.78 * 0.22 for the other.

    >>> first = lambda s: shrunk_softmax(s, 0.15).weights[0, 0]
    >>> print(jax.grad(first)(similarity)[0, :2])
    [ 0.17 -0.17]
  """
  fixed = jax.lax.stop_gradient(similarity)
  keep, log_z = survivors(fixed, threshold)
  weights = _restricted_softmax(similarity, keep)
  mass = jnp.sum(jnp.where(keep, jnp.exp(fixed - log_z[:, None]), 0), axis=-1)
  return Shrunk(weights, log_z, mass, jnp.sum(keep, axis=-1, dtype=jnp.int32))


@jax.custom_jvp
def hard_shrink(weights: jax.Array, threshold: jax.Array) -> jax.Array:
  """Returns relu(w - threshold) w / (|w - threshold| + eps), equation 7.

  Args:
    weights: w, of any shape.
    threshold: scalar; it carries no gradient.

  Example:
    Weights above the threshold stay as they are; the others become 0.

    >>> print(hard_shrink(jnp.array([0.7, 0.2, 0.1]), 0.15))
    [0.7 0.2 0. ]

    The slope is 1 above the threshold, but spikes close to it.

    >>> print(jax.grad(hard_shrink)(0.2, 0.15))
    1.0
    >>> print(jax.grad(hard_shrink)(0.15 + 1e-8, 0.15) > 100)
    True
  """
  over = weights - threshold
  return jax.nn.relu(over) * weights / (jnp.abs(over) + EPSILON)


@hard_shrink.defjvp
def _hard_shrink_jvp(primals, tangents):
  """Slope u / (u + eps) + w eps / (u + eps)^2 for u = w - threshold > 0.

  The same derivative as by the quotient rule, whose terms of size w / u
  cancel and lose all digits in float32. For other u it is 0.
  """
  weights, threshold = primals
  over = weights - threshold
  ratio = EPSILON / (jnp.abs(over) + EPSILON)
  slope = 1 - ratio + weights * ratio / (jnp.abs(over) + EPSILON)
  return (
    hard_shrink(weights, threshold),
    jnp.where(over > 0, slope, 0) * tangents[0],
  )


def published_shrunk_softmax(
  similarity: jax.Array, threshold: jax.Array
) -> Shrunk:
  """Returns the same weights by the printed formulas, with their gradient.

  Threshold 0 is the plain softmax, and the L1 norm is clamped at 1e-12, both as
  in the released code.

  Args:
    similarity: [Q, N] float, -inf for slots that do not exist.
    threshold: scalar lambda >= 0.

  Returns:
    `Shrunk`; only `weights` carries a gradient.

  Example:
    The softmax weights are 0.7, 0.2 and 0.1.

    >>> similarity = jnp.log(jnp.array([[0.7, 0.2, 0.1]]))
    >>> print(published_shrunk_softmax(similarity, 0.15).weights)
    [[0.78 0.22 0.  ]]
  """
  soft = jax.nn.softmax(similarity, axis=-1)
  shrunk = hard_shrink(soft, threshold)
  norm = jnp.maximum(jnp.sum(shrunk, axis=-1, keepdims=True), EPSILON)
  weights = jnp.where(threshold > 0, shrunk / norm, soft)
  keep, log_z = survivors(jax.lax.stop_gradient(similarity), threshold)
  mass = jnp.sum(jnp.where(keep, jax.lax.stop_gradient(soft), 0), axis=-1)
  return Shrunk(weights, log_z, mass, jnp.sum(keep, axis=-1, dtype=jnp.int32))
