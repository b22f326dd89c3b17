"""Maps of errors of images that squared error alone does not see.

Each takes model inputs and reconstructions [B, H, W, C] and returns a map of
the same shape, float32 (float64 if given that). Their mean over a sample is
its score, and can train a network.
"""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

SIGMA = 1.0  # Pixels.
WINDOW = 11  # Pixels of a side of the window of structural similarity.
_LEAST = 1e-6  # Of a norm.
_TRUNCATE = 4  # Deviations at which a Gaussian ends.
_K1, _K2 = 0.01, 0.03  # Of Wang et al. (2004), for a range of 1.
_SURE = 2.0**-23  # Least probability, and least distance to 1, of float32.


def to_unit(x: jax.Array) -> jax.Array:
  """Brings [-1, 1] to [0, 1]; what lies outside is clipped."""
  x = x.astype(jnp.promote_types(jnp.float32, x.dtype))
  return jnp.clip((x + 1) / 2, 0, 1)


@functools.lru_cache(maxsize=64)
def _reflected(size: int, weights: tuple[float, ...]) -> np.ndarray:
  """Returns [size, size], a filter of one axis as a matrix.

  At the border the image is repeated as in a mirror, d c b a | a b c d.

  Args:
    size: pixels of the axis.
    weights: of the filter, of odd length, the middle one for the pixel itself.
  """
  out = np.zeros((size, size))
  reach = len(weights) // 2
  for at in range(size):
    for shift, weight in enumerate(weights, -reach):
      place = (at + shift) % (2 * size)
      out[at, min(place, 2 * size - 1 - place)] += weight
  return out


def _filtered(x, weights: tuple[float, ...]):
  """Filters rows and columns of [..., H, W, C] alike, in NumPy or in JAX.

  By matrices: on a CPU sums of shifted images take two to twelve times as long.
  """
  rows, columns = (
    _reflected(size, weights).astype(x.dtype) for size in x.shape[-3:-1]
  )
  product = '...jkc,ij,lk->...ilc'
  if isinstance(x, np.ndarray):
    return np.einsum(product, x, rows, columns, optimize=True)
  exact = jax.lax.Precision.HIGHEST
  return jnp.einsum(product, x, rows, columns, precision=exact)


def gaussian(sigma: float) -> tuple[float, ...]:
  """Returns the weights of a Gaussian filter, as scipy.ndimage has them.

  Args:
    sigma: deviation in pixels; 0 for no filter.
  """
  reach = math.ceil(_TRUNCATE * sigma - 0.5)
  weights = [
    math.exp(-0.5 * (i / sigma) ** 2) if i else 1.0
    for i in range(-reach, reach + 1)
  ]
  return tuple(weight / sum(weights) for weight in weights)


def blurred(x, sigma: float = SIGMA):
  """Blurs images [..., H, W, C], of NumPy or JAX.

  Args:
    x: the images.
    sigma: deviation of the Gaussian, in pixels.
  """
  return _filtered(x, gaussian(sigma))


def enlarged(
  maps: jax.Array,
  size: Sequence[int],
  sigma: float,
  centres: Sequence[Sequence[float]] | None = None,
) -> jax.Array:
  """Brings maps of positions to the size of pictures, and blurs them.

  Args:
    maps: [B, h, w].
    size: (H, W), pixels of the pictures.
    sigma: deviation of the Gaussian in pixels; 0: not blurred.
    centres: pixels that the positions are centred at, h and w of them, from
      the first row and column on; None: in the middle of equal cells.

  Returns:
    [B, H, W], linear between the positions.
  """
  if centres is None:
    shape = len(maps), *size
    large = jax.image.resize(maps, shape, 'linear', antialias=False)
  else:
    weights = map(_between, centres, size)
    exact = jax.lax.Precision.HIGHEST
    large = jnp.einsum('bhw,Hh,Ww->bHW', maps, *weights, precision=exact)
  return blurred(large[..., None], sigma)[..., 0] if sigma else large


def _between(centres: Sequence[float], size: int) -> np.ndarray:
  """Returns the weights [size, n] of n positions at each pixel."""
  pixels, each = np.arange(size), np.eye(len(centres), dtype=np.float32)
  columns = [np.interp(pixels, centres, one) for one in each]
  return np.stack(columns, axis=1).astype(np.float32)


def box(x: jax.Array, side: int) -> jax.Array:
  """Averages [B, H, W, C] over windows of `side` pixels, an odd number."""
  return _filtered(x, (1 / side,) * side)


def unit_norm(x, least: Any = _LEAST):
  """Divides images [..., H, W, C] by their L2 norms, in NumPy or in JAX.

  Args:
    x: the images.
    least: norms below it are replaced by it, so that nothing is blown up.
  """
  xp = x.__array_namespace__()
  squares = xp.sum(x * x, axis=(-3, -2, -1), keepdims=True)
  # The root of at least that much has a finite gradient.
  return x / xp.sqrt(xp.maximum(squares, least**2))


def blurred_direction(x: jax.Array) -> jax.Array:
  """Returns images in [-1, 1] brought to [0, 1], blurred, and of norm 1."""
  return unit_norm(blurred(to_unit(x)))


def contrast_direction(x: jax.Array) -> jax.Array:
  """Returns images [B, H, W, C] less their means, and of norm 1."""
  x = x.astype(jnp.promote_types(jnp.float32, x.dtype))
  return unit_norm(x - jnp.mean(x, axis=(1, 2, 3), keepdims=True))


def _squared_distance(one: jax.Array, other: jax.Array) -> jax.Array:
  """Returns a map whose mean is the squared distance of two unit vectors."""
  return (one - other) ** 2 * math.prod(one.shape[1:])


def blur_unit(x: jax.Array, output: jax.Array) -> jax.Array:
  """Compares images that are blurred and divided by their norms.

  Blur forgives strokes that are moved by a pixel, and the norm forgives ink:
  bold digits have large errors whatever they show.

  Args:
    x: [B, H, W, C] in [-1, 1].
    output: its reconstruction; what lies outside of [-1, 1] is clipped.
  """
  return _squared_distance(blurred_direction(x), blurred_direction(output))


def contrast_unit(x: jax.Array, output: jax.Array) -> jax.Array:
  """Compares images without their means, divided by their contrasts.

  The same for every linear scaling of the images: brightness and contrast do
  not count.
  """
  return _squared_distance(contrast_direction(x), contrast_direction(output))


def ssim(x: jax.Array, output: jax.Array) -> jax.Array:
  """Returns 1 minus the structural similarity of each pixel (Wang et al. 2004).

  In the form of scikit-image: uniform windows of 11 x 11, mirrored at the
  border, with sample covariances. In single precision it is within 1e-6 of that
  where images are textured or alike, and within 2e-4 at worst: where both are
  flat, and far apart in one part of the picture but not in another.

  Args:
    x: [B, H, W, C] in [-1, 1].
    output: its reconstruction; what lies outside of [-1, 1] is clipped.
  """
  # Around 0 the variances lose the least to rounding.
  x, y = (to_unit(image) - 0.5 for image in (x, output))
  mean_x, mean_y = box(x, WINDOW), box(y, WINDOW)
  # Each factor is 1 minus a share of the difference, which is small where
  # images are alike: var_x + var_y = 2 cov + var(x - y), so that the rounding
  # of squares of bright areas does not count. A constant has no variance.
  apart, products = x - y, box(x * y, WINDOW)
  shift = jnp.mean(apart, axis=(1, 2), keepdims=True)
  shift = jax.lax.stop_gradient(shift)
  squares = box((apart - shift) ** 2, WINDOW)
  sample = WINDOW**2 / (WINDOW**2 - 1)
  var_apart = sample * (squares - (mean_x - mean_y - shift) ** 2)
  both = sample * (products - mean_x * mean_y)
  far = (mean_x - mean_y) ** 2
  mean_x, mean_y = mean_x + 0.5, mean_y + 0.5
  luminance = 1 - far / (mean_x**2 + mean_y**2 + _K1**2)
  structure = 1 - var_apart / (2 * both + var_apart + _K2**2)
  return 1 - luminance * structure


def gradient(x: jax.Array, output: jax.Array) -> jax.Array:
  """Returns the squared error of the differences to the next pixels.

  Sum of the one to the right and the one below; 0 at the far borders.
  """
  error = (output - x).astype(jnp.promote_types(jnp.float32, x.dtype))
  down = jnp.diff(error, axis=1, append=error[:, -1:])
  right = jnp.diff(error, axis=2, append=error[:, :, -1:])
  return down**2 + right**2


def cross_entropy(x: jax.Array, output: jax.Array) -> jax.Array:
  """Returns the binary cross-entropy of each element less its least value.

  No output has less cross-entropy than the entropy of the input, which is above
  0 for greys. Less that it is the divergence of two coins: 0 for a perfect
  reconstruction, with the same gradient.

  Args:
    x: [...] in [0, 1].
    output: its reconstruction; both are clipped to 1e-7 within [0, 1], as
      Keras does with outputs.

  Returns:
    [...] in nats, not negative.
  """
  dtype = jnp.promote_types(jnp.float32, x.dtype)
  x, p = (jnp.clip(v.astype(dtype), _SURE, 1 - _SURE) for v in (x, output))
  bits = lambda q: x * jnp.log(q) + (1 - x) * jnp.log1p(-q)
  return jnp.maximum(bits(x) - bits(p), 0)


def edges(x: jax.Array, output: jax.Array) -> jax.Array:
  """Returns by how much differences to the next pixels differ in size.

  Sum of the one to the right and the one below, whatever their signs; 0 at the
  far borders, which have no next pixel. It is the gradient loss of Frame-Pred,
  whose released code takes zeros for the next pixels of the borders.

  Args:
    x: [B, H, W, C].
    output: [B, H, W, C].
  """
  dtype = jnp.promote_types(jnp.float32, x.dtype)

  def sizes(image, axis):
    last = jax.lax.slice_in_dim(image, -1, None, axis=axis)
    return jnp.abs(jnp.diff(image, axis=axis, append=last))

  x, output = x.astype(dtype), output.astype(dtype)
  return sum(jnp.abs(sizes(x, i) - sizes(output, i)) for i in (1, 2))
