"""A second score for images: the error beyond what the contrast explains.

An image with little contrast is easy to reconstruct, whatever it shows: a 1
has less ink than an 8, and a blue sky less texture than a crowd. Among normal
samples, log error rises with log contrast. The slope of that line is fitted on
the validation normals of a split. The score is what the line does not explain:
log error minus slope times log contrast. It uses no label and no test sample.
"""

import numpy as np

METRIC = 'auroc_contrast'
_LEAST = 1e-6  # Least contrast and error, so that their logarithms are finite.


def contrast(images: np.ndarray) -> np.ndarray:
  """Returns [K] log variance of the elements of each image [K, ...]."""
  flat = images.reshape(len(images), -1).astype(np.float32)
  return np.log(np.maximum(flat.var(axis=1), _LEAST))


def slope(error: np.ndarray, contrast: np.ndarray) -> float:
  """Returns the least-squares slope of log error over log contrast.

  Args:
    error: [V] scores of validation normals.
    contrast: [V] of the same normals, from `contrast`.

  Returns:
    0 where fewer than two different contrasts define no line.
  """
  spread = contrast - contrast.mean()
  total = float(np.sum(spread**2))
  log = np.log(np.maximum(error, _LEAST))
  return float(np.sum(spread * log) / total) if total > 1e-12 else 0.0


def residual(
  error: np.ndarray, contrast: np.ndarray, slope: float
) -> np.ndarray:
  """Returns [T] scores: log error beyond what the contrast explains.

  Args:
    error: [T] scores of test samples.
    contrast: [T] of the same samples, from `contrast`.
    slope: from `slope`.
  """
  return np.log(np.maximum(error, _LEAST)) - slope * contrast
