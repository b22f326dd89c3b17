"""Blocks of a picture: how far they are off, which are worst, how they lie."""

import numpy as np
import scipy.linalg

from memae_jax.methods.alone import fitting, grids

FILLED = 0.1  # At most this share of a picture is filled in between passes.


def distance_of_hidden(gap: np.ndarray, factor: np.ndarray, which) -> float:
  """Returns the squared Mahalanobis distance of some hidden pixels.

  It is in units of their covariance, given the visible ones and none else.

  Args:
    gap: [C, h] the pixels less their means.
    factor: [m, m] of the precision of all that are hidden.
    which: [h] of these they are.
  """
  picks = np.zeros((len(factor), len(which)))
  picks[which, np.arange(len(which))] = 1
  root = scipy.linalg.solve_triangular(factor, picks, lower=True)
  upper = np.linalg.qr(root, 'r')  # Its square is their covariance.
  white = scipy.linalg.solve_triangular(upper, gap.T, trans='T')
  return float(np.sum(white**2))


def distances(
  left: grids.Left, now: fitting.State, gap, filled, missing, at, block: int
) -> np.ndarray:
  """Returns the squared Mahalanobis distances [T] of blocks, over their values.

  Given all pixels outside of a block that are visible. Of its pixels that are
  hidden from all others `left` says nothing; by the chain rule their distance,
  given all visible ones, is added. Pixels that nobody knows do not count.

  Args:
    left: of the blocks.
    now: what the visible pixels say.
    gap: [C, H, W] the picture less `now`.
    filled, missing: [H, W] bool, hidden ones, and those that nobody knows.
    at: [T, 2] corners of the blocks.
    block: their side.
  """
  out = np.array(left.mahalanobis.sum(axis=1))
  number = np.cumsum(filled).reshape(filled.shape) - 1
  for k, (row, column) in enumerate(at):
    own = np.zeros_like(filled)
    own[row : row + block, column : column + block] = True
    own &= ~missing
    hidden = own & filled
    if hidden.any():
      out[k] += distance_of_hidden(gap[:, hidden], now.factor, number[hidden])
    out[k] /= max(len(gap) * own.sum(), 1)
  return out


def assemble(left: grids.Left, of_blocks, at, size, block: int):
  """Lays blocks on a page; a pixel takes the block whose middle is nearest.

  Args:
    left: of the blocks.
    of_blocks: [T] distances.
    at: [T, 2] corners of the blocks.
    size: of the page.
    block: side of the blocks.

  Returns:
    mean [C, *size], sigma and distance [*size].
  """
  channels = left.mean.shape[1]
  mean = np.zeros((channels, *size))
  sigma, distance = np.ones(size), np.zeros(size)
  nearest = np.full(size, np.inf)
  offset = np.abs(np.arange(block) - (block - 1) / 2)
  far = np.maximum(offset[:, None], offset[None])
  for number, (row, column) in enumerate(at):
    place = slice(row, row + block), slice(column, column + block)
    better = far < nearest[place]
    nearest[place][better] = far[better]
    own = left.mean[number].reshape(channels, block, block)
    mean[:, place[0], place[1]][:, better] = own[:, better]
    sigma[place][better] = left.sigma[number].reshape(block, block)[better]
    distance[place][better] = of_blocks[number]
  return mean, sigma, distance


def worst(z: np.ndarray, at: np.ndarray, block: int, loud: float):
  """Returns which pixels the blocks of the largest mean squares have.

  Args:
    z: [H, W] errors in deviations, NaN where nobody knows the pixel.
    at: [T, 2] corners of the blocks.
    block: their side.
    loud: the largest error of a block is above it.
  """
  most = int(FILLED * z.size / block**2)
  blocks = [z[r : r + block, c : c + block] for r, c in at]
  size = np.array(
    [np.nanmean(b**2) if np.isfinite(b).any() else 0 for b in blocks]
  )
  high = np.array([np.nanmax(b, initial=0) for b in blocks])
  order = [i for i in np.argsort(-size, kind='stable') if high[i] > loud]
  out = np.zeros(z.shape, bool)
  for row, column in at[order[: max(most, 1)]]:
    out[row : row + block, column : column + block] = True
  return out
