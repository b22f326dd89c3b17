"""Features that are made of pixels, without anything learned."""

import jax
import jax.numpy as jnp

from memae_jax import image_errors


def raw(x: jax.Array) -> jax.Array:
  """Returns all pixels of [B, H, W, C] images, [B, H W C]."""
  return x.reshape(len(x), -1)


def cells(x: jax.Array) -> jax.Array:
  """Returns the values of each pixel of [B, H, W, C], which is a position."""
  return x


def blur_unit(x: jax.Array) -> jax.Array:
  """Returns the directions of blurred images, see `image_errors.blur_unit`.

  Args:
    x: [B, H, W, C] in [-1, 1].

  Returns:
    [B, H W C] unit vectors.
  """
  return raw(image_errors.blurred_direction(x))


def contrast_unit(x: jax.Array) -> jax.Array:
  """Returns [B, H W C] images less their means, of norm 1."""
  return raw(image_errors.contrast_direction(x))


def patches(x: jax.Array, size: int, stride: int) -> jax.Array:
  """Returns square windows of images, each less its mean.

  Args:
    x: [B, H, W, C].
    size: pixels of a side of a window.
    stride: pixels from one window to the next.

  Returns:
    [B, h, w, size * size * C], h = (H - size) // stride + 1.
  """
  joined = _slices(_slices(x, 2, size, stride), 1, size, stride)
  joined = joined.reshape(*joined.shape[:3], size * size, x.shape[-1])
  # Once in memory: a part of what follows, each value would be looked for.
  joined = jax.lax.optimization_barrier(joined)
  joined -= jnp.mean(joined, axis=3, keepdims=True)
  return joined.reshape(*joined.shape[:3], -1)


def _slices(x: jax.Array, axis: int, size: int, stride: int) -> jax.Array:
  """Returns pieces of an axis as a new axis 3, of which it holds the starts."""
  length = (x.shape[axis] - size) // stride * stride + 1
  cut = lambda i: jax.lax.slice_in_dim(x, i, i + length, stride, axis)
  return jnp.stack([cut(i) for i in range(size)], axis=3)
