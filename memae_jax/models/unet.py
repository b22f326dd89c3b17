"""U-Nets of images: halved and doubled again, with skips from side to side.

Those of two published predictors of frames, which differ in details:

  Frame-Pred  transposed convolutions of 2x2, no norms
  MNAD        transposed convolutions of 3x3, batch norms; the code is linear,
              and two further convolutions come before the way up
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from memae_jax.models import blocks, conv_net, layers
from memae_jax.runtime import errors


def sizes(
  shape: Sequence[int], widths: Sequence[int], field: str
) -> tuple[tuple[int, int], ...]:
  """Returns (rows, columns) of each level: halved, and rounded up.

  Args:
    shape: of one image.
    widths: channels of the levels.
    field: config field of the widths, for messages.

  Raises:
    UserError: a sample is no image, there are no levels, or the last one would
      be less than one pixel.
  """
  if len(shape) != 3:
    raise errors.UserError(
      f'a U-Net takes images, but what it is given of a sample has shape'
      f' {tuple(shape)}; set model.task to "predict", or for MNAD'
      ' methods.mnad.network to "model"'
    )
  halvings = 2 ** (len(widths) - 1)
  if not widths or min(shape[:2]) < halvings:
    raise errors.UserError(
      f'config field "{field}" has {len(widths)} levels, which do not fit'
      f' images of {shape[0]}x{shape[1]} pixels; give one or more, and fewer'
      ' for small images'
    )
  level = lambda i: tuple(-(-n // 2**i) for n in shape[:2])
  return tuple(level(i) for i in range(len(widths)))


class _Block(nn.Module):
  """Two 3x3 convolutions, each followed by an optional norm and ReLU.

  Attributes:
    width: channels of the result.
    is_open: whether the second convolution has neither norm nor ReLU.
  """

  width: int
  batch_norm: bool
  dtype: Any
  axis: str | None
  is_open: bool = False

  @nn.compact
  def __call__(self, x, train: bool, sample_mask) -> jax.Array:
    for is_second in (False, True):
      x = conv_net.Conv(self.width, 3, dtype=self.dtype)(x)
      if not (self.is_open and is_second):
        x = layers.NormAct('relu', self.batch_norm, self.dtype, self.axis)(
          x, train, sample_mask
        )
    return x


def _up(width: int, kernel: int, size: tuple[int, int], dtype: Any, x):
  """Doubles the sizes of [B, m, m', C] by a transposed convolution.

  Args:
    width: channels of the result.
    kernel: 2 or 3.
    size: rows and columns of the result; of odd ones what lies beyond the edge
      is cut off.
    dtype: type in which it computes.
    x: the maps.
  """
  double = tuple(2 * n for n in x.shape[1:-1])
  padding = ((kernel - 1) // 2,) * 2
  x = conv_net.Conv(width, kernel, (2, 2), double, dtype, padding)(x)
  return x[:, : size[0], : size[1]]


class Encoder(nn.Module):
  """Encoder [B, H, W, C] -> a map of each level, the last one being the code.

  Attributes:
    widths: channels of the levels.
    batch_norm: whether norms follow the convolutions.
    is_open: whether the code is linear.
    axis: mesh axis over which a batch is spread, for norms.
  """

  widths: tuple[int, ...]
  batch_norm: bool = False
  is_open: bool = False
  dtype: Any = jnp.float32
  axis: str | None = None

  @nn.compact
  def __call__(
    self, x: jax.Array, train: bool, sample_mask: jax.Array | None = None
  ) -> tuple[jax.Array, ...]:
    """Encodes images; `sample_mask` [B] is False for padding."""
    levels, last = [], len(self.widths) - 1
    for i, width in enumerate(self.widths):
      if i:
        x = blocks.max_pool(x, (2, 2))
      x = _Block(
        width,
        self.batch_norm,
        self.dtype,
        self.axis,
        is_open=self.is_open and i == last,
      )(x, train, sample_mask)
      levels.append(x)
    return tuple(levels)


class Decoder(nn.Module):
  """Decoder of the code, with or without the maps of the levels above it.

  Without skips the transposed convolutions have twice the channels, so that
  all other layers stay as they are.

  Attributes:
    widths, sizes: channels, and rows and columns, of the encoder's levels.
    channels: of the result.
    kernel: of the transposed convolutions, 2 or 3.
    skips: whether the maps of the encoder stand before what comes from below.
    mixes: whether two convolutions come before the way up.
    bounded: whether the result goes through tanh; else it is linear.
    batch_norm: whether norms follow the convolutions.
    axis: mesh axis over which a batch is spread, for norms.
  """

  widths: tuple[int, ...]
  sizes: tuple[tuple[int, int], ...]
  channels: int
  kernel: int = 2
  skips: bool = True
  mixes: bool = False
  bounded: bool = True
  batch_norm: bool = False
  dtype: Any = jnp.float32
  axis: str | None = None

  @nn.compact
  def __call__(
    self,
    x: jax.Array,
    train: bool,
    sample_mask: jax.Array | None = None,
    above: Sequence[jax.Array] = (),
  ) -> jax.Array:
    """Decodes to images.

    Args:
      x: [B, h, w, C] codes.
      train: whether norms take the moments of the batch.
      sample_mask: [B] bool, False for padding.
      above: maps of the levels above the code, where there are skips.

    Returns:
      [B, H, W, channels].
    """
    options = self.batch_norm, self.dtype, self.axis
    block = lambda width, x: _Block(width, *options)(x, train, sample_mask)
    if self.mixes:
      x = block(self.widths[-1], x)
    for i in reversed(range(len(self.widths) - 1)):
      width = self.widths[i]
      wide = width if self.skips else 2 * width
      x = _up(wide, self.kernel, self.sizes[i], self.dtype, x)
      x = layers.NormAct('relu', *options)(x, train, sample_mask)
      if self.skips:
        x = jnp.concatenate([above[i], x], axis=-1)
      x = block(width, x)
    x = conv_net.Conv(self.channels, 3, dtype=self.dtype)(x)
    return nn.tanh(x) if self.bounded else x


class UNet(nn.Module):
  """Encoder, and decoder with skips.

  Attributes:
    encoder: see `Encoder`.
    decoder: see `Decoder`.
  """

  encoder: Encoder
  decoder: Decoder

  def __call__(
    self,
    x: jax.Array,
    train: bool = False,
    sample_mask: jax.Array | None = None,
  ) -> jax.Array:
    """Maps images [B, H, W, C] to others, [B, H, W, channels]."""
    *above, code = self.encoder(x, train, sample_mask)
    out = self.decoder(code, train, sample_mask, tuple(above))
    return out.astype(x.dtype)
