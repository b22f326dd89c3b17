"""Discriminator of patches: how real each patch of an image looks.

In the form that Frame-Pred has it: 4x4 convolutions, of stride 2 but for the
last ones, without norms. Its images are continued by zeros, in the released
code by reflection.
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from memae_jax.models import conv_net, layers

_KERNEL = 4


class Discriminator(nn.Module):
  """Maps [B, H, W, C] images to [B, h, w, 1] from 0 (made) to 1 (real).

  Attributes:
    widths: channels of the layers before the result.
    dtype: type in which it computes; the result is float32.
  """

  widths: Sequence[int]
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Judges patches."""
    for i, width in enumerate(self.widths):
      strides = (1, 1) if i == len(self.widths) - 1 else (2, 2)
      x = conv_net.Conv(width, _KERNEL, strides, dtype=self.dtype)(x)
      x = layers.ACTIVATIONS['leaky_relu'](x)
    x = conv_net.Conv(1, _KERNEL, dtype=self.dtype)(x)
    return nn.sigmoid(x.astype(jnp.float32))
