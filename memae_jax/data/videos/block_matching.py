"""Block matching: how far the texture around each cell moves, in JAX.

Both frames are reduced by box means to cells. For each whole shift s = (x, y)
of cells, the cost at a cell of the first frame a is

  mean over a window of |a(c) - b(c + s)| + penalty |s|

where b is the second frame, continued by its edge cells; near an edge the mean
is over the part of the window that lies inside. The shift of least cost is
refined by the parabola through its cost and those of its two neighbours, along
x and y alike, unless it is 0: what stands still stays exactly 0. Nothing is
learned and nothing has a gradient.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np


@dataclasses.dataclass(frozen=True)
class Options:
  """Settings of block matching; lengths are in cells unless said otherwise.

  Attributes:
    shrink: pixels of a side of a cell.
    reach: largest shift along x and along y.
    window: side of the window of a cost, odd.
    penalty: cost of a shift by one cell, in grey levels from 0 to 1; above 0,
      so that of shifts that fit alike the shortest is taken.
  """

  shrink: int = 2
  reach: tuple[int, int] = (6, 3)
  window: int = 9
  penalty: float = 0.002


@functools.partial(jax.jit, static_argnames='options')
def match(
  first: jax.Array, second: jax.Array, apart: jax.Array, options: Options
) -> jax.Array:
  """Returns the motion between frames, cell by cell.

  Frames of a batch are taken one after another, so that memory holds the costs
  of one of them; on accelerators, of 16.

  Args:
    first: [B, H, W] grey frames, bytes or numbers from 0 to 1.
    second: [B, H, W], later frames of the same kind.
    apart: [B] int, frames from one to the other; 0: nothing moves.
    options: see `Options`.

  Returns:
    [B, ceil(H / shrink), ceil(W / shrink), 2] float32: x and y in pixels of the
    frames per frame, positive to the right and downwards.
  """
  pair = [_cell_means(frames, options.shrink) for frames in (first, second)]
  moved = jax.lax.map(
    lambda two: _displacement(*two, options),
    tuple(jax.lax.stop_gradient(cells) for cells in pair),
    batch_size=None if jax.default_backend() == 'cpu' else 16,
  )
  return _per_frame(moved, apart, options)


def match_one(
  first: np.ndarray, second: np.ndarray, apart: int, options: Options
) -> jax.Array:
  """Returns the motion between two frames, as `match` does, to the last bit.

  Args:
    first: [H, W], see `match`.
    second: [H, W].
    apart: frames from one to the other.
    options: see `Options`.

  Returns:
    [ceil(H / shrink), ceil(W / shrink), 2] float32.
  """
  # XLA sums the cells of a single frame in another order than those of two.
  frames = [np.stack([frame, frame]) for frame in (first, second)]
  return _match_first(*jax.device_put((*frames, np.array([apart]))), options)


@functools.partial(jax.jit, static_argnames='options')
def _match_first(first, second, apart, options) -> jax.Array:
  """Returns the motion of the first of two equal pairs of frames."""
  a, b = (_cell_means(frames, options.shrink)[0] for frames in (first, second))
  return _per_frame(_displacement(a, b, options)[None], apart, options)[0]


def _per_frame(moved, apart, options) -> jax.Array:
  """Returns displacements [B, h, w, 2] in cells as pixels per frame."""
  apart = apart.reshape(-1, 1, 1, 1)
  return jnp.where(apart > 0, options.shrink * moved / jnp.maximum(apart, 1), 0)


def _cell_means(frames: jax.Array, side: int) -> jax.Array:
  """Returns box means [B, h, w] of frames, from 0 to 1; edges are continued."""
  is_bytes = frames.dtype == jnp.uint8
  frames = frames.astype(jnp.float32) / (255 if is_bytes else 1)
  count, height, width = frames.shape
  edges = [(0, 0), (0, -height % side), (0, -width % side)]
  frames = jnp.pad(frames, edges, mode='edge')
  rows, columns = frames.shape[1] // side, frames.shape[2] // side
  boxes = frames.reshape(count, rows, side, columns, side)
  return jnp.mean(boxes, axis=(2, 4))


def _box(x: jax.Array, side: int) -> jax.Array:
  """Returns the sums [..., h, w] of windows; beyond the edges lies nothing."""
  for axis in (x.ndim - 1, x.ndim - 2):
    length, edges = x.shape[axis], [(0, 0)] * x.ndim
    edges[axis] = (side // 2, side // 2)
    padded = jnp.pad(x, edges)
    # Faster on a CPU than sums that run along the axis, by two and more.
    x = sum(
      jax.lax.slice_in_dim(padded, i, i + length, axis=axis)
      for i in range(side)
    )
  return x


def _inside(shape: tuple[int, int], side: int) -> np.ndarray:
  """Returns how many cells [h, w] of each window lie inside."""
  rows, columns = (
    np.convolve(np.ones(n), np.ones(side), 'full')[side // 2 :][:n]
    for n in shape
  )
  return np.outer(rows, columns).astype(np.float32)


def _costs(a: jax.Array, b: jax.Array, options: Options) -> jax.Array:
  """Returns the costs [Y, X, h, w] of all shifts of two frames [h, w]."""
  (reach_x, reach_y), (height, width) = options.reach, a.shape
  x, y = np.arange(-reach_x, reach_x + 1), np.arange(-reach_y, reach_y + 1)
  length = np.hypot(x[None], y[:, None]).astype(np.float32)
  padded = jnp.pad(b, ((reach_y, reach_y), (reach_x, reach_x)), mode='edge')

  def row(down):
    """Costs of the shifts along x, at one along y."""
    strip = jax.lax.dynamic_slice_in_dim(padded, down, height, axis=0)
    moved = [strip[:, i : i + width] for i in range(len(x))]
    return _box(jnp.abs(a[None] - jnp.stack(moved)), options.window)

  sums = jax.lax.map(row, jnp.arange(len(y)))
  penalty = jnp.asarray(options.penalty * length)[..., None, None]
  return sums / _inside(a.shape, options.window)[None, None] + penalty


def _displacement(a: jax.Array, b: jax.Array, options: Options) -> jax.Array:
  """Returns the displacements [h, w, 2] of two frames [h, w], in cells."""
  costs = _costs(a, b, options)
  rows, columns = costs.shape[:2]
  costs = costs.reshape(rows * columns, *a.shape)
  best = jnp.argmin(costs, axis=0)
  at = lambda index: jnp.take_along_axis(costs, index[None], axis=0)[0]
  lowest = at(best)
  is_still = best == costs.shape[0] // 2

  def refined(place, count, step):
    """Shift along one axis: its number, and the vertex of the parabola."""
    within = (place > 0) & (place < count - 1)
    step = jnp.where(within, step, 0)
    before, after = at(best - step), at(best + step)
    bend = before - 2 * lowest + after
    vertex = (before - after) / (2 * jnp.where(bend > 0, bend, 1))
    vertex = jnp.where(within & (bend > 0) & ~is_still, vertex, 0)
    return place - count // 2 + vertex

  return jnp.stack(
    [
      refined(best % columns, columns, 1),
      refined(best // columns, rows, columns),
    ],
    axis=-1,
  )
