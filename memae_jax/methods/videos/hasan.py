"""AE-Conv2D: the frames of a clip are the channels of one image.

After Hasan et al. 2016, "Learning temporal regularity in video sequences", by
the layers of the released network, whose widths are half those of many
reimplementations; of pictures of 227 pixels:

  convolution    11 x 11, stride 4   227 -> 55    256 channels
  max-pooling    3 x 3, stride 2      55 -> 27
  convolution    5 x 5, 2 groups                  128
  max-pooling    3 x 3, stride 2      27 -> 13
  convolution    3 x 3                             64

and these layers mirrored, without groups. tanh follows each convolution. Other
sizes are padded as little as lets the first kernels reach each pixel.

Left out are the local response norms: values of tanh are within [-1, 1], and
with the released constants (windows of 5, 1e-4, 0.75) such a norm multiplies
them by 0.99992 to 1.

The released decoder puts values where the maxima of the encoder were. These
places are a way around the bottleneck: whatever the code says, the decoder
learns from which of nine pixels each pooled value came, and so can copy edges
that it has never seen. Here it spreads values over their windows, unless
`methods.hasan.masks` is set.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from memae_jax import losses
from memae_jax.methods import base, tasks
from memae_jax.models import conv_net, pooling
from memae_jax.runtime import errors


class Level(NamedTuple):
  """One convolution of the encoder; a pooling precedes all but the first.

  width: its channels. kernel, stride, groups: of the convolution. padding: of
  rows and of columns. size: rows and columns that enter it. out: that leave it.
  """

  width: int
  kernel: int
  stride: int
  groups: int
  padding: tuple[int, ...]
  size: tuple[int, ...]
  out: tuple[int, ...]


def covering(size: int, kernel: int, stride: int) -> int:
  """Returns the least padding with which kernels reach every pixel.

  Args:
    size: of the image.
    kernel: size of the kernel, at least `stride`.
    stride: of the convolution.
  """
  for padding in range(kernel):
    over = size + 2 * padding - kernel
    # The pixels beyond the last kernel, of which some are padding.
    if over >= 0 and over % stride <= padding:
      return padding
  raise ValueError(f'stride {stride} is more than kernel {kernel}')


def plan(options: Any, size: Sequence[int]) -> tuple[Level, ...]:
  """Follows the sizes of an image through the encoder.

  Args:
    options: resolved `config.methods.hasan`.
    size: rows and columns of the image.

  Raises:
    UserError: the settings do not fit each other.
  """
  _check(options)
  levels, size = [], tuple(size)
  for i, (width, kernel) in enumerate(zip(options.widths, options.kernels)):
    stride, padding = 1, (kernel // 2,) * 2
    if i == 0:
      stride = options.stride
      padding = tuple(covering(n, kernel, stride) for n in size)
    else:
      size = tuple(map(pooling.pooled, size))
    out = tuple(
      (n + 2 * p - kernel) // stride + 1 for n, p in zip(size, padding)
    )
    groups = options.groups if i == 1 else 1
    levels.append(Level(width, kernel, stride, groups, padding, size, out))
    size = out
  return tuple(levels)


def _check(options) -> None:
  """Raises UserError if settings do not fit each other."""
  widths, kernels = options.widths, options.kernels
  if not widths or len(widths) != len(kernels):
    raise errors.UserError(
      f'config field "methods.hasan.kernels" is {kernels}, but'
      f' methods.hasan.widths {widths}; give one of each for each layer'
    )
  if any(kernel % 2 == 0 for kernel in kernels[1:]):
    raise errors.UserError(
      f'config field "methods.hasan.kernels" is {kernels}, but those after the'
      ' first must be odd'
    )
  if options.stride > kernels[0]:
    raise errors.UserError(
      f'config field "methods.hasan.stride" is {options.stride}, more than the'
      f' first of methods.hasan.kernels, {kernels[0]}; lower it'
    )
  if any(width % options.groups for width in widths[:2]):
    raise errors.UserError(
      f'config field "methods.hasan.groups" is {options.groups}, which does not'
      f' divide the first two of methods.hasan.widths {widths}; use 1'
    )


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Hasan':
  """Builds the family.

  Args:
    config: resolved; `config.methods.hasan` describes the network.
    input_shape: of one sample: a clip, or an image.
    replicas: of the family.

  Raises:
    UserError: samples are no images, or settings do not fit each other.
  """
  del replicas
  if len(input_shape) not in (losses.IMAGE - 1, losses.CLIP - 1):
    raise errors.UserError(
      f'"hasan" takes clips or images, but a sample has shape {input_shape};'
      ' leave it out of fleet.variants'
    )
  *_, rows, columns, channels = input_shape
  network = Network(
    levels=plan(config.methods.hasan, (rows, columns)),
    channels=channels * math.prod(input_shape[:-3]),
    masks=config.methods.hasan.masks,
    bounded=tasks.is_bounded(config),
    dtype=config.model.compute,
  )
  return Hasan(network, losses.find(config.train.loss))


class Grouped(nn.Module):
  """Convolution whose channels are divided into groups that do not meet.

  Attributes:
    level: of the encoder.
    dtype: in which it computes.
  """

  level: Level
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Convolves [B, H, W, C] to [B, *level.out, level.width]."""
    level = self.level
    parts = [
      conv_net.Conv(
        level.width // level.groups,
        level.kernel,
        (level.stride,) * 2,
        dtype=self.dtype,
        padding=level.padding,
      )(part)
      for part in jnp.split(x, level.groups, axis=-1)
    ]
    return jnp.concatenate(parts, axis=-1)


class Network(nn.Module):
  """Autoencoder of images [B, H, W, C].

  Attributes:
    levels: of the encoder.
    channels: of the images.
    masks: whether the decoder puts values where the maxima were.
    bounded: whether tanh follows the last layer, too.
    dtype: in which it computes.
  """

  levels: tuple[Level, ...]
  channels: int
  masks: bool = False
  bounded: bool = True
  dtype: Any = jnp.float32

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Reconstructs images; the result has their shape and type."""
    dtype, places = x.dtype, []
    for i, level in enumerate(self.levels):
      if i:
        x, place = pooling.max_pool(x)
        places.append(place)
      x = nn.tanh(Grouped(level, self.dtype)(x))
    for i, level in reversed(list(enumerate(self.levels))):
      x = conv_net.Conv(
        self.levels[i - 1].width if i else self.channels,
        level.kernel,
        (level.stride,) * 2,
        level.size,
        self.dtype,
        level.padding,
      )(x)
      if i or self.bounded:
        x = nn.tanh(x)
      if i:
        before = self.levels[i - 1].out
        if self.masks:
          x = pooling.unpool(x, places[i - 1], before)
        else:
          x = pooling.spread(x, before)
    return x.astype(dtype)


def stacked(x: jax.Array) -> jax.Array:
  """Returns clips [B, T, H, W, C] as images [B, H, W, T C]; images stay."""
  if x.ndim != losses.CLIP:
    return x
  x = jnp.moveaxis(x, 1, 3)
  return x.reshape(*x.shape[:3], -1)


def unstacked(x: jax.Array, shape: Sequence[int]) -> jax.Array:
  """Returns images as samples of a shape, the inverse of `stacked`.

  Args:
    x: [B, H, W, T C].
    shape: of one sample.
  """
  if len(shape) != losses.CLIP - 1:
    return x
  frames, rows, columns, channels = shape
  x = x.reshape(-1, rows, columns, frames, channels)
  return jnp.moveaxis(x, 3, 1)


@dataclasses.dataclass(frozen=True)
class Hasan(base.Method):
  """AE-Conv2D, see `base.Method`.

  Attributes:
    network: of images.
    rule: by which it is trained.
  """

  network: Network
  rule: losses.Rule = losses.find('mse')

  @property
  def criterion(self):
    """Criterion of the best weights: the loss."""
    return self.rule.name, 'reconstruction'

  def init(self, key, samples, hyper):
    """Returns initial weights."""
    del hyper
    return self.network.init(key, stacked(samples[:1]))

  def _rebuilt(self, variables, x: jax.Array) -> jax.Array:
    out = self.network.apply(variables, stacked(x))
    return unstacked(out, x.shape[1:])

  def loss(self, variables, batch, hyper, across):
    """Returns the reconstruction error of a batch."""
    del hyper, across
    out = self._rebuilt(variables, batch.x)
    error = batch.mean(self.rule.score(batch.x, out))
    return base.LossParts(error, {'reconstruction': error})

  def predict(self, variables, x, hyper, mask, keys):
    """Returns scores, maps and reconstructions."""
    del hyper, mask, keys
    out = self._rebuilt(variables, x)
    return base.Prediction(**losses.of(x, out), output=out)
