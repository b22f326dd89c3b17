"""Convolutions and transposed convolutions, fast on every platform.

One definition, lowered per platform. GPU and TPU get XLA's convolution and its
own gradients. On CPU XLA is fast only for a convolution without dilation; the
gradients of a strided one and every transposed one take its slow path. There
three linear maps, made of slices and matrix products, do all the work:

  correlate(x, w)[o] = sum_t pad(x)[o s + t] w[t]           the convolution
  scatter(y, w)[i] = sum_{o s + t = i + p} y[o] w[t]^T      its adjoint in x
  outer(x, y)[t] = sum_o pad(x)[o s + t]^T y[o]             its adjoint in w

with stride s, padding p and taps t of the kernel, each for every dimension.
Each is bilinear with the other two as gradients.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

# Elements of the largest factor of one matrix product (8 MiB in float32).
# Larger factors leave the cache, and the patches of a whole batch of video
# clips would take gigabytes.
_BLOCK = 2**21
# Up to so many channels `scatter` contracts before it shifts.
_NARROW = 4


class _Geometry(NamedTuple):
  """Static numbers of a convolution from `size` to `out`; one a dimension."""

  kernel: tuple[int, ...]
  strides: tuple[int, ...]
  padding: tuple[int, ...]
  size: tuple[int, ...]
  out: tuple[int, ...]


def _geometry(kernel, strides, padding, size, channels) -> _Geometry:
  """Checks the arguments shared by both functions; see there."""
  rank = len(size)
  strides, padding = tuple(strides), tuple(padding)
  if len(kernel) != rank + 2 or not len(strides) == len(padding) == rank:
    raise ValueError(
      f'{rank} spatial dimensions need a kernel of rank {rank + 2}, {rank} '
      f'strides and {rank} paddings; got kernel {kernel}, strides {strides}, '
      f'padding {padding}'
    )
  if kernel[-2] != channels:
    raise ValueError(
      f'the input has {channels} channels, the kernel takes {kernel[-2]}'
    )
  if min(strides) < 1 or min(padding) < 0:
    raise ValueError(
      f'strides {strides} must be positive, padding {padding} not negative'
    )
  out = tuple(
    (n + 2 * p - k) // s + 1
    for n, k, s, p in zip(size, kernel, strides, padding)
  )
  if min(out) < 1:
    raise ValueError(
      f'size {size} with padding {padding} is less than kernel {kernel[:-2]}'
    )
  return _Geometry(kernel[:-2], strides, padding, tuple(size), out)


def _lower(cpu: Callable, xla: Callable, lowering: str, *args: jax.Array):
  """Applies the function that `lowering` names, or that the platform needs."""
  if lowering == 'auto':
    return lax.platform_dependent(*args, cpu=cpu, default=xla)
  if lowering not in ('cpu', 'xla'):
    raise ValueError(f'lowering is "{lowering}"; use "auto", "cpu" or "xla"')
  return (cpu if lowering == 'cpu' else xla)(*args)


def conv(
  x: jax.Array,
  kernel: jax.Array,
  strides: Sequence[int],
  padding: Sequence[int],
  lowering: str = 'auto',
) -> jax.Array:
  """Convolution (cross-correlation, as in every deep learning library).

  Args:
    x: [B, *n, Ci], channels last.
    kernel: [*k, Ci, Co]; cast to the type of x.
    strides: s, one a spatial dimension.
    padding: p, zeros on both sides, one a spatial dimension.
    lowering: 'auto' chooses by platform; 'cpu' or 'xla' force one.

  Returns:
    [B, *m, Co] of the type of x, m = (n + 2p - k) // s + 1.

  Raises:
    ValueError: if ranks, channels or sizes do not fit.
  """
  geometry = _geometry(
    kernel.shape, strides, padding, x.shape[1:-1], x.shape[-1]
  )
  return _lower(
    functools.partial(_conv, geometry),
    functools.partial(_xla_conv, geometry),
    lowering,
    x,
    kernel.astype(x.dtype),
  )


def conv_transpose(
  y: jax.Array,
  kernel: jax.Array,
  strides: Sequence[int],
  padding: Sequence[int],
  size: Sequence[int],
  lowering: str = 'auto',
) -> jax.Array:
  """Transposed convolution: the adjoint of `conv` from `size` in its input.

  PyTorch's ConvTranspose with output_padding = n - ((m - 1) s - 2p + k).

  Args:
    y: [B, *m, Ci], channels last.
    kernel: [*k, Ci, Co]; cast to the type of y.
    strides: s, one a spatial dimension.
    padding: p, one a spatial dimension.
    size: n, the spatial size of the result.
    lowering: 'auto' chooses by platform; 'cpu' or 'xla' force one.

  Returns:
    [B, *n, Co] of the type of y.

  Raises:
    ValueError: if ranks or channels do not fit, or a convolution of `size`
      does not give the size m of y.
  """
  if len(size) != y.ndim - 2:
    raise ValueError(f'size {tuple(size)} does not fit input {y.shape}')
  geometry = _geometry(kernel.shape, strides, padding, size, y.shape[-1])
  if geometry.out != y.shape[1:-1]:
    raise ValueError(
      f'a convolution of size {geometry.size} gives {geometry.out}, but the '
      f'input has size {y.shape[1:-1]}; need m = (n + 2p - k) // s + 1'
    )
  return _lower(
    functools.partial(_conv_transpose, geometry),
    functools.partial(_xla_conv_transpose, geometry),
    lowering,
    y,
    kernel.astype(y.dtype),
  )


def _xla(x, kernel, strides, padding, dilation):
  """XLA's convolution, channels last."""
  space = 'DHW'[-len(strides) :]
  return lax.conv_general_dilated(
    x,
    kernel,
    strides,
    padding,
    lhs_dilation=dilation,
    dimension_numbers=(f'N{space}C', f'{space}IO', f'N{space}C'),
  )


def _xla_conv(geometry: _Geometry, x, kernel):
  """See `conv`."""
  padding = [(p, p) for p in geometry.padding]
  return _xla(x, kernel, geometry.strides, padding, None)


def _xla_conv_transpose(geometry: _Geometry, y, kernel):
  """See `conv_transpose`: a convolution of y with zeros inserted."""
  padding = [
    (k - 1 - p, n - (m - 1) * s + p - 1) for k, s, p, n, m in zip(*geometry)
  ]
  space = tuple(range(len(padding)))
  ones = (1,) * len(padding)
  return _xla(y, jnp.flip(kernel, space), ones, padding, geometry.strides)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _conv(geometry: _Geometry, x, kernel):
  return _correlate(geometry, x, kernel)


_conv.defvjp(
  lambda geometry, x, kernel: (_conv(geometry, x, kernel), (x, kernel)),
  lambda geometry, saved, g: (
    _scatter(geometry, g, saved[1]),
    _outer(geometry, saved[0], g),
  ),
)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _conv_transpose(geometry: _Geometry, y, kernel):
  return _scatter(geometry, y, jnp.swapaxes(kernel, -1, -2))


_conv_transpose.defvjp(
  lambda geometry, y, kernel: (
    _conv_transpose(geometry, y, kernel),
    (y, kernel),
  ),
  lambda geometry, saved, g: (
    _correlate(geometry, g, jnp.swapaxes(saved[1], -1, -2)),
    jnp.swapaxes(_outer(geometry, g, saved[0]), -1, -2),
  ),
)


def _pad(x, low_high):
  """Pads the spatial dimensions with zeros; negative numbers cut."""
  pads = [(0, 0, 0), *((low, high, 0) for low, high in low_high), (0, 0, 0)]
  return lax.pad(x, jnp.zeros((), x.dtype), pads)


def _shifted(x, axis, start, size, stride=1):
  """X at start + stride * range(size) along an axis."""
  return lax.slice_in_dim(
    x, start, start + stride * (size - 1) + 1, stride, axis
  )


def _dot(a, b):
  """[..., i] @ [i, j]; sums in float32 at least."""
  dtype = jnp.promote_types(jnp.float32, a.dtype)
  return lax.dot_general(
    a, b, (((a.ndim - 1,), (0,)), ((), ())), preferred_element_type=dtype
  )


def _patches(x, geometry: _Geometry, out):
  """The windows of all taps side by side, [images, *out, taps * C].

  One dimension after the other, which copies long rows of memory and compiles
  in a fraction of the time of slices for all taps at once.
  """
  for axis in reversed(range(1, x.ndim - 1)):
    k, s = geometry.kernel[axis - 1], geometry.strides[axis - 1]
    x = lax.concatenate(
      [_shifted(x, axis, t, out[axis - 1], s) for t in range(k)], x.ndim - 1
    )
  return x


class _Blocks(NamedTuple):
  """Cuts of (images, planes): either whole images or planes of one image.

  A plane is one index of the first spatial dimension of the result.
  """

  batch: int
  planes: int
  images: int
  height: int

  @classmethod
  def fit(cls, batch: int, planes: int, elements: int) -> '_Blocks':
    """The largest even blocks where a plane takes `elements` of `_BLOCK`."""
    divisor = lambda n, most: max(
      (d for d in range(1, n + 1) if n % d == 0 and d <= most), default=1
    )
    most = _BLOCK // max(elements, 1)
    if most >= planes:
      return cls(batch, planes, divisor(batch, most // planes), planes)
    return cls(batch, planes, 1, divisor(planes, most))

  @property
  def count(self) -> int:
    return (self.batch // self.images) * (self.planes // self.height)

  def cut(self, x, index, stride: int, reach: int):
    """The part of x that block `index` needs.

    Args:
      x: [batch, n0, ...].
      index: of the block.
      stride: planes of x from one plane of the result to the next.
      reach: planes of x that one plane of the result needs.
    """
    rows = self.planes // self.height
    start = (index // rows * self.images, index % rows * self.height * stride)
    size = (self.images, (self.height - 1) * stride + reach)
    return lax.dynamic_slice(
      x,
      start + (0,) * (x.ndim - 2),
      size + x.shape[2:],
    )

  def map(self, function: Callable) -> jax.Array:
    """[batch, planes * r, ...] of function(index) [images, height * r, ...]."""
    if self.count == 1:
      return function(0)
    parts = lax.map(function, jnp.arange(self.count))
    return parts.reshape(self.batch, -1, *parts.shape[3:])

  def sum(self, function: Callable) -> jax.Array:
    """The sum of function(index) over the blocks."""
    if self.count == 1:
      return function(0)
    zero = jnp.zeros_like(jax.eval_shape(function, 0))
    return lax.fori_loop(
      0, self.count, lambda i, total: total + function(i), zero
    )


def _correlate(geometry: _Geometry, x, kernel):
  """[B, *n, Ci], [*k, Ci, Co] -> [B, *m, Co]."""
  k, s, p, _, m = geometry
  matrix = kernel.reshape(-1, kernel.shape[-1])
  blocks = _Blocks.fit(x.shape[0], m[0], math.prod(m[1:]) * len(matrix))
  x = _pad(x, zip(p, p))

  def block(index):
    part = blocks.cut(x, index, s[0], k[0])
    patches = _patches(part, geometry, (blocks.height, *m[1:]))
    return _dot(patches, matrix).astype(x.dtype)

  return blocks.map(block)


def _outer(geometry: _Geometry, x, g):
  """[B, *n, Ci], [B, *m, Co] -> [*k, Ci, Co]."""
  k, s, p, _, m = geometry
  ci, co = x.shape[-1], g.shape[-1]
  width = math.prod(k) * ci
  blocks = _Blocks.fit(x.shape[0], m[0], math.prod(m[1:]) * width)
  x = _pad(x, zip(p, p))

  def block(index):
    part = blocks.cut(x, index, s[0], k[0])
    patches = _patches(part, geometry, (blocks.height, *m[1:]))
    # In this order XLA transposes the small result, not the patches.
    return _dot(
      blocks.cut(g, index, 1, 1).reshape(-1, co).T, patches.reshape(-1, width)
    )

  return blocks.sum(block).T.reshape(*k, ci, co).astype(x.dtype)


def _phases(k: int, s: int, p: int, n: int, m: int):
  """One dimension of `_scatter`: the results at i = q s + f, phases f < s.

  Phase f takes the taps t = f + p modulo s, tap t from o = q + (f + p - t) / s.

  Returns:
    Padding of y (low, high), number of q, and for each phase a list with the
    start of the window of each of its taps in padded y; empty if k < s.
  """
  shifts = [
    [(f + p - t) // s for t in range((f + p) % s, k, s)] for f in range(s)
  ]
  low = max(0, -min(sum(shifts, [])))
  count = -(-n // s)
  high = count + max(sum(shifts, [])) - m
  return (low, high), count, [[low + o for o in each] for each in shifts]


def _interleave(phases, axis):
  """Results at i = q s + f along an axis, from s arrays of all q."""
  return lax.collapse(jnp.stack(phases, axis + 1), axis, axis + 2)


def _scatter(geometry: _Geometry, y, kernel):
  """[B, *m, Co], [*k, Ci, Co] -> [B, *n, Ci].

  Each phase is a convolution of stride 1 with its own taps, so that nothing is
  multiplied by inserted zeros.
  """
  k, s, p, n, _ = geometry
  ci, co = kernel.shape[-2:]
  pads, counts, starts = zip(*(_phases(*each) for each in zip(*geometry)))
  turned = jnp.swapaxes(kernel, -1, -2)
  narrow = ci <= _NARROW
  width = (
    ci * math.prod(k)
    if narrow
    else co * math.prod(-(-a // b) for a, b in zip(k, s))
  )
  blocks = _Blocks.fit(y.shape[0], counts[0], math.prod(counts[1:]) * width)
  out = (blocks.height, *counts[1:])
  y = _pad(y, pads)

  def windows(part, axis, starts):
    return [_shifted(part, axis + 1, a, out[axis]) for a in starts]

  def shift_then_contract(part, matrix, axis):
    """Gathers the taps of a phase in this and all earlier dimensions."""
    if axis < 0:
      return _dot(part, matrix.reshape(-1, ci))
    results = []
    for f in range(s[axis]):
      taps = (slice(None),) * axis + (
        slice((f + p[axis]) % s[axis], None, s[axis]),
      )
      patches = lax.concatenate(
        windows(part, axis, starts[axis][f])
        or windows(part[..., :0], axis, [0]),
        part.ndim - 1,
      )
      results.append(shift_then_contract(patches, matrix[taps], axis - 1))
    return _interleave(results, axis + 1)

  def contract_then_shift(part):
    """For few channels: products with all taps are cheaper to shift."""
    part = _dot(part, jnp.moveaxis(turned, -2, 0).reshape(co, -1))
    for axis in range(len(n)):
      taps = jnp.split(part, k[axis], -1)
      zero = jnp.zeros_like(windows(taps[0], axis, [0])[0])
      results = []
      for f in range(s[axis]):
        own = taps[(f + p[axis]) % s[axis] :: s[axis]]
        results.append(
          sum(
            (windows(t, axis, [a])[0] for t, a in zip(own, starts[axis][f])),
            zero,
          )
        )
      part = _interleave(results, axis + 1)
    return part

  def block(index):
    part = blocks.cut(y, index, 1, 1 + max(sum(starts[0], [])))
    if narrow:
      part = contract_then_shift(part)
    else:
      part = shift_then_contract(part, turned, len(n) - 1)
    return part.astype(y.dtype)

  x = blocks.map(block)
  return lax.slice(x, (0,) * x.ndim, (x.shape[0], *n, ci))
