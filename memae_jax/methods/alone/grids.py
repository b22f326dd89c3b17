"""Gaussian processes on a grid of pixels: exact, by one decomposition an axis.

Y = m + f + e, f ~ GP(0, K1 (x) K2), e ~ N(0, s^2): K1 is the kernel of rows, K2
that of columns. With K1 = U1 diag(a) U1', K2 = U2 diag(b) U2' and D_pq = 1 /
(a_p b_q + s^2), the inverse of the covariance maps an image Y to U1 [(U1' Y U2)
* D] U2'. All here is float64: run it inside `double.on_cpu`.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Axes(NamedTuple):
  """Eigenvectors of both kernels, and 1 / eigenvalues of the covariance.

  rows: [n1, n1]. columns: [n2, n2]. inverse: [n1, n2], D above.
  """

  rows: jax.Array
  columns: jax.Array
  inverse: jax.Array


def decompose(rows: jax.Array, columns: jax.Array, noise: jax.Array) -> Axes:
  """Returns the decomposition of the covariance.

  Args:
    rows: [n1, n1] kernel matrix.
    columns: [n2, n2] kernel matrix.
    noise: variance of the noise.
  """
  return _spectra(rows, columns, noise)[0]


def _spectra(rows, columns, noise) -> tuple[Axes, jax.Array, jax.Array]:
  """Returns the decomposition, and the eigenvalues of both kernels."""
  a, u = jnp.linalg.eigh(rows)
  b, v = jnp.linalg.eigh(columns)
  a, b = jnp.maximum(a, 0), jnp.maximum(b, 0)  # Rounding makes 0 negative.
  return Axes(u, v, 1 / (a[:, None] * b[None] + noise)), a, b


def _turned(axes: Axes, images: jax.Array) -> jax.Array:
  """Returns the inverse covariance times images, both in eigenvectors."""
  turned = jnp.einsum('pr,...pq,qs->...rs', axes.rows, images, axes.columns)
  return turned * jnp.broadcast_to(axes.inverse, turned.shape)


def solve(axes: Axes, images: jax.Array) -> jax.Array:
  """Returns the inverse covariance times images [..., n1, n2]."""
  return jnp.einsum(
    'rp,...pq,sq->...rs', axes.rows, _turned(axes, images), axes.columns
  )


@jax.custom_vjp
def log_density(
  rows: jax.Array,
  columns: jax.Array,
  noise: jax.Array,
  images: jax.Array,
  weights: jax.Array,
  count: float,
) -> jax.Array:
  """Returns the log density of images, up to -log(2 pi) / 2 for each pixel.

  Its gradient needs no derivative of eigenvectors, which kernels of low rank
  or with equal eigenvalues do not have. Images, weights and count are
  constants.

  Args:
    rows, columns, noise: see `decompose`.
    images: [S, n1, n2] without their mean.
    weights: [S] of the squares of the images.
    count: how often the log determinant counts: the number of channels.
  """
  return _log_density(rows, columns, noise, images, weights, count)[0]


def _log_density(rows, columns, noise, images, weights, count):
  axes, a, b = _spectra(rows, columns, noise)
  turned = _turned(axes, images)
  inverse = jnp.broadcast_to(axes.inverse, turned.shape)
  squares = jnp.sum(turned**2 / inverse, axis=(1, 2)) @ weights
  value = 0.5 * (count * jnp.sum(jnp.log(axes.inverse)) - squares)
  return value, (axes, a, b, turned, weights, count)


def _gradient(saved, outer):
  """Returns the gradient; most of it is computed among eigenvectors."""
  axes, a, b, turned, weights, count = saved
  weighted = weights[:, None, None] * turned
  of_rows = jnp.einsum('spq,stq->pt', weighted * b[None, None], turned)
  of_rows = of_rows - count * jnp.diag(axes.inverse @ b)
  of_columns = jnp.einsum('spq,spt->qt', weighted * a[None, :, None], turned)
  of_columns = of_columns - count * jnp.diag(a @ axes.inverse)
  of_noise = jnp.sum(weighted * turned) - count * jnp.sum(axes.inverse)
  half = 0.5 * outer
  return (
    half * (axes.rows @ of_rows @ axes.rows.T),
    half * (axes.columns @ of_columns @ axes.columns.T),
    half * of_noise,
    jnp.zeros_like(turned),
    jnp.zeros_like(weights),
    jnp.zeros_like(count),
  )


log_density.defvjp(_log_density, _gradient)


class Hidden(NamedTuple):
  """Pixels that are taken as unknown.

  at: [m, 2] rows and columns. exists: [m] False for padding, which is anywhere.
  """

  at: jax.Array
  exists: jax.Array


def _entries(images: jax.Array, hidden: Hidden) -> jax.Array:
  """Returns the pixels [..., m] of images that are hidden, 0 for padding."""
  found = images[..., hidden.at[:, 0], hidden.at[:, 1]]
  return jnp.where(jnp.broadcast_to(hidden.exists, found.shape), found, 0)


def _scattered(values: jax.Array, hidden: Hidden, size) -> jax.Array:
  """Returns images [..., n1, n2] of 0 with values [..., m] where hidden."""
  exists = jnp.broadcast_to(hidden.exists, values.shape)
  values = jnp.where(exists, values, 0)
  empty = jnp.zeros((*values.shape[:-1], *size), values.dtype)
  return empty.at[..., hidden.at[:, 0], hidden.at[:, 1]].add(values)


def precision(axes: Axes, hidden: Hidden, rows: int = 64) -> jax.Array:
  """Returns the lower Cholesky factor [m, m] of the precision of the hidden.

  That is the inverse of their covariance, given all other pixels; 1 on the
  diagonal of padding.

  Args:
    axes: of the covariance.
    hidden: the pixels.
    rows: so many of them are computed at once.
  """

  def row(place):
    at, exists = place
    left = axes.rows[at[0]][:, None] * axes.columns[at[1]][None]
    image = axes.rows @ (left * axes.inverse) @ axes.columns.T
    return jnp.where(exists, _entries(image, hidden), 0)

  found = jax.lax.map(row, (hidden.at, hidden.exists), batch_size=rows)
  found = (found + found.T) / 2 + jnp.diag(jnp.where(hidden.exists, 0.0, 1.0))
  return jnp.linalg.cholesky(found)


def _over(factor: jax.Array, values: jax.Array) -> jax.Array:
  """Returns the inverse of a factored matrix times values [..., m]."""
  flat = values.reshape(-1, values.shape[-1]).T
  return jax.scipy.linalg.cho_solve((factor, True), flat).T.reshape(
    values.shape
  )


def complete(axes: Axes, factor: jax.Array, hidden: Hidden, images: jax.Array):
  """Returns images [..., n1, n2] whose hidden pixels are expected ones.

  They are the conditional mean, given all others, of images with mean 0.

  Args:
    axes: of the covariance.
    factor: of `precision`.
    hidden: the pixels.
    images: whatever the hidden pixels are.
  """
  size = images.shape[-2:]
  lost = _scattered(jnp.ones(len(hidden.at)), hidden, size)
  known = images * jnp.broadcast_to(1 - lost, images.shape)
  pulls = _entries(solve(axes, known), hidden)
  return known - _scattered(_over(factor, pulls), hidden, size)


def spread(
  factor: jax.Array, hidden: Hidden, draws: jax.Array, size: tuple[int, int]
) -> jax.Array:
  """Returns images [S, n1, n2] of what hidden pixels may be beside their mean.

  Args:
    factor: of `precision`.
    hidden: the pixels.
    draws: [S, m] standard normals, or the rows of an identity, which give a
      square root of the covariance.
    size: of an image.
  """
  root = jax.scipy.linalg.solve_triangular(factor.T, draws.T, lower=False).T
  return _scattered(root, hidden, size)


def log_visible(
  axes: Axes,
  factor: jax.Array,
  hidden: Hidden,
  images: jax.Array,
) -> jax.Array:
  """Returns the log density of the visible pixels of images [C, n1, n2].

  Args:
    axes, factor, hidden: see `complete`.
    images: completed, without their mean.
  """
  size = images.shape[-2] * images.shape[-1] - jnp.sum(hidden.exists)
  squares = jnp.sum(images * solve(axes, images))
  of_hidden = 2 * jnp.sum(jnp.log(jnp.diagonal(factor)))
  log_det = jnp.sum(jnp.log(axes.inverse)) - of_hidden
  constant = size * math.log(2 * math.pi)
  return 0.5 * (len(images) * (log_det - constant) - squares)


class Left(NamedTuple):
  """Expectation of the pixels of a block, given all others.

  mean: [C, h]. sigma: [h] deviation of a pixel. mahalanobis: [C] squared
  distance of the block, in units of its covariance.
  """

  mean: jax.Array
  sigma: jax.Array
  mahalanobis: jax.Array


def leave_out(
  axes: Axes,
  factor: jax.Array,
  hidden: Hidden,
  images: jax.Array,
  solved: jax.Array,
  corner: jax.Array,
  shape: tuple[int, int],
) -> Left:
  """Predicts a block of pixels from all others that are visible.

  Hidden pixels of the block are left as they are, with a deviation of 1.

  Args:
    axes, factor, hidden: see `complete`.
    images: [C, n1, n2] completed, without their mean.
    solved: the same, by `solve`.
    corner: [2] first row and column.
    shape: (height, width) of the block.
  """
  height, width = shape
  cut = lambda image: jax.lax.dynamic_slice(
    image, (0, *corner), (len(image), height, width)
  ).reshape(len(image), -1)
  of_rows = jax.lax.dynamic_slice_in_dim(axes.rows, corner[0], height)
  of_columns = jax.lax.dynamic_slice_in_dim(axes.columns, corner[1], width)
  pair = lambda one: (one[:, None] * one[None]).reshape(len(one) ** 2, -1)
  block = pair(of_rows) @ axes.inverse @ pair(of_columns).T
  block = block.reshape(height, height, width, width).transpose(0, 2, 1, 3)
  block = block.reshape(height * width, height * width)
  at = hidden.at
  mixed = jnp.einsum(
    'hp,mp,pq,mq,wq->hwm',
    of_rows,
    axes.rows[at[:, 0]],
    axes.inverse,
    axes.columns[at[:, 1]],
    of_columns,
    optimize='optimal',
  ).reshape(height * width, -1)
  mixed = jnp.where(hidden.exists[None], mixed, 0)
  block = block - mixed @ _over(factor, mixed).T
  lost = _scattered(jnp.ones(len(hidden.at)), hidden, images.shape[-2:])
  known = 1 - jnp.minimum(cut(lost[None])[0], 1)
  block = block * (known[:, None] * known[None]) + jnp.diag(1 - known)
  root = jnp.linalg.cholesky((block + block.T) / 2)
  pulls = cut(solved) * known[None]
  moved = _over(root, pulls)
  inverse = jax.scipy.linalg.solve_triangular(
    root, jnp.eye(len(root), dtype=root.dtype), lower=True
  )
  sigma = jnp.sqrt(jnp.sum(inverse**2, axis=0))
  return Left(cut(images) - moved, sigma, jnp.sum(moved * pulls, axis=1))
