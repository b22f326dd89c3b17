"""Parts that lie in any direction: turned upright, and back.

The foreground of a picture is what differs from the border. Its principal axis,
by second moments, becomes the horizontal, and its centroid comes to the middle
of a canvas that is as long and as wide as the picture's diagonal. Which of the
two ends points to the right remains open.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

# Least distance of the foreground from the border's median, in grey levels of
# which white is 1.
FOREGROUND = 0.1


class Pose(NamedTuple):
  """Place of a part in its picture [H, W].

  centre: [2] row and column of the centroid, in pixels. angle: from the rows
  to the principal axis, in radians, clockwise on the screen. level: median of
  the border, which stands for what lies outside of the picture.
  """

  centre: jax.Array
  angle: jax.Array
  level: jax.Array


def canvas(height: int, width: int) -> tuple[int, int]:
  """Returns the size of the canvas of a picture, both as even as its own."""
  diagonal = math.hypot(height, width)
  longer = lambda size: size + 2 * math.ceil((diagonal - size) / 2)
  return longer(height), longer(width)


def border(x: jax.Array) -> jax.Array:
  """Returns the outermost pixels of a picture [H, W], in no order."""
  return jnp.concatenate([x[0], x[-1], x[1:-1, 0], x[1:-1, -1]])


def pose(x: jax.Array) -> Pose:
  """Finds the foreground of a picture, and how it lies.

  A picture without foreground lies upright in its middle. A foreground without
  an axis, such as a square, lies upright around its centroid, up to rounding.

  Args:
    x: [H, W] grey levels in [0, 1].
  """
  level = jnp.median(border(x))
  part = jnp.where(jnp.abs(x - level) > FOREGROUND, 1.0, 0.0)
  count = jnp.sum(part)
  mean = lambda values: jnp.sum(part * values) / jnp.maximum(count, 1)
  middle = _middle(x.shape)
  # From the middle, so that numbers are small.
  rows, columns = offsets(x.shape)
  row, column = mean(rows), mean(columns)
  rows, columns = rows - row, columns - column
  apart = mean(columns**2) - mean(rows**2)
  angle = jnp.arctan2(2 * mean(rows * columns), apart) / 2
  return Pose(middle + jnp.stack([row, column]), angle, level)


def _middle(size: tuple[int, int]) -> jax.Array:
  return (jnp.array(size, jnp.float32) - 1) / 2


def offsets(size: tuple[int, int]) -> list[jax.Array]:
  """Returns the rows and columns [H, W] of pixels, from the middle."""
  rows, columns = (jnp.arange(n, dtype=jnp.float32) - (n - 1) / 2 for n in size)
  return jnp.meshgrid(rows, columns, indexing='ij')


def turned(
  rows: jax.Array, columns: jax.Array, centre: jax.Array, angle: jax.Array
) -> list[jax.Array]:
  """Returns rows and columns of pixels that are turned around a centre.

  Args:
    rows, columns: [H, W] of the pixels, from the centre.
    centre: [2] its row and column.
    angle: in radians, clockwise on the screen.
  """
  cos, sin = jnp.cos(angle), jnp.sin(angle)
  return [
    centre[0] - sin * columns + cos * rows,
    centre[1] + cos * columns + sin * rows,
  ]


def _read(x: jax.Array, places: list[jax.Array]) -> jax.Array:
  """Reads a picture between its pixels, linearly; outside it is 0."""
  return jax.scipy.ndimage.map_coordinates(x, places, order=1)


def upright(x: jax.Array, at: Pose) -> jax.Array:
  """Returns a picture [H, W] turned and moved to its canvas.

  Args:
    x: the picture.
    at: its pose.
  """
  places = turned(*offsets(canvas(*x.shape)), at.centre, -at.angle)
  return _read(x - at.level, places) + at.level


def back(maps: jax.Array, at: Pose, size: tuple[int, int]) -> jax.Array:
  """Returns a map of the canvas as it lies over the picture.

  Args:
    maps: of the canvas; pixels of the picture beyond it are 0.
    at: pose of the picture.
    size: of the picture, (H, W).
  """
  rows, columns = offsets(size)
  moved = at.centre - _middle(size)
  return _read(
    maps,
    turned(rows - moved[0], columns - moved[1], _middle(maps.shape), at.angle),
  )


def reversed_(x):
  """Turns pictures [..., H, W] upside down, in NumPy or in JAX."""
  return x[..., ::-1, ::-1]


def is_reversed(x, mean):
  """Returns whether pictures resemble a mean more when turned upside down.

  Both ways a picture has the same mean and deviation: what differs of the
  correlations is their products. Of equal ones it stays as it is.

  Args:
    x: [..., H, W], in NumPy or in JAX.
    mean: [H, W].

  Returns:
    [...] bool.
  """
  mean = mean - mean.mean()
  alike = lambda pictures: (pictures * mean).sum(axis=(-2, -1))
  return alike(reversed_(x)) > alike(x)
