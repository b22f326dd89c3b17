"""Features that are made of pixels, without anything learned."""

import math

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
  height, width = ((n - size) // stride * stride + 1 for n in x.shape[1:3])
  windows = [
    x[:, i : i + height : stride, j : j + width : stride]
    for i in range(size)
    for j in range(size)
  ]
  joined = jnp.stack(windows, axis=3)  # [B, h, w, size * size, C]
  joined -= jnp.mean(joined, axis=3, keepdims=True)
  return joined.reshape(*joined.shape[:3], math.prod(joined.shape[3:]))
