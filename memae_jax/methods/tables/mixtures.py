"""Mixtures of Gaussians by their memberships, as DAGMM has them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

LEAST = 1e-6  # Of a weight, and added to the diagonal of covariances.


class Mixture(NamedTuple):
  """K Gaussians of D dimensions.

  weights: [K], which add up to 1. means: [K, D]. factors: [K, D, D] lower
  Cholesky factors of the covariances.
  """

  weights: jax.Array
  means: jax.Array
  factors: jax.Array


class Sums(NamedTuple):
  """Sums over samples, of which a mixture is made in two steps.

  count: of samples. members: [K] of memberships. first: [K, D] of samples by
  membership.
  """

  count: jax.Array
  members: jax.Array
  first: jax.Array


def sums(z: jax.Array, members: jax.Array, mask: jax.Array) -> Sums:
  """Returns the sums of samples [B, D] with memberships [B, K].

  Args:
    z: samples.
    members: shares of the components, 1 in all.
    mask: [B], 0 for padding.
  """
  shares = members * mask[:, None]
  return Sums(jnp.sum(mask), jnp.sum(shares, axis=0), shares.T @ z)


def scatter(
  z: jax.Array, members: jax.Array, mask: jax.Array, means: jax.Array
) -> jax.Array:
  """Returns the sums [K, D, D] of squared deviations by membership.

  Args:
    z, members, mask: see `sums`.
    means: [K, D].
  """
  far = z[:, None] - means[None]
  shares = members * mask[:, None]
  return jnp.einsum('bk,bkd,bke->kde', shares, far, far)


def means(of: Sums) -> jax.Array:
  """Returns the means [K, D]; a component without members has 0."""
  return of.first / jnp.maximum(of.members, LEAST)[:, None]


def mixture(of: Sums, scattered: jax.Array) -> Mixture:
  """Returns the mixture that sums and `scatter` say.

  Args:
    of: from `sums`.
    scattered: from `scatter`, with the `means` of these.
  """
  covariances = scattered / jnp.maximum(of.members, LEAST)[:, None, None]
  ridge = LEAST * jnp.eye(scattered.shape[-1], dtype=scattered.dtype)
  return Mixture(
    of.members / of.count,
    means(of),
    jnp.linalg.cholesky(covariances + ridge[None]),
  )


def energy(z: jax.Array, of: Mixture) -> jax.Array:
  """Returns the negative log density [B] of samples [B, D], in nats."""
  far = z[:, None] - of.means[None]
  whiten = lambda factor, rows: jax.scipy.linalg.solve_triangular(
    factor, rows.T, lower=True
  )
  white = jax.vmap(whiten, (0, 1))(of.factors, far)  # [K, D, B]
  diagonal = jnp.diagonal(of.factors, axis1=1, axis2=2)
  log_root = jnp.sum(jnp.log(diagonal), axis=1)
  log_root += 0.5 * z.shape[1] * jnp.log(2 * jnp.pi)
  log_weights = jnp.log(jnp.maximum(of.weights, LEAST**2))
  each = (log_weights - log_root)[:, None] - 0.5 * jnp.sum(white**2, axis=1)
  return -jax.nn.logsumexp(each, axis=0)


def inverse_variances(of: Mixture) -> jax.Array:
  """Returns the sum of 1 / variance over components and dimensions.

  Published as a penalty on covariances that become singular.
  """
  variances = jnp.sum(of.factors**2, axis=2)
  return jnp.sum(1 / variances)
