"""The head that makes an autoencoder variational (Kingma & Welling, 2014)."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class Head(nn.Module):
  """Mean and variance of a Gaussian code, and its divergence from N(0, 1)."""

  @nn.compact
  def __call__(
    self, encoding: jax.Array, noise: jax.Array | None
  ) -> tuple[jax.Array, jax.Array]:
    """Draws codes.

    Args:
      encoding: [B, ..., C].
      noise: [B, ..., C] from N(0, 1); None: the codes are the means.

    Returns:
      Codes [B, ..., C], and their divergence from N(0, 1), [B] in nats.
    """
    both = nn.Dense(2 * encoding.shape[-1])(encoding)
    mean, log_variance = jnp.split(both, 2, axis=-1)
    divergence = 0.5 * jnp.sum(
      jnp.exp(log_variance) + mean**2 - 1 - log_variance,
      axis=range(1, mean.ndim),
    )
    if noise is None:
      return mean, divergence
    return mean + jnp.exp(0.5 * log_variance) * noise, divergence
