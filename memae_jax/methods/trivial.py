"""Detectors of a line or two that a trained one has to beat.

As those of `classical`: each takes training rows, a random generator and how
many rows may fit, and returns what it fitted, words for the report, and a score
of float64 rows [n, D].
"""

import numpy as np
import scipy.ndimage
import sklearn.cluster
import sklearn.neighbors

NEIGHBOURS, PROTOTYPES = 5, 100
DENSE = 20  # Neighbours of the local outlier factor.
# So many rows are compared with each test row, or clustered.
_MOST_NEIGHBOURS, _MOST_CLUSTERED = 5000, 2000
_BYTES = 2**28  # Of the float64 rows that a detector keeps or clusters.
IMAGES_ONLY = ('brightness', 'contrast', 'contrast_mean')


def _rows(train, most, rng):
  """Returns at most `most` rows in float64, and words that say how many."""
  most = min(most, max(1, _BYTES // (8 * train.shape[1])))
  if len(train) <= most:
    rows, words = train[:], f'all {len(train):,} training normals'
  else:
    which = np.sort(rng.choice(len(train), most, replace=False))
    rows = train[which]
    words = f'{most:,} of {len(train):,} training normals'
  return np.asarray(rows, np.float64), words


def nearest(train, rng, most):
  """Mean distance to the nearest training rows."""
  rows, words = _rows(train, min(most, _MOST_NEIGHBOURS), rng)
  count = min(NEIGHBOURS, len(rows))
  tree = sklearn.neighbors.NearestNeighbors(
    n_neighbors=count, algorithm='brute'
  ).fit(rows)
  score = lambda x: tree.kneighbors(x)[0].mean(axis=1)
  return {}, f'mean distance to the {count} nearest of {words}', score


def lof(train, rng, most):
  """Local outlier factor: how much sparser it is here than at neighbours."""
  rows, words = _rows(train, min(most, _MOST_NEIGHBOURS), rng)
  rows = np.unique(rows, axis=0)  # Among equal rows no density is finite.
  if len(rows) < 3:
    return (
      {},
      f'constant, as there are only {words}',
      lambda x: np.zeros(len(x)),
    )
  count = min(DENSE, len(rows) - 1)
  factor = sklearn.neighbors.LocalOutlierFactor(
    n_neighbors=count, algorithm='brute', novelty=True
  ).fit(rows)
  score = lambda x: -factor.score_samples(x)
  return (
    {},
    f'local outlier factor of {count} neighbours among the distinct of {words}',
    score,
  )


def k_means(train, rng, most):
  """Distance to the nearest centre of k-means."""
  rows, words = _rows(train, min(most, _MOST_CLUSTERED), rng)
  count = min(PROTOTYPES, len(rows))
  means = sklearn.cluster.KMeans(
    count, n_init=1, max_iter=50, random_state=int(rng.integers(2**31))
  ).fit(rows)
  score = lambda x: means.transform(x).min(axis=1)
  return {}, f'distance to the nearest of {count} centres of {words}', score


def _statistic(name: str, measure):
  """Returns the detector of one number: how far it is from its median."""

  def fit(train, rng, most):
    rows, words = _rows(train, most, rng)
    middle = np.median(measure(rows))
    score = lambda x: np.abs(measure(x) - middle)
    return {}, f'{name}, distance to the median of {words}', score

  return fit


def contrast_mean(train, rng, most):
  """Distance of images of mean 0 and norm 1 to their mean."""

  def normalised(x):
    x = x - x.mean(axis=1, keepdims=True)
    norms = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.maximum(norms, 1e-12)

  rows, words = _rows(train, most, rng)
  mean = normalised(rows).mean(axis=0)
  score = lambda x: np.linalg.norm(normalised(x) - mean, axis=1)
  return (
    {},
    f'images of mean 0 and norm 1: distance to the mean of {words}',
    (score),
  )


DETECTORS = {
  'nearest': nearest,
  'k_means': k_means,
  'lof': lof,
  'brightness': _statistic(
    'mean of the pixels', lambda x: x.mean(axis=1, dtype=np.float64)
  ),
  'contrast': _statistic(
    'deviation of the pixels', lambda x: x.std(axis=1, dtype=np.float64)
  ),
  'contrast_mean': contrast_mean,
}


def local_deviation(
  images: np.ndarray, side: int, blur: float | None = None
) -> np.ndarray:
  """Returns the deviation of the pixels around each pixel, [n, H, W].

  Args:
    images: [n, H, W, C]; the deviations of channels are averaged.
    side: pixels of a side of the window.
    blur: deviation of the Gaussian that the maps are blurred by, in pixels;
      None: a 64th of the height, about as those of a bank of positions.
  """
  images = np.asarray(images, np.float64)
  window = lambda x: scipy.ndimage.uniform_filter(x, side, axes=(1, 2))
  variance = window(images**2) - window(images) ** 2
  maps = np.sqrt(np.maximum(variance, 0)).mean(axis=-1)
  blur = maps.shape[1] / 64 if blur is None else blur
  return scipy.ndimage.gaussian_filter(maps, blur, axes=(1, 2))


# Maps of errors that need no training; the score is their highest pixel.
MAPS = {
  'local_deviation_3': lambda images: local_deviation(images, 3),
  'local_deviation_7': lambda images: local_deviation(images, 7),
}
