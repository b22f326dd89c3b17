"""Score rules of frames that every method has which maps its errors.

They come from what one pass gives already: the peak signal-to-noise ratio from
the squared error of a single or predicted frame, and the largest cells from the
map of the scored frame, be it of errors, of distances to slots or of others.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from memae_jax import losses
from memae_jax.methods import base

_MAP = 3  # Axes of the maps [B, H, W] of a batch.


class Rules(NamedTuple):
  """Settings of the scores of frames of videos.

  form: `losses.FRAME` for single and predicted frames, else `losses.CLIP`.
  largest: how many of the largest cells count; below 1: their share.
  """

  form: int
  largest: float

  def count(self, cells: int) -> int:
    """Returns how many of some cells count, at least one."""
    share = self.largest * cells if self.largest < 1 else self.largest
    return min(max(round(share), 1), cells)

  def added(self, predicted: base.Prediction) -> base.Prediction:
    """Returns a prediction of frames with its scores by these rules."""
    scores = dict(predicted.scores)
    if self.form == losses.FRAME and 'mse' in scores:
      scores['psnr'] = losses.decibels(scores['mse'])
    cells = losses.map_of('max_cell', predicted.maps)
    if cells is not None and cells.ndim == _MAP:
      scores |= self.of_cells(cells.reshape(len(cells), -1))
    return predicted._replace(scores=scores)

  def of_cells(self, cells: jax.Array) -> dict[str, jax.Array]:
    """Returns the scores [B] of the cells [B, N] of maps."""
    largest, _ = jax.lax.top_k(cells, self.count(cells.shape[1]))
    return {'max_cell': largest[:, 0], 'largest_cells': jnp.mean(largest, 1)}


def rules(config: Any, is_video: bool, wanted: tuple[int, ...]) -> Rules | None:
  """Returns the rules of frames; None where samples are no videos.

  Args:
    config: resolved.
    is_video: whether samples are of videos.
    wanted: shape of what networks have to give of one sample.
  """
  if not is_video:
    return None
  return Rules(form(True, wanted), config.eval.largest_cells)


def form(is_video: bool, wanted: tuple[int, ...]) -> int:
  """Returns how many axes a batch has of what is compared, or `losses.FRAME`.

  Args:
    is_video: whether samples are of videos.
    wanted: shape of what networks have to give of one sample.
  """
  axes = 1 + len(wanted)
  return losses.FRAME if is_video and axes == losses.IMAGE else axes
