"""Generator and discriminator of pictures, after DCGAN (Radford et al. 2016).

4x4 convolutions of stride 2 halve rows and columns, rounded up, until a side
has four pixels or less; the channels w double each time:

   28 pixels   14, 7, 4           w, 2w, 4w
   64          32, 16, 8, 4       w, 2w, 4w, 8w (published: w = 128)
  128          64, 32, 16, 8, 4   w, 2w, 4w, 8w, 16w

The discriminator has no norms, unlike the published one: so what it says of a
picture never depends on the others of a batch, and real pictures and made ones
need not be kept apart.
"""

import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from memae_jax.models import conv_net, layers

LEAST = 8  # Pixels of the smaller side of a picture.
_LAST = 4  # Pixels of a side at which no further level follows.
_KERNEL, _STRIDES = 4, (2, 2)


def sizes(size: Sequence[int]) -> tuple[tuple[int, int], ...]:
  """Returns (rows, columns) of the picture and of each level.

  Args:
    size: rows and columns of the picture, at least `LEAST`.
  """
  levels = [(size[0], size[1])]
  while min(levels[-1]) > _LAST:
    rows, columns = levels[-1]
    levels.append((-(-rows // 2), -(-columns // 2)))
  return tuple(levels)


def _padding(size: Sequence[int]) -> tuple[int, ...]:
  """Returns the padding with which a level halves a size, rounded up."""
  return tuple(1 + n % 2 for n in size)


class Generator(nn.Module):
  """Maps [B, L] latent vectors to [B, *sizes[0], channels] in [-1, 1].

  Attributes:
    sizes: from `sizes`.
    channels: of the pictures.
    width: channels w of the first level.
    dtype: type in which it computes; the result has that of the vectors.
    axis: mesh axis over which a batch is spread, for norms.
  """

  sizes: tuple[tuple[int, int], ...]
  channels: int
  width: int
  dtype: Any = jnp.float32
  axis: str | None = None

  @nn.compact
  def __call__(
    self,
    z: jax.Array,
    train: bool = False,
    sample_mask: jax.Array | None = None,
  ) -> jax.Array:
    """Generates pictures; for the other arguments see `layers.BatchNorm`."""
    last, depth = self.sizes[-1], len(self.sizes) - 1
    widths = self.channels, *(self.width * 2**i for i in range(depth))
    x = nn.Dense(math.prod(last) * widths[-1], dtype=self.dtype)(z)
    x = x.reshape(-1, *last, widths[-1])
    for width, size in zip(widths[-2::-1], self.sizes[-2::-1]):
      x = layers.NormAct('relu', True, self.dtype, self.axis)(
        x, train, sample_mask
      )
      x = conv_net.Conv(
        width, _KERNEL, _STRIDES, size, self.dtype, _padding(size)
      )(x)
    return nn.tanh(x.astype(z.dtype))


class Discriminator(nn.Module):
  """Judges pictures [B, H, W, C], by features that can be compared.

  Attributes:
    sizes: from `sizes`.
    width: channels w of the first level.
    dtype: type in which it computes.
  """

  sizes: tuple[tuple[int, int], ...]
  width: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns logits [B] of being real, and features [B, F], float32.

    The features are those of the last level, before the logit.
    """
    for i, size in enumerate(self.sizes[:-1]):
      x = conv_net.Conv(
        self.width * 2**i,
        _KERNEL,
        _STRIDES,
        dtype=self.dtype,
        padding=_padding(size),
      )(x)
      x = layers.ACTIVATIONS['leaky_relu'](x)
    features = x.reshape(len(x), -1).astype(jnp.float32)
    return nn.Dense(1)(features)[:, 0], features
