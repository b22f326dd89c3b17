"""Tasks: the part of a sample that a network sees, and the part that it gives.

reconstruct       the sample, which it gives back
predict           of a clip all frames but the last, which it foretells: they
                  are the channels of one image, so the network is of images
predict (both)    of a frame with its motion the frame alone, of which it
                  gives the motion
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from memae_jax import losses
from memae_jax.runtime import errors

# Channels of the motion of each kind, see `data.videos.motion`.
MOTION = {'difference': 1, 'blocks': 2, 'flow': 2}


class Task(NamedTuple):
  """Split of samples into what is seen and what is wanted.

  predicts: whether these are different parts of a sample.
  motion: channels of motion, the last ones, where these are wanted; 0: the
    last frame is.
  """

  predicts: bool = False
  motion: int = 0

  def parts(self, x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Returns what is seen and what is wanted.

    Args:
      x: [B, ...] samples; [B, T, H, W, C] clips where the last frame is wanted,
        [B, H, W, C] frames where motion is.
    """
    if not self.predicts:
      return x, x
    if self.motion:
      return x[..., : -self.motion], x[..., -self.motion :]
    before = jnp.moveaxis(x[:, :-1], 1, -2)
    return before.reshape(*before.shape[:-2], -1), x[:, -1]

  def shapes(
    self, shape: tuple[int, ...]
  ) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Returns the shapes of both parts of one sample of a shape."""
    sample = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
    seen, wanted = jax.eval_shape(self.parts, sample)
    return seen.shape[1:], wanted.shape[1:]


def of(config: Any, shape: tuple[int, ...]) -> Task:
  """Returns the task of a config.

  Args:
    config: resolved.
    shape: of one sample.

  Raises:
    UserError: samples of that shape have nothing to predict.
  """
  if config.model.task == 'reconstruct':
    return Task()
  if config.data.input == 'both':
    return Task(True, MOTION[config.data.motion])
  if len(shape) != losses.CLIP - 1:
    raise errors.UserError(
      'config field "model.task" is "predict", but a sample has shape'
      f' {tuple(shape)}; give clips of videos (data.clip_frames of 2 or more),'
      ' or frames with their motion (data.input "both")'
    )
  return Task(True)


def wanted(config: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
  """Returns the shape of what a network has to give of one sample.

  Args:
    config: resolved.
    shape: of one sample.

  Raises:
    UserError: samples of that shape have nothing to predict.
  """
  return of(config, shape).shapes(shape)[1]


def is_bounded(config: Any) -> bool:
  """Returns whether what networks give lies in [-1, 1], where tanh ends.

  Motion does not, in whatever unit it is.

  Args:
    config: resolved.
  """
  return config.data.scaling == 'fixed' and config.data.input == 'frames'
