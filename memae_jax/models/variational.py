"""The head that makes an autoencoder variational (Kingma & Welling, 2014)."""

import flax.linen as nn
import jax
import jax.numpy as jnp


class Head(nn.Module):
  """Mean and variance of a Gaussian code, and its divergence from N(0, 1)."""

  @nn.compact
  def __call__(
    self, encoding: jax.Array, train: bool
  ) -> tuple[jax.Array, jax.Array]:
    """Draws codes in training (random stream `code`), else takes the mean.

    Args:
      encoding: [B, ..., C].
      train: whether to draw.

    Returns:
      code: [B, ..., C]. divergence: [B] in nats.
    """
    both = nn.Dense(2 * encoding.shape[-1])(encoding)
    mean, log_variance = jnp.split(both, 2, axis=-1)
    divergence = 0.5 * jnp.sum(
      jnp.exp(log_variance) + mean**2 - 1 - log_variance,
      axis=range(1, mean.ndim),
    )
    if not train:
      return mean, divergence
    noise = jax.random.normal(self.make_rng('code'), mean.shape, mean.dtype)
    return mean + jnp.exp(0.5 * log_variance) * noise, divergence
