"""Grey levels of pictures, for methods that look at no colour."""

from typing import Any

import jax

from memae_jax.runtime import errors

_LUMA = 0.299, 0.587, 0.114  # Of red, green and blue, by ITU-R BT.601.


def check(name: str, config: Any, shape: tuple[int, ...]) -> None:
  """Raises UserError unless samples are pictures.

  Args:
    name: of the method that needs them.
    config: resolved.
    shape: of one sample.
  """
  if len(shape) != 3:
    raise errors.UserError(
      f'method "{name}" of fleet.variants needs pictures, but a sample has'
      f' shape {tuple(shape)}; leave it out'
    )
  if config.data.input != 'frames':
    raise errors.UserError(
      f'method "{name}" of fleet.variants needs pictures, but data.input is'
      f' "{config.data.input}"; set it to "frames", or leave the method out'
    )


def grey(x: jax.Array) -> jax.Array:
  """Returns the grey levels [..., H, W] of pictures [..., H, W, C].

  Of three channels the luma of red, green and blue, of others their mean.
  """
  channels = x.shape[-1]
  weights = _LUMA if channels == 3 else (1 / channels,) * channels
  return sum(weight * x[..., i] for i, weight in enumerate(weights))
