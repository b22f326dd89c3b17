"""Reductions of a map of errors, and of which frame of a clip they are.

Published numbers on videos come from several, which rank clips differently.
Those of videos take model inputs and reconstructions [B, T, H, W, C] in
[-1, 1].
"""

import jax
import jax.numpy as jnp

TABLE, IMAGE, CLIP = 2, 4, 5  # Axes of a batch of samples.
FRAME = -IMAGE  # A batch of images that are frames of videos.
_LEAST = 1e-10  # Least mean squared error in [0, 1], so at most 100 dB.


def scored_frame(clips: jax.Array) -> jax.Array:
  """Returns the frames [B, ...] that the scores of clips [B, T, ...] belong to.

  It is the middle frame: the one of index 8 of 16, as in the released code.
  """
  return clips[:, clips.shape[1] // 2]


def around_scored(clips: jax.Array, count: int) -> jax.Array:
  """Returns the `count` frames of clips [B, T, ...] around the scored ones.

  Among these the scored frame is the one of `scored_frame`, too.
  """
  first = clips.shape[1] // 2 - count // 2
  return clips[:, first : first + count]


def squared(x: jax.Array, output: jax.Array) -> jax.Array:
  """Returns the squared error of each element.

  Args:
    x: [B, ...] the target.
    output: [B, ...].

  Returns:
    [B, ...] float32; float64 if an argument is.
  """
  error = output - x
  return error.astype(jnp.promote_types(jnp.float32, error.dtype)) ** 2


def frame_means(errors: jax.Array) -> jax.Array:
  """Returns the mean error of each frame.

  Args:
    errors: [B, T, ...]; of samples that are no clips, each index of axis 1
      takes the place of a frame.

  Returns:
    [B, T].
  """
  return jnp.mean(errors, axis=range(2, errors.ndim))


def mean(errors: jax.Array) -> jax.Array:
  """Returns the [B] mean over the elements of a sample.

  It is equation 8 of the paper divided by the number of elements.
  """
  return jnp.mean(frame_means(errors), axis=1)


def pixels(errors: jax.Array) -> jax.Array:
  """Returns the mean of the errors over the channels.

  Args:
    errors: [B, H, W, C], or [B, T, H, W, C], or [B, D].

  Returns:
    [B, H, W]; of clips, for the scored frame. Rows of tables, [B, D], stay as
    they are.
  """
  if errors.ndim == TABLE:
    return errors
  return jnp.mean(
    scored_frame(errors) if errors.ndim == CLIP else errors, axis=-1
  )


def mae_clip(errors: jax.Array) -> jax.Array:
  """Returns the mean length of a pixel's error: released code since April 2021.

  With one channel it is the mean absolute error over all frames of the clip.
  """
  return jnp.mean(jnp.sqrt(jnp.sum(errors, axis=-1)), axis=(1, 2, 3))


def release2019(errors: jax.Array) -> jax.Array:
  """Returns the mean over pixels of the error's length over time, as in 2019.

  It is in units of [0, 1]. As in the code of 2019, the squares of the frames
  are summed and not averaged: it grows with the root of T.
  """
  return jnp.mean(jnp.sqrt(jnp.sum(errors / 4, axis=1)), axis=(1, 2, 3))


def mse_centre(errors: jax.Array) -> jax.Array:
  """Returns the mean squared error of the scored frame."""
  return scored_frame(frame_means(errors))


def psnr_centre(errors: jax.Array) -> jax.Array:
  """Returns minus the peak signal-to-noise ratio of the scored frame, in dB.

  It is the logarithm of `mse_centre`, so it has the same ROC, but not after
  the scores of each video are normalised.
  """
  return decibels(mse_centre(errors))


def decibels(error: jax.Array) -> jax.Array:
  """Returns minus the PSNR of inputs in [-1, 1], in dB, by their mean error."""
  unit = error / 4  # To units of [0, 1].
  return 10 * jnp.log10(jnp.maximum(unit, _LEAST))
