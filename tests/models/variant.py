"""Values that make one network a variant."""

import jax.numpy as jnp

from memae_jax.models import memae


def knobs(use_memory=True, threshold=1.0, slots=7):
  """Returns the values of a network with all its slots."""
  return memae.Knobs(
    jnp.asarray(use_memory),
    jnp.asarray(False),
    jnp.float32(threshold),
    jnp.int32(slots),
  )
