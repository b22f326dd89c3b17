"""Gated PixelCNN: how likely a value of a picture is, given those before it.

After van den Oord et al. 2016, "Conditional image generation with PixelCNN
decoders". Values come row by row, from left to right, and within a pixel in the
order of its channels. Two stacks of gated convolutions see all that came before
within their reach, and nothing else:

  vertical     all rows above, to both sides
  horizontal   what is to the left in the same row, the channels before it in
               the same pixel, and what the vertical stack has found

Half of a square kernel alone, layer upon layer, would never see a wedge to the
upper right of a pixel. Kernels have no half that is masked: the picture enters
the vertical stack moved down by a row, so that a kernel whose last row is its
own sees rows above alone. With C channels features are C groups, which see as
many channels of their pixel less one each.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from memae_jax.models import conv

_FIRST, _NEXT = 3, 1  # Reach of kernels of 7 x 7 and of 3 x 3, in pixels.


class PixelCnn(nn.Module):
  """Gives logits of the levels of each value, from the values before it.

  Attributes:
    levels: that a value may have.
    layers: gated layers; the first has kernels of 7 x 7, others of 3 x 3.
    width: features of each stack, at least one for each channel.
    dtype: type in which it computes; logits are float32.
  """

  levels: int
  layers: int
  width: int
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns logits [B, H, W, C, levels] of pictures [B, H, W, C]."""
    channels = x.shape[-1]
    groups = np.arange(self.width) * channels // self.width
    same = groups[:, None] <= groups
    x = x.astype(self.dtype)
    up, left = _moved(x, 1, (0, 0))[:, :-1], x
    for number in range(self.layers):
      reach = _NEXT if number else _FIRST
      sees = same if number else np.arange(channels)[:, None] < groups
      rows = reach + (number > 0)  # The first has no row of its own.
      up = _Sum(2 * self.width, (rows, 2 * reach + 1), reach, self.dtype)(up)
      row = _Sum(2 * self.width, (1, reach + 1), 0, self.dtype)
      here = row(left, np.tile(sees, 2)) + self._plain(2 * self.width)(up)
      found = self._plain(self.width)(_gate(here), same)
      up, left = _gate(up), left + found if number else found
    left = nn.relu(self._plain(self.width)(nn.relu(left), same))
    outputs = np.repeat(np.arange(channels), self.levels)
    logits = self._plain(len(outputs))(left, groups[:, None] <= outputs)
    return logits.astype(jnp.float32).reshape(*x.shape, self.levels)

  def _plain(self, width: int):
    return _Sum(width, (1, 1), 0, self.dtype)


class _Sum(nn.Module):
  """Convolution whose last row is that of the pixel itself.

  Attributes:
    width: of the result.
    size: rows and columns of the kernel.
    right: how many of the columns are to the right of the pixel.
    dtype: type in which it computes.
  """

  width: int
  size: tuple[int, int]
  right: int
  dtype: Any

  @nn.compact
  def __call__(self, x: jax.Array, sees: np.ndarray | None = None) -> jax.Array:
    """Returns [B, H, W, width] of [B, H, W, Ci].

    Args:
      x: features.
      sees: [Ci, width] bool, which features of the pixel itself each one of the
        result depends on; None: on all.
    """
    shape = *self.size, x.shape[-1], self.width
    kernel = self.param('kernel', nn.initializers.lecun_normal(), shape)
    bias = self.param('bias', nn.initializers.zeros, (self.width,))
    if sees is not None and not sees.all():
      mask = np.ones(shape, bool)
      mask[-1, -1 - self.right] = sees
      kernel = jnp.where(mask, kernel, 0)
    rows, columns = self.size
    kernel = kernel.astype(self.dtype)
    if self.size == (1, 1):
      y = x @ kernel[0, 0]
    else:
      around = columns - 1 - self.right, self.right
      x = _moved(x, rows - 1, around)
      y = conv.conv(x, kernel, (1, 1), (0, 0))
    return y + bias.astype(self.dtype)[None, None, None]


def _moved(x: jax.Array, down: int, around: tuple[int, int]) -> jax.Array:
  """Puts zeros above pictures [B, H, W, C], and to their left and right."""
  return jnp.pad(x, ((0, 0), (down, 0), around, (0, 0)))


def _gate(x: jax.Array) -> jax.Array:
  """Returns the first half of features, by how open the second half is."""
  value, door = jnp.split(x, 2, axis=-1)
  return jnp.tanh(value) * nn.sigmoid(door)
