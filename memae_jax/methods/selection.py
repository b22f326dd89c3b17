"""Chooses slots among features of training normals, on the host."""

from collections.abc import Callable

import numpy as np
import sklearn.cluster
import sklearn.neighbors

_PROJECTED = 64  # Dimensions in which k-centre compares wider features.
_SUBSET = 20  # Features that k-centre chooses one of, at most.
_BATCH = 2**14  # Features of a step of k-means, of more than that many.
_SEEDS = 10  # Features per centre from which it then takes the first centres.


def _random(rows: np.ndarray, count: int, rng: np.random.Generator):
  return rows[np.sort(rng.choice(len(rows), count, replace=False))]


def _k_means(rows: np.ndarray, count: int, rng: np.random.Generator):
  """Returns the centres of k-means, started by k-means++."""
  seed = int(rng.integers(2**31))
  if len(rows) <= _BATCH:
    means = sklearn.cluster.KMeans(count, n_init=1, random_state=seed)
  else:
    means = sklearn.cluster.MiniBatchKMeans(
      count,
      batch_size=_BATCH,
      n_init=1,
      init_size=_SEEDS * count,
      random_state=seed,
    )
  return means.fit(rows).cluster_centers_.astype(np.float32)


def greedy_order(rows: np.ndarray, count: int, first: int = 0) -> np.ndarray:
  """Orders rows so that each is the farthest from all before it.

  The greedy solution of the k-centre problem (Gonzalez 1985), which PatchCore
  takes for its coreset.

  Args:
    rows: [n, C].
    count: how many to order, at most n.
    first: index of the first one.

  Returns:
    [count] indices. Of equally far rows the first one comes first.
  """
  order = np.empty(count, np.int64)
  squares = np.einsum('nc,nc->n', rows, rows)
  far = np.full(len(rows), np.inf, rows.dtype)
  chosen = first
  for i in range(count):
    order[i] = chosen
    distance = squares + squares[chosen] - 2 * (rows @ rows[chosen])
    far = np.minimum(far, np.maximum(distance, 0))
    far[chosen] = -1  # Never again, even where others equal it.
    chosen = int(np.argmax(far))
  return order


def _k_centre(rows: np.ndarray, count: int, rng: np.random.Generator):
  """Returns rows that lie far apart, of a random part of all rows.

  Among all rows it would collect outliers, and take as long as there are rows.
  """
  rows = _random(rows, min(len(rows), _SUBSET * count), rng)
  seen = rows
  if rows.shape[1] > _PROJECTED:
    shape = rows.shape[1], _PROJECTED
    seen = rows @ rng.normal(0, _PROJECTED**-0.5, shape).astype(rows.dtype)
  return rows[greedy_order(seen, count, int(rng.integers(len(rows))))]


SELECTIONS: dict[str, Callable] = {
  'k_means': _k_means,
  'random': _random,
  'k_centre': _k_centre,
}


def without_outliers(
  rows: np.ndarray, share: float, neighbours: int
) -> np.ndarray:
  """Leaves out the features that lie where few others do.

  By the local outlier factor (Breunig et al. 2000), as SoftPatch denoises its
  memory. Anomalies among the training samples are such outliers only if there
  are fewer of a kind than `neighbours`: of 50 alike ones each has 49 near.

  Args:
    rows: [n, C] features.
    share: of them that is left out, 0 <= share < 1.
    neighbours: over which a density is taken, at most n - 1.

  Returns:
    [n - round(share n), C], in their order.
  """
  count = round(share * len(rows))
  if not count:
    return rows
  factor = sklearn.neighbors.LocalOutlierFactor(
    n_neighbors=min(neighbours, len(rows) - 1)
  )
  # The lower, the more of an outlier.
  order = np.argsort(factor.fit(rows).negative_outlier_factor_, kind='stable')
  return rows[np.sort(order[count:])]


def select(
  rows: np.ndarray, how: str, count: int, rng: np.random.Generator
) -> np.ndarray:
  """Returns at most `count` slots for features.

  Args:
    rows: [n, C] float32 features.
    how: 'k_means' (centres), 'random', or 'k_centre' (far apart; greedy, on a
      random part and a random projection).
    count: slots; with no more features than that, all of them are slots.
    rng: for what is random.

  Returns:
    [min(n, count), C] float32.
  """
  if len(rows) <= count:
    return rows
  return np.asarray(SELECTIONS[how](rows, count, rng), np.float32)
