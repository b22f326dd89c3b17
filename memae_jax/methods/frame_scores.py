"""Score rules of pictures and frames that every method with maps has.

They come from what one pass gives already: the peak signal-to-noise ratio from
the squared error of a single or predicted frame, and the largest cells from the
map of a picture or scored frame, be it of errors, of distances to slots or of
others. Pictures also have the mean of the map, which for frames is a rule of
the errors; the map of a picture is the one that metrics of maps are of.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from memae_jax import losses
from memae_jax.methods import base

_MAP = 3  # Axes of the maps [B, H, W] of a batch.


class Rules(NamedTuple):
  """Settings of the scores of pictures, or of frames of videos.

  form: `losses.IMAGE` for pictures, `losses.FRAME` for single and predicted
    frames, else `losses.CLIP`.
  largest: how many of the largest cells count; below 1: their share.
  shown: names of rules; the map is that of the first one that has any.
  """

  form: int
  largest: float
  shown: tuple[str, ...] = ('max_cell',)

  def count(self, cells: int) -> int:
    """Returns how many of some cells count, at least one."""
    share = self.largest * cells if self.largest < 1 else self.largest
    return min(max(round(share), 1), cells)

  def added(self, predicted: base.Prediction) -> base.Prediction:
    """Returns a prediction with its scores by these rules."""
    scores = dict(predicted.scores)
    if self.form == losses.FRAME and 'mse' in scores:
      scores['psnr'] = losses.decibels(scores['mse'])
    maps = (losses.map_of(name, predicted.maps) for name in self.shown)
    cells = next((one for one in maps if one is not None), None)
    if cells is not None and cells.ndim == _MAP:
      scores |= self.of_cells(cells.reshape(len(cells), -1))
    return predicted._replace(scores=scores)

  def of_cells(self, cells: jax.Array) -> dict[str, jax.Array]:
    """Returns the scores [B] of the cells [B, N] of maps."""
    if self.form == losses.IMAGE:
      return {'max_cell': jnp.max(cells, 1), 'mean_cell': jnp.mean(cells, 1)}
    largest, _ = jax.lax.top_k(cells, self.count(cells.shape[1]))
    return {'max_cell': largest[:, 0], 'largest_cells': jnp.mean(largest, 1)}


def rules(
  options: Any, is_video: bool, wanted: tuple[int, ...], own: str = ''
) -> Rules | None:
  """Returns the rules of pictures or frames; None for rows of tables.

  Args:
    options: `config.eval`.
    is_video: whether samples are of videos.
    wanted: shape of what networks have to give of one sample.
    own: `Method.score`.
  """
  axes = form(is_video, wanted)
  if axes == losses.TABLE:
    return None
  shown = ()
  if axes == losses.IMAGE and not losses.find(options.score).of_map:
    is_sum = options.score in losses.COMBINED
    shown = (own,) if own else options.parts if is_sum else (options.score,)
  return Rules(axes, options.largest_cells, (*shown, 'max_cell'))


def form(is_video: bool, wanted: tuple[int, ...]) -> int:
  """Returns how many axes a batch has of what is compared, or `losses.FRAME`.

  Args:
    is_video: whether samples are of videos.
    wanted: shape of what networks have to give of one sample.
  """
  axes = 1 + len(wanted)
  return losses.FRAME if is_video and axes == losses.IMAGE else axes
