"""Chooses slots among features of training normals, on the host."""

import dataclasses
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import sklearn.cluster
import sklearn.exceptions
import sklearn.metrics
import sklearn.neighbors

_PROJECTED = 64  # Dimensions in which k-centre compares wider features.
_SUBSET = 20  # Features that k-centre chooses one of, at most.
_BATCH = 2**14  # Features of a step of k-means, of more than that many.
_SEEDS = 10  # Features per centre from which it then takes the first centres.


class Chosen(NamedTuple):
  """Slots, and whose features they stand for.

  slots: [m, C]. slot_of: [n] number of the slot that a feature belongs to; -1
  for features that no slot stands for.
  """

  slots: np.ndarray
  slot_of: np.ndarray


class Features(NamedTuple):
  """Features of training normals.

  rows: [n, C] float32. factors: [n] outlier factors; 1 where nobody asks.
  owner: [n] number of the sample that a feature is of.
  """

  rows: np.ndarray
  factors: np.ndarray
  owner: np.ndarray

  def at(self, which: np.ndarray) -> 'Features':
    """Returns those with these indices, or of this mask."""
    return Features(*(values[which] for values in self))


def _of_rows(rows: np.ndarray, index: np.ndarray) -> Chosen:
  slot_of = np.full(len(rows), -1)
  slot_of[index] = np.arange(len(index))
  return Chosen(rows[index], slot_of)


def _draw(rows: np.ndarray, count: int, rng: np.random.Generator):
  return np.sort(rng.choice(len(rows), count, replace=False))


def _random(rows: np.ndarray, count: int, rng: np.random.Generator):
  return _of_rows(rows, _draw(rows, count, rng))


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
  with warnings.catch_warnings():
    # With fewer distinct rows than centres some of these repeat.
    kind = sklearn.exceptions.ConvergenceWarning
    warnings.simplefilter('ignore', kind)
    means.fit(rows)
  return Chosen(means.cluster_centers_.astype(np.float32), means.labels_)


def _k_means_rows(rows: np.ndarray, count: int, rng: np.random.Generator):
  """Returns the row nearest to each centre of k-means, each row once."""
  centres, _ = _k_means(rows, count, rng)
  near = sklearn.metrics.pairwise_distances_argmin(centres, rows)
  return _of_rows(rows, np.unique(near))


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
  part = _draw(rows, min(len(rows), _SUBSET * count), rng)
  seen = rows[part]
  if rows.shape[1] > _PROJECTED:
    shape = rows.shape[1], _PROJECTED
    seen = seen @ rng.normal(0, _PROJECTED**-0.5, shape).astype(rows.dtype)
  order = greedy_order(seen, count, int(rng.integers(len(part))))
  return _of_rows(rows, part[order])


SELECTIONS: dict[str, Callable] = {
  'k_means': _k_means,
  'k_means_rows': _k_means_rows,
  'random': _random,
  'k_centre': _k_centre,
}


def select(
  rows: np.ndarray, how: str, count: int, rng: np.random.Generator
) -> Chosen:
  """Chooses at most `count` slots for features.

  Args:
    rows: [n, C] float32 features.
    how: 'k_means' (centres), 'k_means_rows' (the row nearest to each of them),
      'random', or 'k_centre' (far apart; greedy, on a random part and a random
      projection).
    count: slots; with no more features than that, all of them are slots.
    rng: for what is random.
  """
  if len(rows) <= count:
    return Chosen(rows, np.arange(len(rows)))
  return SELECTIONS[how](rows, count, rng)


def outlier_factors(rows: np.ndarray, neighbours: int) -> np.ndarray:
  """Returns how much sparser it is around each row than around its neighbours.

  The local outlier factor (Breunig et al. 2000), by which SoftPatch denoises
  its memory: about 1 among others, more for outliers. Anomalies among the
  training samples are such outliers only if there are fewer of a kind than
  `neighbours`: of 50 alike ones each has 49 near.

  Args:
    rows: [n, C] features.
    neighbours: over which a density is taken; n - 1 at most count.

  Returns:
    [n] float64, all 1 for less than two rows.
  """
  most = min(neighbours, len(rows) - 1)
  if most < 1:
    return np.ones(len(rows))
  factor = sklearn.neighbors.LocalOutlierFactor(n_neighbors=most)
  return -factor.fit(rows).negative_outlier_factor_


@dataclasses.dataclass(frozen=True)
class Rule:
  """Tells what of features becomes slots, and what these weigh.

  Attributes:
    select: see the function `select`.
    dropped: share of the features that is left out, those with the highest
      outlier factors; below 1.
    weighted: whether a slot weighs the mean outlier factor of its features.
    density: neighbours of the factors; below 1: that share of the features.
  """

  select: str = 'k_means'
  dropped: float = 0.0
  weighted: bool = False
  density: float = 200

  def clean(self, collected: np.ndarray) -> Features:
    """Returns the features that are not dropped.

    Args:
      collected: [n, P, C] float32, P of each sample.
    """
    samples, each, width = collected.shape
    features = Features(
      rows=collected.reshape(-1, width),
      factors=np.ones(samples * each),
      owner=np.repeat(np.arange(samples), each),
    )
    count = round(self.dropped * len(features.rows))
    if not count and not self.weighted:
      return features
    share = len(features.rows) if self.density < 1 else 1
    factors = outlier_factors(
      features.rows, max(1, round(self.density * share))
    )
    order = np.argsort(-factors, kind='stable')
    return features._replace(factors=factors).at(np.sort(order[count:]))

  def slots(
    self, features: Features, count: int, rng: np.random.Generator
  ) -> tuple[np.ndarray, np.ndarray]:
    """Chooses slots.

    Args:
      features: n that stay, from `clean`.
      count: slots at most.
      rng: for what is random.

    Returns:
      [m, C] float32 slots, m = min(n, count), and their weights [m] float32,
      which are 1 unless `weighted`.
    """
    slots, slot_of = select(features.rows, self.select, count, rng)
    slots = np.asarray(slots, np.float32)
    weights = np.ones(len(slots), np.float32)
    if self.weighted:
      own = slot_of >= 0
      factors = features.factors[own]
      sums, members = (
        np.bincount(slot_of[own], of_each, minlength=len(slots))
        for of_each in (factors, np.ones_like(factors))
      )
      # A centre without a member keeps 1.
      np.divide(sums, members, out=weights, where=members > 0)
    return slots, weights
