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
  """Similarities that survivors are above: log_z + log(threshold).

  Args:
    log_z: [Q] logsumexp of the similarities.
    threshold: scalar lambda; 0 keeps every slot, so the floor is -inf.
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
  """Addressing weights with the exact survivor gradient.

  Args:
    similarity: [Q, N] float, -inf for slots that do not exist.
    threshold: scalar lambda >= 0.

  Returns:
    `Shrunk`; only `weights` carries a gradient, and only to `similarity`.
  """
  fixed = jax.lax.stop_gradient(similarity)
  keep, log_z = survivors(fixed, threshold)
  weights = _restricted_softmax(similarity, keep)
  mass = jnp.sum(jnp.where(keep, jnp.exp(fixed - log_z[:, None]), 0), axis=-1)
  return Shrunk(weights, log_z, mass, jnp.sum(keep, axis=-1, dtype=jnp.int32))


@jax.custom_jvp
def hard_shrink(weights: jax.Array, threshold: jax.Array) -> jax.Array:
  """relu(w - threshold) w / (|w - threshold| + eps), equation 7.

  Args:
    weights: of any shape.
    threshold: scalar; it carries no gradient.
  """
  over = weights - threshold
  return jax.nn.relu(over) * weights / (jnp.abs(over) + EPSILON)


@hard_shrink.defjvp
def _hard_shrink_jvp(primals, tangents):
  """U / (u + eps) + w eps / (u + eps)^2 for u = w - threshold > 0, else 0.

  The same derivative as by the quotient rule, whose terms of size w / u
  cancel and lose all digits in float32.
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
  """The same weights by the printed formulas, with their own gradient.

  As in the released code, threshold 0 is the plain softmax, and the L1 norm
  is clamped at 1e-12.
  """
  soft = jax.nn.softmax(similarity, axis=-1)
  shrunk = hard_shrink(soft, threshold)
  norm = jnp.maximum(jnp.sum(shrunk, axis=-1, keepdims=True), EPSILON)
  weights = jnp.where(threshold > 0, shrunk / norm, soft)
  keep, log_z = survivors(jax.lax.stop_gradient(similarity), threshold)
  mass = jnp.sum(jnp.where(keep, jax.lax.stop_gradient(soft), 0), axis=-1)
  return Shrunk(weights, log_z, mass, jnp.sum(keep, axis=-1, dtype=jnp.int32))
