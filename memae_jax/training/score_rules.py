"""How the reconstruction error of a sample becomes one anomaly score.

`mse` serves samples of any shape. For clips, published numbers come from
several rules, which rank them differently; each has a name here. Those take
model inputs and reconstructions [B, T, H, W, C] in [-1, 1]. All return [B]
float32 (float64 if given that): higher is more anomalous. One more rule,
`AVERAGED`, needs all clips of a video: see `frames.average_clips`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp

AVERAGED = 'mse_averaged'
_LEAST = 1e-10  # Of a mean squared error in [0, 1]: 100 dB at most.


def _error(x: jax.Array, reconstruction: jax.Array) -> jax.Array:
  error = reconstruction - x
  return error.astype(jnp.promote_types(jnp.float32, error.dtype))


def _centre(frames: jax.Array) -> jax.Array:
  """The frame that a clip's score is given to: the 9th of 16."""
  return frames[:, frames.shape[1] // 2]


def frame_errors(x: jax.Array, reconstruction: jax.Array) -> jax.Array:
  """[B, T] mean squared error of each frame, which `AVERAGED` averages.

  Of other samples, of each index of their first axis.
  """
  return jnp.mean(_error(x, reconstruction) ** 2, axis=range(2, x.ndim))


def error_map(x: jax.Array, reconstruction: jax.Array) -> jax.Array:
  """[B, H, W] squared error of each pixel, mean over the channels.

  Of clips, that of the centre frame.
  """
  squared = _error(x, reconstruction) ** 2
  return jnp.mean(_centre(squared) if x.ndim == 5 else squared, axis=-1)


def mse(x: jax.Array, reconstruction: jax.Array) -> jax.Array:
  """Mean over the elements of a sample: equation 8 over its size."""
  return jnp.mean(frame_errors(x, reconstruction), axis=1)


def mae_clip(x: jax.Array, reconstruction: jax.Array) -> jax.Array:
  """Mean length of the error of a pixel: the released code since April 2021.

  With one channel it is the mean absolute error over all frames of the clip.
  """
  squared = _error(x, reconstruction) ** 2
  return jnp.mean(jnp.sqrt(jnp.sum(squared, axis=-1)), axis=(1, 2, 3))


def release2019(x: jax.Array, reconstruction: jax.Array) -> jax.Array:
  """Mean over pixels of the error's length over time: the code of 2019.

  In units of [0, 1] and, as there, a sum over the frames and not their mean:
  it grows with the root of T.
  """
  squared = (_error(x, reconstruction) / 2) ** 2
  return jnp.mean(jnp.sqrt(jnp.sum(squared, axis=1)), axis=(1, 2, 3))


def mse_centre(x: jax.Array, reconstruction: jax.Array) -> jax.Array:
  """Mean squared error of the centre frame, which the score is given to."""
  return _centre(frame_errors(x, reconstruction))


def psnr_centre(x: jax.Array, reconstruction: jax.Array) -> jax.Array:
  """Minus the peak signal-to-noise ratio of the centre frame, in dB.

  The logarithm of `mse_centre`: the same ROC raw, but not after normalising
  the scores of each video.
  """
  squared = mse_centre(x, reconstruction) / 4  # To units of [0, 1].
  return 10 * jnp.log10(jnp.maximum(squared, _LEAST))


RULES: dict[str, Callable[[jax.Array, jax.Array], jax.Array]] = {
  'mse': mse,
  'mae_clip': mae_clip,
  'release2019': release2019,
  'mse_centre': mse_centre,
  'psnr_centre': psnr_centre,
}


def of_clips(
  x: jax.Array, reconstruction: jax.Array
) -> dict[str, jax.Array] | None:
  """All `RULES`, and the frame errors under `AVERAGED`; None if no clips.

  One pass over the network serves every rule.
  """
  if x.ndim != 5:
    return None
  found = {name: rule(x, reconstruction) for name, rule in RULES.items()}
  return found | {AVERAGED: frame_errors(x, reconstruction)}
