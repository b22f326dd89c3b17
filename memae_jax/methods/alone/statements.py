"""Statements of pictures on themselves: what `Method.found` returns."""

from typing import NamedTuple

import numpy as np


class Statements(NamedTuple):
  """Statements of M pictures; smaller ones lie at the top left of [H, W].

  Attributes:
    picture: [M, H, W, C] in units of the model input.
    mean: [M, H, W, C] what the rest of a picture says of its blocks.
    sigma: [M, H, W] deviation of that, in the same units.
    z: [M, H, W] largest error of the channels in deviations; 0 where pixels are
      unknown.
    hidden: [M, H, W] 1 where a pixel was hidden from all others.
    rows: [M, H] kernel of the rows, from the first one on.
    columns: [M, W] kernel of the columns.
    r2: [M] share of the spread that is foretold; NaN: of one colour.
    z2: [M] mean square of the errors in deviations.
    log_likelihood: [M] of a pixel, in nats.
    block: [M] side of the blocks, in pixels.
    size: [M, 2] height and width of the pictures.
  """

  picture: np.ndarray
  mean: np.ndarray
  sigma: np.ndarray
  z: np.ndarray
  hidden: np.ndarray
  rows: np.ndarray
  columns: np.ndarray
  r2: np.ndarray
  z2: np.ndarray
  log_likelihood: np.ndarray
  block: np.ndarray
  size: np.ndarray

  def of(self, k: int) -> 'Statements':
    """Returns those of one picture at its own size, without the first axis."""
    height, width = self.size[k]
    one = Statements(*(values[k] for values in self))
    pages = 'picture', 'mean', 'sigma', 'z', 'hidden'
    return one._replace(
      rows=one.rows[:height],
      columns=one.columns[:width],
      **{name: getattr(one, name)[:height, :width] for name in pages},
    )
