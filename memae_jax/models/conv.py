"""Convolutions and transposed convolutions, fast on every platform.

One definition, lowered per platform. GPU and TPU get XLA's convolution and its
own gradients. On CPU XLA is fast only for a convolution without dilation; the
gradients of a strided one and every transposed one take its slow path. There
three linear maps, made of slices and matrix products, do all the work:

  correlate(x, w)[o] = sum_t pad(x)[o s + t] w[t]           the convolution
  scatter(y, w)[i] = sum_{o s + t = i + p} y[o] w[t]^T      its adjoint in x
  outer(x, y)[t] = sum_o pad(x)[o s + t]^T y[o]             its adjoint in w

with stride s, padding p and taps t of the kernel, each for every dimension.
Each is bilinear with the other two as gradients. Taps of the first dimension
(time, or rows) are summed after the products, which each plane has with all of
its taps; taps of the other dimensions are copied side by side before. Where
strides divide the kernel of images, tiles of pixels become channels, and no
strides are left. On images without strides XLA's own `correlate` is faster and
stands in. Its `outer` is fast at times, too, but not inside a loop, where
training has it: there it takes many times as long (see benchmarks/conv_cpu.py).
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

# Elements of the largest factor of one matrix product (4 MiB in float32).
# Larger factors leave the cache, and the patches of a whole batch of video
# clips would take gigabytes.
BLOCK = 2**20
# Products of a batch that are summed afterwards: more of them are made and
# summed sample by sample, as memory that is new to the process is slow.
_MANY = 2**22
# With so few channels on the large side, planes are too narrow for products:
# taps of the first dimension are copied, too, and `scatter` copies none.
_NARROW = 4


class _Geometry(NamedTuple):
  """Static numbers of a convolution, one per spatial dimension.

  It maps the spatial sizes `size` to `out`.
  """

  kernel: tuple[int, ...]
  strides: tuple[int, ...]
  padding: tuple[int, ...]
  size: tuple[int, ...]
  out: tuple[int, ...]


def _geometry(kernel, strides, padding, size, channels) -> _Geometry:
  """Checks the arguments that `conv` and `conv_transpose` share.

  Args:
    kernel: shape [*k, Ci, Co] of the kernel.
    strides, padding: s and p, one per spatial dimension.
    size: n, spatial sizes of the input of the convolution.
    channels: of the array that is mapped.

  Raises:
    ValueError: ranks, channels or sizes do not fit.
  """
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
  """Applies `cpu` or `xla`: as `lowering` names it, or as the platform needs.

  Raises:
    ValueError: the lowering is unknown.
  """
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
  """Convolves (cross-correlation, as in every deep learning library).

  Args:
    x: [B, *n, Ci], channels last.
    kernel: [*k, Ci, Co]; cast to the type of x.
    strides: s, one per spatial dimension.
    padding: p, zeros on both sides, one per spatial dimension.
    lowering: 'auto' chooses by platform; 'cpu' or 'xla' force one.

  Returns:
    [B, *m, Co] of the type of x, m = (n + 2p - k) // s + 1.

  Raises:
    ValueError: ranks, channels or sizes do not fit.
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
  """Applies the adjoint of a `conv` with inputs of `size`.

  It is a transposed convolution: PyTorch's ConvTranspose with output_padding =
  n - ((m - 1) s - 2p + k).

  Args:
    y: [B, *m, Ci], channels last.
    kernel: [*k, Ci, Co]; cast to the type of y.
    strides: s, one per spatial dimension.
    padding: p, one per spatial dimension.
    size: n, the spatial size of the result.
    lowering: 'auto' chooses by platform; 'cpu' or 'xla' force one.

  Returns:
    [B, *n, Co] of the type of y.

  Raises:
    ValueError: ranks or channels do not fit, or a convolution of `size` does
      not give the size m of y.
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
  """Convolves as `conv` does, by XLA."""
  padding = [(p, p) for p in geometry.padding]
  return _xla(x, kernel, geometry.strides, padding, None)


def _xla_conv_transpose(geometry: _Geometry, y, kernel):
  """Convolves y with zeros inserted, which `conv_transpose` is, by XLA."""
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


def _moved(x, axis, by, size):
  """Moves x along an axis: x[i - by] at i < size, zeros elsewhere."""
  pads = [(0, 0, 0)] * x.ndim
  pads[axis] = (by, size - x.shape[axis] - by, 0)
  return lax.pad(x, jnp.zeros((), x.dtype), pads)


def _dot(a, b):
  """Product [..., i] @ [i, j]; sums in float32 at least."""
  dtype = jnp.promote_types(jnp.float32, a.dtype)
  return lax.dot_general(
    a, b, (((a.ndim - 1,), (0,)), ((), ())), preferred_element_type=dtype
  )


def _windows(x, axis, k, s, out):
  """Windows of an axis of padded x side by side: [..., C] -> [..., k * C]."""
  ends = lambda t: t + s * (out - 1) + 1
  taps = [lax.slice_in_dim(x, t, ends(t), s, axis) for t in range(k)]
  return lax.concatenate(taps, x.ndim - 1)


def _patches(x, geometry: _Geometry):
  """Lays the taps of a plane side by side: [*n, C] -> [*m, taps * C].

  A plane is what lies at one index of the first spatial dimension, whose taps
  are left out here. The dimensions are taken one after the other, which copies
  long rows of memory and compiles in a fraction of the time of slices for all
  taps at once.

  Args:
    x: [planes, *n, C], n without its first dimension.
    geometry: of the convolution.
  """
  k, s, p, _, m = (numbers[1:] for numbers in geometry)
  x = _pad(x, zip(p, p))
  for axis in reversed(range(len(k))):
    x = _windows(x, axis + 1, k[axis], s[axis], m[axis])
  return x


def _blocks(function: Callable, elements: int, *planes: jax.Array, add=False):
  """Applies a function to blocks of planes whose factors fit the cache.

  Args:
    function: takes as many arrays as `planes`, each with fewer planes.
    elements: number of elements of its largest factor, per plane.
    planes: [P, ...] each.
    add: whether the results of the blocks are summed; else they are put
      together as [P, ...].
  """
  count, most = len(planes[0]), max(BLOCK // elements, 1)
  size = max(n for n in range(1, count + 1) if count % n == 0 and n <= most)
  if size == count:
    return function(*planes)
  blocks = [x.reshape(-1, size, *x.shape[1:]) for x in planes]
  if not add:
    parts = lax.map(lambda block: function(*block), blocks)
    return jax.tree.map(lambda x: lax.collapse(x, 0, 2), parts)

  def step(total, block):
    return jax.tree.map(jnp.add, total, function(*block)), None

  first = jax.eval_shape(function, *(x[0] for x in blocks))
  zero = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), first)
  return lax.scan(step, zero, blocks)[0]


def _phases(k: int, s: int, p: int) -> list[list[tuple[int, int]]]:
  """Pairs indices i = q s + f, f < s, of the large side with the small side.

  Returns:
    For each phase f its pairs (t, d): tap t leads to o = q + d. A phase that
    no tap reaches has none; this needs k < s.
  """
  return [
    [(t, (f + p - t) // s) for t in range((f + p) % s, k, s)] for f in range(s)
  ]


def _interleave(phases, axis, size):
  """Joins s arrays, one per phase f, so that q is at q s + f < size."""
  x = lax.collapse(jnp.stack(phases, axis + 1), axis, axis + 2)
  return lax.slice_in_dim(x, 0, size, axis=axis)


def _sum_taps(tap: Callable, axis: int, k: int, s: int, p: int, n: int):
  """Moves the products tap(t) with each tap to where they belong, and adds."""
  q = -(-n // s)
  zero = jnp.zeros_like(_moved(tap(0), axis, 0, q))
  return _interleave(
    [
      sum((_moved(tap(t), axis, -d, q) for t, d in pairs), zero)
      for pairs in _phases(k, s, p)
    ],
    axis,
    n,
  )


def _merged(geometry: _Geometry, x):
  """Makes channels of the taps of the first dimension, for few channels.

  Returns:
    The geometry of the convolution that is left, with one tap there, and x.
  """
  k, s, p, n, m = geometry
  x = _moved(x, 1, p[0], n[0] + 2 * p[0])
  x = _windows(x, 1, k[0], s[0], m[0])
  left = _Geometry((1, *k[1:]), (1, *s[1:]), (0, *p[1:]), (m[0], *n[1:]), m)
  return left, x


def _planes(geometry: _Geometry, x):
  """Splits the first spatial dimension into phases.

  Returns:
    x as [B * q, s, ...], q, and (f, pairs) for each phase that a tap reaches.
  """
  k, s, p, n, _ = (numbers[0] for numbers in geometry)
  q = -(-n // s)
  x = _moved(x, 1, 0, q * s).reshape(-1, s, *x.shape[2:])
  return x, q, [(f, o) for f, o in enumerate(_phases(k, s, p)) if o]


def _is_plain(geometry: _Geometry, channels: int) -> bool:
  """Returns whether XLA's `correlate` is fast.

  It is on images without strides, unless they are as small as the kernel.
  """
  k, s, _, n, _ = geometry
  image = len(n) == 2 and max(s) == 1 and channels > _NARROW
  return image and all(n > 2 * k for n, k in zip(n, k))


class _Tiled(NamedTuple):
  """A convolution of images whose strides divide its kernel, without strides.

  Tiles of s x s pixels become one with s * s times the channels.

  Attributes:
    geometry: of the convolution of tiles.
    strides, padding, size: s, p and n of that of pixels.
  """

  geometry: _Geometry
  strides: tuple[int, ...]
  padding: tuple[int, ...]
  size: tuple[int, ...]

  @property
  def _edges(self):
    """Zeros before and after each dimension, so that tiles cover it."""
    sizes = (n * s for n, s in zip(self.geometry.size, self.strides))
    return [
      (p, covered - n - p)
      for p, covered, n in zip(self.padding, sizes, self.size)
    ]

  def tiles(self, x):
    """Maps [B, *n, C] to [B, *tiles, s * s * C]."""
    (a, b), (h, w) = self.strides, self.geometry.size
    x = _pad(x, self._edges).reshape(len(x), h, a, w, b, x.shape[-1])
    return jnp.moveaxis(x, 2, 3).reshape(len(x), h, w, -1)

  def pixels(self, x):
    """Maps [B, *tiles, s * s * C] to [B, *n, C], the adjoint of `tiles`."""
    (a, b), (h, w) = self.strides, self.geometry.size
    x = jnp.moveaxis(x.reshape(len(x), h, w, a, b, -1), 3, 2)
    x = x.reshape(len(x), h * a, w * b, -1)
    return _pad(x, [(-low, -high) for low, high in self._edges])

  def kernel(self, kernel):
    """Maps [*k, Ci, Co] to the kernel of tiles, [*(k / s), s * s * Ci, Co]."""
    (a, b), (c, d) = self.strides, self.geometry.kernel
    kernel = kernel.reshape(c, a, d, b, *kernel.shape[2:])
    return jnp.moveaxis(kernel, 1, 2).reshape(c, d, -1, kernel.shape[-1])

  def taps(self, kernel):
    """Maps a kernel of tiles to that of pixels."""
    (a, b), (c, d) = self.strides, self.geometry.kernel
    kernel = kernel.reshape(c, d, a, b, -1, kernel.shape[-1])
    return jnp.moveaxis(kernel, 2, 1).reshape(c * a, d * b, *kernel.shape[4:])


def _tiled(geometry: _Geometry, channels: int) -> _Tiled | None:
  """Returns a convolution of tiles, or None where it does not fit."""
  k, s, p, n, m = geometry
  divides = all(k % s == 0 for k, s in zip(k, s))
  if len(n) != 2 or max(s) == 1 or not divides or channels <= _NARROW:
    return None
  taps = tuple(k // s for k, s in zip(k, s))
  size = tuple(m + k - 1 for m, k in zip(m, taps))
  left = _Geometry(taps, (1, 1), (0, 0), size, m)
  return _Tiled(left, s, p, n)


def _correlate(geometry: _Geometry, x, kernel):
  """Maps x [B, *n, Ci] by a kernel [*k, Ci, Co] to [B, *m, Co]."""
  ci, co = kernel.shape[-2:]
  tiled = _tiled(geometry, ci)
  if tiled:
    kernel = tiled.kernel(kernel)
    return _correlate(tiled.geometry, tiled.tiles(x), kernel)
  if _is_plain(geometry, ci):
    return _xla_conv(geometry, x, kernel)
  if ci <= _NARROW and geometry.kernel[0] > 1:
    kernel = lax.collapse(jnp.moveaxis(kernel, 0, -3), kernel.ndim - 3, -1)
    return _correlate(*_merged(geometry, x), kernel[None])
  planes, q, phases = _planes(geometry, x)
  matrices = [
    lax.concatenate([kernel[t] for t, _ in pairs], kernel.ndim - 2)
    for _, pairs in phases
  ]

  def block(x):
    return [
      _dot(_patches(x[:, f], geometry), matrix.reshape(-1, matrix.shape[-1]))
      for (f, _), matrix in zip(phases, matrices)
    ]

  width = math.prod(geometry.kernel[1:]) * ci
  # Patches narrower than their products are no reason for blocks.
  elements = math.prod(geometry.out[1:]) * width if width > co else 1
  products = _blocks(block, elements, planes)
  y = 0
  for (_, pairs), z in zip(phases, products):
    z = z.reshape(len(x), q, *z.shape[1:])
    for i, (_, d) in enumerate(pairs):
      y += _moved(z[..., i * co : (i + 1) * co], 1, d, geometry.out[0])
  return y.astype(x.dtype)


def _outer(geometry: _Geometry, x, g):
  """Maps x [B, *n, Ci] and g [B, *m, Co] to a kernel [*k, Ci, Co]."""
  k, ci, co = geometry.kernel, x.shape[-1], g.shape[-1]
  tiled = _tiled(geometry, ci)
  if tiled:
    return tiled.taps(_outer(tiled.geometry, tiled.tiles(x), g))
  if ci <= _NARROW and k[0] > 1:
    kernel = _outer(*_merged(geometry, x), g)[0]
    kernel = kernel.reshape(*k[1:], k[0], ci, co)
    return jnp.moveaxis(kernel, -3, 0)
  planes, q, phases = _planes(geometry, x)
  reached = [
    lax.concatenate([_moved(g, 1, -d, q) for _, d in pairs], g.ndim - 1)
    for _, pairs in phases
  ]
  width = math.prod(k[1:]) * ci

  def block(x, *reached):
    # In this order XLA transposes the small result, not the patches.
    return [
      _dot(
        g.reshape(-1, g.shape[-1]).T,
        _patches(x[:, f], geometry).reshape(-1, width),
      )
      for (f, _), g in zip(phases, reached)
    ]

  products = _blocks(
    block,
    math.prod(geometry.out[1:]) * width,
    planes,
    *(lax.collapse(g, 0, 2) for g in reached),
    add=True,
  )
  taps = {
    t: z[i * co : (i + 1) * co].T
    for (_, pairs), z in zip(phases, products)
    for i, (t, _) in enumerate(pairs)
  }
  kernel = jnp.stack([taps[t] for t in range(k[0])])
  return kernel.reshape(*k, ci, co).astype(x.dtype)


def _scatter(geometry: _Geometry, y, kernel):
  """Maps y [B, *m, Co] by a kernel [*k, Ci, Co] to [B, *n, Ci].

  Each phase is a convolution of stride 1 with its own taps, so that nothing is
  multiplied by inserted zeros.
  """
  k, s, p, n, m = geometry
  ci, co = kernel.shape[-2:]
  tiled = _tiled(geometry, ci)
  if tiled:
    return tiled.pixels(_scatter(tiled.geometry, y, tiled.kernel(kernel)))
  if max(s) == 1 and len(n) == 2 and ci > _NARROW:
    around = tuple(k - 1 - p for k, p in zip(k, p))
    turned = jnp.swapaxes(jnp.flip(kernel, (0, 1)), -1, -2)
    return _correlate(_Geometry(k, s, around, m, n), y, turned)
  axes = [numbers[:4] for numbers in zip(*geometry)]
  if ci <= _NARROW:
    # The products with all taps, [*k, ci, B, *m], are cheaper to move than y.
    z = jnp.moveaxis(_dot(y, kernel.reshape(-1, co).T), -1, 0)
    z = z.reshape(*k, ci, *y.shape[:-1])
    for axis, numbers in enumerate(axes, -len(n)):
      z = _sum_taps(z.__getitem__, z.ndim - 1 + axis, *numbers)
    return jnp.moveaxis(z, 0, -1).astype(y.dtype)

  products = m[0] * math.prod(n[1:]) * k[0] * ci
  if len(y) > 1 and len(y) * products > _MANY:
    return _blocks(lambda y: _scatter(geometry, y, kernel), products, y)

  def block(part, matrix, axis):
    """Gathers the taps of a phase in this and all earlier dimensions."""
    if axis == 0:
      return _dot(part, matrix.reshape(-1, k[0] * ci))
    q = -(-n[axis] // s[axis])
    results = []
    for f, pairs in enumerate(_phases(k[axis], s[axis], p[axis])):
      first = min((f + p[axis]) % s[axis], k[axis])
      taps = lax.slice_in_dim(matrix, first, None, s[axis], axis - 1)
      windows = [_moved(part, axis, -d, q) for _, d in pairs]
      patches = lax.concatenate(
        windows or [_moved(part[..., :0], axis, 0, q)], part.ndim - 1
      )
      results.append(block(patches, taps, axis - 1))
    return _interleave(results, axis, n[axis])

  turned = jnp.moveaxis(kernel, (0, -2), (-2, -1))
  elements = co * math.prod(
    -(-a // b) for a, b in zip(n[1:] + k[1:], 2 * s[1:])
  )
  z = _blocks(
    lambda part: block(part, turned, len(n) - 1),
    elements,
    lax.collapse(y, 0, 2),
  )
  z = z.reshape(-1, m[0], *z.shape[1:])
  tap = lambda t: z[..., t * ci : (t + 1) * ci]
  return _sum_taps(tap, 1, *axes[0]).astype(y.dtype)
