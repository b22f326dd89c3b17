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
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name

from memae_jax.models import blocks, conv, layers
from memae_jax.runtime import errors

_CONV = 'convolution'  # What `remat` keeps for the backward pass.


class Layer(NamedTuple):
  """One level of the encoder.

  width: its channels. kernel: its size along each axis. padding: zeros before
  and behind each axis. strides: one per spatial axis. size: the spatial sizes
  that enter it.
  """

  width: int
  kernel: int
  padding: int
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
  paddings: Sequence[int] = (),
) -> Plan:
  """Follows the sizes of an input through the encoder.

  Args:
    widths: channels of each level.
    kernels, strides: of each level; empty for 3 and 2 throughout.
    time_strides: of each level along the first of three axes; empty for
      `strides` there, too.
    layout: 'strided' or 'pool'.
    input_shape: (*sizes, channels) of a sample.
    paddings: of each level, 'strided' only; empty for half of the kernel.

  Raises:
    UserError: the numbers of values differ, or the input is too small or not
      an image.
  """
  kernels = kernels or (3,) * len(widths)
  strides = strides or (2,) * len(widths)
  of_all = {'widths': widths, 'kernels': kernels, 'strides': strides}
  some = {'time_strides': time_strides, 'paddings': paddings}
  of_all |= {name: values for name, values in some.items() if values}
  _check(of_all, layout, input_shape)
  paddings = paddings or [kernel // 2 for kernel in kernels]
  levels, size = [], tuple(input_shape[:-1])
  for width, kernel, stride, time, padding in zip(
    widths, kernels, strides, time_strides or strides, paddings
  ):
    steps = (time, stride, stride) if time_strides else (stride,) * len(size)
    levels.append(Layer(width, kernel, padding, steps, size))
    reach = 2 * padding - kernel if layout == 'strided' else -1
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
      within = (stride - 1) / 2 if is_pool else (kernel - 1) / 2 - level.padding
      first, step = stride * first + within, stride * step
    out.append(tuple(first + step * i for i in range(count)))
  return tuple(out)


def _check(fields: Mapping[str, Sequence[int]], layout, input_shape) -> None:
  """Raises UserError if the levels do not fit each other or the input."""
  widths, kernels = fields['widths'], fields['kernels']
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
  if layout == 'pool' and 'paddings' in fields:
    raise errors.UserError(
      'config field "model.paddings" is set, but the layout "pool" keeps sizes;'
      ' use ()'
    )
  if len(input_shape) < 2:
    raise errors.UserError(
      f'config field "model.network" is "conv", but a sample has shape'
      f' {tuple(input_shape)}; use "dense"'
    )
  if 'time_strides' in fields and len(input_shape) != 4:
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

  Each layer is followed by norm and activation, the last one only unless
  `linear_code`. `strided` layers shrink by their stride; `pool` layers keep the
  size and are followed by max-pooling.
  """

  plan: Plan
  layout: str = 'strided'
  activation: str = 'leaky_relu'
  batch_norm: bool = True
  dtype: Any = jnp.float32
  axis: str | None = None
  linear_code: bool = False

  @nn.compact
  def __call__(
    self, x: jax.Array, train: bool, sample_mask: jax.Array | None = None
  ) -> jax.Array:
    """Encodes images; `sample_mask` [B] is False for padding."""
    strided, levels = self.layout == 'strided', self.plan.levels
    for i, level in enumerate(levels):
      strides = level.strides if strided else (1,) * len(level.size)
      around = (level.padding,) * len(level.size)
      x = Conv(level.width, level.kernel, strides, None, self.dtype, around)(x)
      if not self.linear_code or i + 1 < len(levels):
        x = layers.NormAct(
          self.activation, self.batch_norm, self.dtype, self.axis
        )(x, train, sample_mask)
      if not strided:
        x = blocks.max_pool(x, level.strides)
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
        level = back[i]
        more = (kernel - level.kernel) // 2  # Around the same pixels.
        around = (level.padding + more,) * len(level.size)
        x = Conv(width, kernel, level.strides, level.size, self.dtype, around)(
          x
        )
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
        x = blocks.up_sample(x, strides, size)
    x = x[(slice(None), *map(slice, sizes[-1]))]
    return layers.output(x, self.output_activation)
