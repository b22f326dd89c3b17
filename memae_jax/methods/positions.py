"""Positions of pictures: which are drawn, and how they score the whole."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from memae_jax import image_errors
from memae_jax.runtime import jax_settings


def drawn(features: jax.Array, most: int) -> jax.Array:
  """Draws positions of each picture, by what it shows.

  So the same ones are drawn wherever the picture stands in a batch.

  Args:
    features: [B, P, C].
    most: how many are drawn; 0, or at least P: all are taken.

  Returns:
    [B, min(P, most), C].
  """
  if not 0 < most < features.shape[1]:
    return features
  return jax.vmap(lambda one: _drawn(one, most))(features)


def _drawn(features: jax.Array, count: int) -> jax.Array:
  content = jax.lax.bitcast_convert_type(jnp.sum(features), jnp.uint32)
  key = jax.random.key(content, impl=jax_settings.PRNG)
  chosen = jax.random.choice(key, len(features), (count,), replace=False)
  return features[chosen]


def scored(
  rule: str,
  error: jax.Array,
  shape: Sequence[int],
  blur: float,
  centres: Sequence[Sequence[float]] | None = None,
) -> dict[str, dict[str, Any]]:
  """Returns the `scores` and `maps` of a `Prediction` for errors of positions.

  Args:
    rule: name of the score.
    error: [B] of samples, or [B, h, w] of their positions, of which the
      highest is the score.
    shape: of one sample, [..., H, W, channels].
    blur: deviation of the Gaussian that maps are blurred by, in pixels.
    centres: of the positions, see `image_errors.enlarged`.
  """
  if error.ndim == 1:
    return {'scores': {rule: error}, 'maps': {}}
  maps = image_errors.enlarged(error, shape[-3:-1], blur, centres)
  return {'scores': {rule: jnp.max(error, axis=(1, 2))}, 'maps': {rule: maps}}


def highest(rule: str, maps: jax.Array) -> dict[str, dict[str, Any]]:
  """Returns the `scores` and `maps` of a `Prediction` for errors of pixels.

  Args:
    rule: name of the score, which is the highest error of a pixel.
    maps: [B, H, W].
  """
  return {'scores': {rule: jnp.max(maps, axis=(1, 2))}, 'maps': {rule: maps}}


def of_windows(
  counts: Sequence[int], side: float, stride: int
) -> list[list[float]]:
  """Returns the pixels that windows are centred at, along each axis.

  Args:
    counts: of windows along each axis, from the first pixel on.
    side: of a window, in pixels.
    stride: from one window to the next, in pixels.
  """
  first = side / 2 - 0.5
  return [[first + stride * i for i in range(count)] for count in counts]
