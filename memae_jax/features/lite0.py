"""EfficientNet-Lite0 as pure functions: features of pictures, never trained.

The network of Tan and Le (2019) in its "lite" form: no squeeze-and-excitation,
ReLU6 everywhere, and batch norms folded into the convolutions before them
(`weights.load` does that). Sixteen blocks follow a stem; a block is named by
its place, 'b0' to 'b15', and 'head' is the 1 x 1 convolution behind the last:

  name    channels    pixels per position
  b2      24          4
  b4      40          8
  b10     112         16
  b15     320         32
  head    1,280       32

Convolutions pad as XLA's 'SAME' does: one more row at the end than at the
start where their number is odd.

There is one lowering per platform. GPU and TPU get XLA's grouped convolution
where the network is depthwise. On a CPU that takes many times as long as a sum
of shifted products, one per tap of the kernel; and of a batch only as many
pictures are in work at a time as the cache holds (benchmarks/features.py).
"""

import functools
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

BLOCKS = 16
HEAD = 'head'
NAMES = (*(f'b{i}' for i in range(BLOCKS)), HEAD)

# Elements of the largest array of pictures in work on a CPU (8 MiB); larger
# ones leave the cache, where large pictures take twice the time.
PART = 2**21

_STEM = 32
_HEAD = 1280
# Repeats, kernel, stride of the first, expansion, channels: one row per stage.
_STAGES = (
  (1, 3, 1, 1, 16),
  (2, 3, 2, 6, 24),
  (2, 5, 2, 6, 40),
  (3, 3, 2, 6, 80),
  (3, 5, 1, 6, 112),
  (4, 5, 2, 6, 192),
  (1, 3, 1, 6, 320),
)


class Block(NamedTuple):
  """Static numbers of one block: expand 1 x 1, depthwise, project 1 x 1."""

  kernel: int
  stride: int
  expansion: int  # Without the first of the three convolutions where 1.
  inputs: int  # Channels.
  outputs: int


def _blocks() -> tuple[Block, ...]:
  blocks, inputs = [], _STEM
  for repeats, kernel, stride, expansion, outputs in _STAGES:
    for i in range(repeats):
      blocks.append(
        Block(kernel, 1 if i else stride, expansion, inputs, outputs)
      )
      inputs = outputs
  return tuple(blocks)


TABLE = _blocks()


def _depth(names: Iterable[str]) -> int:
  """Returns how many blocks the named outputs need.

  Raises:
    ValueError: there are no names, or one is not of `NAMES`.
  """
  names = tuple(names)
  unknown = [name for name in names if name not in NAMES]
  if unknown or not names:
    raise ValueError(
      f'outputs are {names}; name one or more of {", ".join(NAMES)}'
    )
  return min(max(map(NAMES.index, names)) + 1, BLOCKS)


def width(names: Iterable[str]) -> int:
  """Returns the number of channels of the named outputs, joined."""
  names = tuple(names)
  _depth(names)
  return sum(
    _HEAD if name == HEAD else TABLE[NAMES.index(name)].outputs
    for name in names
  )


def reach(name: str) -> int:
  """Returns how many pixels one position of an output stands for, per side.

  A picture of side n has ceil(n / reach) positions per side.
  """
  side = 2
  for block in TABLE[: _depth([name])]:
    side *= block.stride
  return side


def shapes(names: Iterable[str] = NAMES) -> dict[str, tuple[int, ...]]:
  """Returns the shapes of the weights that the named outputs need, by name.

  Kernels are [k, k, Ci, Co] in the stem, [k, k, C] where depthwise and
  [Ci, Co] where 1 x 1.
  """
  names = tuple(names)
  sizes = {'stem_kernel': (3, 3, 3, _STEM), 'stem_bias': (_STEM,)}
  for i, block in enumerate(TABLE[: _depth(names)]):
    inner = block.inputs * block.expansion
    if block.expansion != 1:
      sizes[f'b{i}_expand_kernel'] = (block.inputs, inner)
      sizes[f'b{i}_expand_bias'] = (inner,)
    sizes[f'b{i}_depthwise_kernel'] = (block.kernel, block.kernel, inner)
    sizes[f'b{i}_depthwise_bias'] = (inner,)
    sizes[f'b{i}_project_kernel'] = (inner, block.outputs)
    sizes[f'b{i}_project_bias'] = (block.outputs,)
  if HEAD in names:
    sizes['head_kernel'] = (TABLE[-1].outputs, _HEAD)
    sizes['head_bias'] = (_HEAD,)
  return sizes


def select(
  weights: Mapping[str, jax.Array], names: Iterable[str]
) -> dict[str, jax.Array]:
  """Returns the weights that the named outputs need, and no others."""
  return {name: weights[name] for name in shapes(names)}


def _relu6(x):
  return jnp.clip(x, 0, 6)


def _same(size: int, k: int, stride: int) -> tuple[int, int, int]:
  """Returns the size after a convolution, and the padding before and after."""
  out = -(-size // stride)
  total = max((out - 1) * stride + k - size, 0)
  return out, total // 2, total - total // 2


def _bias(x, bias):
  return x + bias.reshape(1, 1, 1, -1)


def _pointwise(x, weights, name):
  """Applies a 1 x 1 convolution as a matrix product."""
  kernel = weights[f'{name}_kernel'].astype(x.dtype)
  return _bias(jnp.tensordot(x, kernel, 1), weights[f'{name}_bias'])


def _convolution(x, kernel, stride: int, groups: int = 1):
  """Applies XLA's convolution, channels last."""
  return lax.conv_general_dilated(
    x,
    kernel,
    (stride, stride),
    'SAME',
    dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
    feature_group_count=groups,
  )


def _grouped(stride: int, x, kernel):
  """Depthwise convolution by XLA: one group per channel."""
  return _convolution(x, kernel[:, :, None], stride, x.shape[-1])


def _shifted(stride: int, x, kernel):
  """Depthwise convolution as a sum of shifted products, one per tap."""
  k = len(kernel)
  (h, *rows), (w, *columns) = (_same(n, k, stride) for n in x.shape[1:3])
  x = jnp.pad(x, ((0, 0), rows, columns, (0, 0)))
  total = None
  for i in range(k):
    for j in range(k):
      window = lax.slice(
        x,
        (0, i, j, 0),
        (
          x.shape[0],
          i + stride * (h - 1) + 1,
          j + stride * (w - 1) + 1,
          x.shape[3],
        ),
        (1, stride, stride, 1),
      )
      product = window * kernel[i, j].reshape(1, 1, 1, -1)
      total = product if total is None else total + product
  return total


_DEPTHWISE = {'shifted': _shifted, 'grouped': _grouped}


def _block(weights, i: int, x, lowering: str):
  """Applies block i."""
  block = TABLE[i]
  y = x
  if block.expansion != 1:
    y = _relu6(_pointwise(y, weights, f'b{i}_expand'))
  kernel = weights[f'b{i}_depthwise_kernel']
  y = _DEPTHWISE[lowering](block.stride, y, kernel)
  y = _relu6(_bias(y, weights[f'b{i}_depthwise_bias']))
  y = _pointwise(y, weights, f'b{i}_project')
  if block.stride == 1 and block.inputs == block.outputs:
    y += x
  return y


def _network(names: tuple[str, ...], lowering: str, weights, x):
  """Computes the named outputs of a batch, see `features`."""
  x = (x.astype(jnp.float32) - 127) / 128
  x = jnp.broadcast_to(x, (*x.shape[:3], 3))
  x = _convolution(x, weights['stem_kernel'], 2)
  x = _relu6(_bias(x, weights['stem_bias']))
  outputs = {}
  for i in range(_depth(names)):
    x = outputs[f'b{i}'] = _block(weights, i, x, lowering)
  if HEAD in names:
    outputs[HEAD] = _relu6(_pointwise(x, weights, HEAD))
  return {name: outputs[name] for name in names}


def widest(depth: int, height: int, width: int) -> int:
  """Returns the elements of the largest array within the network, per picture.

  Args:
    depth: number of blocks.
    height, width: of a picture.
  """
  height, width = -(-height // 2), -(-width // 2)
  most = 0
  for block in TABLE[:depth]:
    most = max(most, height * width * block.inputs * block.expansion)
    height, width = -(-height // block.stride), -(-width // block.stride)
  return most


def _in_parts(names: tuple[str, ...], weights, x):
  """Computes the named outputs of some pictures at a time, by shifts."""
  count, *shape = x.shape
  most = max(PART // widest(_depth(names), *shape[:2]), 1)
  size = max(n for n in range(1, count + 1) if count % n == 0 and n <= most)
  network = functools.partial(_network, names, 'shifted', weights)
  if size == count:
    return network(x)
  outputs = lax.map(network, x.reshape(-1, size, *shape))
  return jax.tree.map(lambda y: lax.collapse(y, 0, 2), outputs)


def features(
  weights: Mapping[str, jax.Array],
  x: jax.Array,
  names: Iterable[str] = ('b2', 'b4', 'b10'),
  lowering: str = 'auto',
) -> dict[str, jax.Array]:
  """Returns outputs of the frozen network; computes nothing behind the last.

  Args:
    weights: folded, as `weights.load` returns them; at least those of `shapes`.
    x: [B, H, W, 3] RGB or [B, H, W, 1] grey, from 0 to 255; B is a number, not
      a symbolic dimension.
    names: of the outputs, of `NAMES`.
    lowering: 'auto' chooses by platform; 'shifted' or 'grouped' force one.

  Returns:
    [B, h, w, C] by name, h = ceil(H / reach(name)); float32.

  Raises:
    ValueError: a name or the lowering is unknown, or x has other channels.
  """
  names = tuple(names)
  weights = select(weights, names)
  if x.ndim != 4 or x.shape[-1] not in (1, 3) or 0 in x.shape:
    raise ValueError(
      f'pictures are [B, H, W, 3] or [B, H, W, 1], not {x.shape}'
    )
  shifted = functools.partial(_in_parts, names)
  grouped = functools.partial(_network, names, 'grouped')
  if lowering == 'auto':
    return lax.platform_dependent(weights, x, cpu=shifted, default=grouped)
  if lowering not in _DEPTHWISE:
    raise ValueError(
      f'lowering is "{lowering}"; use "auto", "shifted" or "grouped"'
    )
  return (shifted if lowering == 'shifted' else grouped)(weights, x)


def resized(x: jax.Array, side: int) -> jax.Array:
  """Returns pictures of another size, as Pillow's bicubic filter makes them.

  First the columns, then the rows, each with a rounding of its own, as in
  Pillow. On photographs of scikit-learn, at sides of 64 to 256, at most 0.2 %
  of the numbers differ from Pillow's, by one level.

  Args:
    x: [B, H, W, C] whole numbers from 0 to 255.
    side: pixels of both sides of the result.

  Returns:
    [B, side, side, C] float32 whole numbers from 0 to 255.
  """
  x = x.astype(jnp.float32)
  for axis in (2, 1):
    shape = (*x.shape[:axis], side, *x.shape[axis + 1 :])
    x = jax.image.resize(x, shape, 'cubic', antialias=True)
    x = jnp.clip(jnp.floor(x + 0.5), 0, 255)
  return x
