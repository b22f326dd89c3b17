"""Principal components of rows, in float64 on the host."""

import numpy as np
import sklearn.decomposition


def components(rows: np.ndarray, keep: int | float) -> np.ndarray:
  """Returns the directions in which rows vary most, the first one the most.

  Args:
    rows: [n, C].
    keep: how many directions; below 1: as many as explain that share of the
      variance.

  Returns:
    [k, C] float64 unit vectors at right angles. There are no more than min(n,
    C), and none for rows that are all alike.
  """
  rows = np.asarray(rows, np.float64)
  if not np.ptp(rows, axis=0).any():
    return np.zeros((0, rows.shape[1]))
  if keep >= 1:
    keep = min(int(keep), *rows.shape)
  # Of the covariance [C, C], whatever n is.
  pca = sklearn.decomposition.PCA(keep, svd_solver='covariance_eigh')
  return pca.fit(rows).components_


def padded(directions: np.ndarray, count: int) -> np.ndarray:
  """Returns directions [k, C] as the first of `count`; the others are 0."""
  return np.pad(directions, ((0, count - len(directions)), (0, 0)))
