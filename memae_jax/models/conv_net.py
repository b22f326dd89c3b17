"""Convolutional encoder and decoder, for images and clips of any size.

The paper's networks (its section 4.1, as far as it is known; padding keeps
the middle of the kernel on the image):

  MNIST     widths 32-16-8, kernels 3, strides 2-2-3       code [3, 3, 8]
  MNIST v1  widths 16-32-64, kernels 1-3-3, strides 2      code [4, 4, 64]
  CIFAR-10  widths 64-128-128-256, kernels 3, strides 2    code [2, 2, 256]
  video     widths 96-128-256-256, kernels 3, strides 2,   code [2, 16, 16, 256]
            in time 1-2-2-2, of clips [16, 256, 256, 1]
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from memae_jax.models import conv, layers
from memae_jax.runtime import errors

_CONV = 'convolution'  # What `remat` keeps for the backward pass.


class Layer(NamedTuple):
  """One level of the encoder.

  width: its channels. kernel: its size along each axis. strides: one per
  spatial axis. size: the spatial sizes that enter it.
  """

  width: int
  kernel: int
  strides: tuple[int, ...]
  size: tuple[int, ...]


class Plan(NamedTuple):
  """The levels of the encoder, and the shape of its result.

  code_shape: (*sizes, channels) of the encoding of one sample.
  """

  levels: tuple[Layer, ...]
  code_shape: tuple[int, ...]


def plan(
  widths: Sequence[int],
  kernels: Sequence[int],
  strides: Sequence[int],
  time_strides: Sequence[int],
  layout: str,
  input_shape: Sequence[int],
) -> Plan:
  """Follows the sizes of an input through the encoder.

  Args:
    widths: channels of each level.
    kernels, strides: of each level; empty for 3 and 2 throughout.
    time_strides: of each level along the first of three axes; empty for
      `strides` there, too.
    layout: 'strided' or 'pool'.
    input_shape: (*sizes, channels) of a sample.

  Raises:
    UserError: the numbers of values differ, or the input is too small or not
      an image.
  """
  kernels = kernels or (3,) * len(widths)
  strides = strides or (2,) * len(widths)
  _check(widths, kernels, strides, time_strides, layout, input_shape)
  levels, size = [], tuple(input_shape[:-1])
  for width, kernel, stride, time in zip(
    widths, kernels, strides, time_strides or strides
  ):
    steps = (time, stride, stride) if time_strides else (stride,) * len(size)
    levels.append(Layer(width, kernel, steps, size))
    reach = 2 * (kernel // 2) - kernel if layout == 'strided' else -1
    size = tuple((n + reach) // s + 1 for n, s in zip(size, steps))
    if min(size) < 1:
      raise errors.UserError(
        f'a sample of shape {tuple(input_shape)} is too small for kernel'
        f' {kernel} of layer {len(levels)}; lower model.kernels'
      )
  return Plan(tuple(levels), (*size, widths[-1]))


def centres(plan: Plan, layout: str) -> tuple[tuple[float, ...], ...]:
  """Returns what the positions of a code are centred at, in the input.

  Strided convolutions begin at the first pixel, and pools have it in a block:
  so positions of the former lie up to half a stride before those of the latter.

  Args:
    plan: of the encoder.
    layout: 'strided' or 'pool'.

  Returns:
    The pixels, or frames, one for each position along each spatial axis.
  """
  out = []
  for axis, count in enumerate(plan.code_shape[:-1]):
    first, step = 0.0, 1
    for level in plan.levels[::-1]:
      stride, kernel = level.strides[axis], level.kernel
      is_pool = layout == 'pool'
      within = (stride - 1) / 2 if is_pool else (kernel - 1) / 2 - kernel // 2
      first, step = stride * first + within, stride * step
    out.append(tuple(first + step * i for i in range(count)))
  return tuple(out)


def _check(widths, kernels, strides, time_strides, layout, input_shape) -> None:
  """Raises UserError if the levels do not fit each other or the input."""
  fields = {'widths': widths, 'kernels': kernels, 'strides': strides}
  if time_strides:
    fields['time_strides'] = time_strides
  if {len(values) for values in fields.values()} != {len(widths) or 1}:
    counts = ', '.join(f'{name} {len(v)}' for name, v in fields.items())
    raise errors.UserError(
      f'config fields of "model" differ in their number of values ({counts});'
      ' give one for each layer'
    )
  if layout == 'pool' and any(kernel % 2 == 0 for kernel in kernels):
    raise errors.UserError(
      f'config field "model.kernels" is {tuple(kernels)}, but the layout "pool"'
      ' needs odd kernels'
    )
  if len(input_shape) < 2:
    raise errors.UserError(
      f'config field "model.network" is "conv", but a sample has shape'
      f' {tuple(input_shape)}; use "dense"'
    )
  if time_strides and len(input_shape) != 4:
    raise errors.UserError(
      'config field "model.time_strides" is set, but a sample has shape'
      f' {tuple(input_shape)}, without time; use ()'
    )


class Conv(nn.Module):
  """Convolution [B, *n, Ci] -> [B, *m, Co], m = (n + 2 (k//2) - k)//s + 1.

  With `size`, the adjoint map: a transposed convolution to these sizes.
  Strides are 1 where none are given; `padding`, where given, replaces k//2.
  """

  width: int
  kernel: int
  strides: tuple[int, ...] | None = None
  size: tuple[int, ...] | None = None
  dtype: Any = jnp.float32
  padding: tuple[int, ...] | None = None

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Convolves the middle axes."""
    rank = x.ndim - 2
    kernel = self.param(
      'kernel',
      nn.initializers.lecun_normal(),
      (self.kernel,) * rank + (x.shape[-1], self.width),
    ).astype(self.dtype)
    bias = self.param('bias', nn.initializers.zeros, (self.width,))
    strides = self.strides or (1,) * rank
    padding = self.padding or (self.kernel // 2,) * rank
    x = x.astype(self.dtype)
    if self.size is None:
      y = conv.conv(x, kernel, strides, padding)
    else:
      y = conv.conv_transpose(x, kernel, strides, padding, self.size)
    y += bias.astype(self.dtype).reshape((1,) * (y.ndim - 1) + (-1,))
    return checkpoint_name(y, _CONV)


def remat(wanted: bool) -> Callable[[type[nn.Module]], type[nn.Module]]:
  """Returns a change of the class of an encoder or decoder.

  Args:
    wanted: whether it then keeps only its convolutions for the backward pass,
      and computes all else again there; or the class stays as it is.
  """
  if not wanted:
    return lambda module: module
  return functools.partial(
    nn.remat,
    static_argnums=2,  # train
    policy=jax.checkpoint_policies.save_only_these_names(_CONV),
  )


def max_pool(x: jax.Array, strides: Sequence[int]) -> jax.Array:
  """Takes the maximum of blocks: [B, *n, C] -> [B, *ceil(n / s), C].

  Of equal values the first gets the gradient. That of `jnp.max` divides by how
  many values equal the maximum: none at all where XLA computes them again with
  another rounding.

  Args:
    x: [B, *n, C].
    strides: s, the size of a block; the last block may be smaller.
  """
  fill = jnp.array(-jnp.inf, x.dtype)
  edges = [(0, -n % s, 0) for n, s in zip(x.shape[1:-1], strides)]
  x = jax.lax.pad(x, fill, [(0, 0, 0), *edges, (0, 0, 0)])
  blocks = [
    part for n, s in zip(x.shape[1:-1], strides) for part in (n // s, s)
  ]
  x = x.reshape(x.shape[0], *blocks, x.shape[-1])
  for axis in range(2, len(blocks) // 2 + 2):  # Each one leaves a place less.
    parts = [
      jax.lax.index_in_dim(x, i, axis, keepdims=False)
      for i in range(x.shape[axis])
    ]
    x = functools.reduce(lambda a, b: jnp.where(b > a, b, a), parts)
  return x


def up_sample(
  x: jax.Array, strides: Sequence[int], size: Sequence[int]
) -> jax.Array:
  """Repeats each position s times: [B, *m, C] -> [B, *size, C].

  Args:
    x: [B, *m, C].
    strides: s, one per spatial axis.
    size: of the result, at most m s.
  """
  for axis, (stride, n) in enumerate(zip(strides, size), 1):
    x = jnp.repeat(x, stride, axis=axis)
    x = jax.lax.slice_in_dim(x, 0, n, axis=axis)
  return x


def padding(
  size: Sequence[int], wanted: Sequence[int], kernel: int
) -> tuple[int, ...]:
  """Returns zeros on both sides of each axis of a plain convolution.

  They keep the size; there are none where it has so many positions too many
  that a convolution without padding takes off none that are wanted.

  Args:
    size: what comes in.
    wanted: what should go out, at most `size`.
    kernel: size of the kernel, odd.
  """
  return tuple(
    kernel // 2 if n - kernel + 1 < m else 0 for n, m in zip(size, wanted)
  )


class ConvEncoder(nn.Module):
  """Encoder [B, *n, C] -> [B, *plan.code_shape].

  Each layer is followed by norm and activation. `strided` layers shrink by
  their stride; `pool` layers keep the size and are followed by max-pooling.
  """

  plan: Plan
  layout: str = 'strided'
  activation: str = 'leaky_relu'
  batch_norm: bool = True
  dtype: Any = jnp.float32
  axis: str | None = None

  @nn.compact
  def __call__(
    self, x: jax.Array, train: bool, sample_mask: jax.Array | None = None
  ) -> jax.Array:
    """Encodes images; `sample_mask` [B] is False for padding."""
    strided = self.layout == 'strided'
    for level in self.plan.levels:
      strides = level.strides if strided else None
      x = Conv(level.width, level.kernel, strides, dtype=self.dtype)(x)
      x = layers.NormAct(
        self.activation, self.batch_norm, self.dtype, self.axis
      )(x, train, sample_mask)
      if not strided:
        x = max_pool(x, level.strides)
    return x


def mirrored(
  plan: Plan, layout: str, widths: Sequence[int], kernels: Sequence[int]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
  """Returns the widths before the output and the kernels of a decoder.

  Args:
    plan: of the encoder, mirrored where `widths` or `kernels` are empty.
    layout: 'strided' has as many layers as the encoder, 'pool' one more.
    widths, kernels: `model.decoder_widths` and `model.decoder_kernels`.

  Raises:
    UserError: they do not fit the encoder.
  """
  back = plan.levels[::-1]
  encoder_kernels = [level.kernel for level in back]
  usual_widths, usual_kernels = [level.width for level in back], encoder_kernels
  if layout == 'strided':
    usual_widths = usual_widths[1:]
  else:
    usual_kernels = usual_kernels + usual_kernels[-1:]
  widths, kernels = (
    tuple(widths or usual_widths),
    tuple(kernels or usual_kernels),
  )
  needed = len(usual_widths), len(usual_kernels)
  if (len(widths), len(kernels)) != needed:
    raise errors.UserError(
      f'config field "model.decoder_widths" needs {needed[0]} values and'
      f' "model.decoder_kernels" {needed[1]} for this encoder, not'
      f' {len(widths)} and {len(kernels)}'
    )
  if layout == 'pool' and any(kernel % 2 == 0 for kernel in kernels):
    raise errors.UserError(
      f'config field "model.decoder_kernels" is {kernels}, but the layout'
      ' "pool" needs odd kernels'
    )
  parities = [(a - b) % 2 for a, b in zip(kernels, encoder_kernels)]
  if layout == 'strided' and any(parities):
    raise errors.UserError(
      f'config field "model.decoder_kernels" is {kernels}, but each must be odd'
      f' or even like that of its encoder layer, {tuple(encoder_kernels)}'
    )
  return widths, kernels


class ConvDecoder(nn.Module):
  """Decoder [B, *plan.code_shape] -> [B, *n, channels].

  Attributes:
    plan: of the encoder, whose sizes are taken in reverse.
    channels: of the output.
    widths, kernels: from `mirrored`.
    surplus: of `pool` layers, what becomes of positions that up-sampling gives
      too many: 'cut' at once, or 'convolve'. Then the first convolution that
      reaches so far has no padding, which takes them away; what is left in the
      end is cut.
    output_activation: of the last layer.
  """

  plan: Plan
  channels: int
  widths: Sequence[int]
  kernels: Sequence[int]
  layout: str = 'strided'
  activation: str = 'leaky_relu'
  batch_norm: bool = True
  dtype: Any = jnp.float32
  axis: str | None = None
  surplus: str = 'cut'
  output_activation: str = 'none'

  @nn.compact
  def __call__(
    self, code: jax.Array, train: bool, sample_mask: jax.Array | None = None
  ) -> jax.Array:
    """Decodes to images; `sample_mask` [B] is False for padding."""
    back = self.plan.levels[::-1]
    sizes = (self.plan.code_shape[:-1], *(level.size for level in back))
    x = code
    for i, kernel in enumerate(self.kernels):
      width = (*self.widths, self.channels)[i]
      if self.layout == 'strided':
        x = Conv(width, kernel, back[i].strides, back[i].size, self.dtype)(x)
      else:
        around = padding(x.shape[1:-1], sizes[i], kernel)
        x = Conv(width, kernel, dtype=self.dtype, padding=around)(x)
      if i == len(self.widths):
        break
      x = layers.NormAct(
        self.activation, self.batch_norm, self.dtype, self.axis
      )(x, train, sample_mask)
      if self.layout == 'pool':
        size, strides = back[i].size, back[i].strides
        if self.surplus == 'convolve':
          size = [n * s for n, s in zip(x.shape[1:], strides)]
        x = up_sample(x, strides, size)
    x = x[(slice(None), *map(slice, sizes[-1]))]
    return layers.output(x, self.output_activation)
