"""Usual distances of training features to a memory that lacks them.

Distances of several kinds of features have different units. Less their usual
mean and over their usual deviation they can be added. Both numbers come from
training features alone, each compared with slots that it had no part in; those
of its own memory would be too small, by how much depends on the kind.
"""

import numpy as np
import sklearn.metrics

from memae_jax.methods import selection

_MOST = 400  # Features that are compared with a memory.
_HELD_OUT = 4  # One of so many samples is held out of a selection.
_CELLS = 2**24  # Distances that are computed at a time.


def distances(
  queries: np.ndarray,
  slots: np.ndarray,
  weights: np.ndarray,
  neighbours: int,
  apart: np.ndarray | None = None,
) -> np.ndarray:
  """Returns mean weighted distances to the nearest slots, as a bank has them.

  Args:
    queries: [q, C].
    slots: [m, C].
    weights: [m].
    neighbours: how many nearest slots the mean is of; missing ones count 0.
    apart: [q, m] bool, whether a slot counts for a query; None: all do.
  """
  most = min(neighbours, len(slots))
  step, out = max(1, _CELLS // max(1, len(slots))), []
  for at in range(0, len(queries), step):
    part = slice(at, at + step)
    far = sklearn.metrics.euclidean_distances(queries[part], slots) * weights
    if apart is not None:
      far = np.where(apart[part], far, np.inf)
    near = np.partition(far, most - 1, axis=1)[:, :most]
    near = np.where(np.isfinite(near), near, 0)
    out.append(near.sum(axis=1, dtype=np.float64) / neighbours)
  return np.concatenate(out)


def usual(
  rule: selection.Rule,
  features: selection.Features,
  count: int,
  neighbours: int,
  rng: np.random.Generator,
) -> tuple[float, float]:
  """Returns mean and deviation of the distances of training features.

  Where all features are slots, some of them are compared with the slots of all
  other samples (leave one out). Where slots are chosen or are centres, each
  feature had a part in them: then a part of the samples is held out, slots are
  chosen again among the rest, and features of the part are compared with these.

  Args:
    rule: by which slots are chosen.
    features: that stay, see `selection.Rule.clean`.
    count: slots at most.
    neighbours: of a distance.
    rng: for what is random.

  Returns:
    (mean, deviation); (0, 1) for features of one sample, and a deviation of 1
    where all are as far.
  """
  samples = np.unique(features.owner)
  if len(samples) < 2:
    return 0.0, 1.0
  if len(features.rows) <= count:
    some = _some(np.arange(len(features.rows)), rng)
    slots, weights = rule.slots(features, count, rng)
    apart = features.owner[some][:, None] != features.owner[None]
  else:
    size = min(_MOST, max(1, len(samples) // _HELD_OUT))
    held = np.isin(features.owner, rng.choice(samples, size, replace=False))
    some, apart = _some(np.flatnonzero(held), rng), None
    slots, weights = rule.slots(features.at(~held), count, rng)
  far = distances(features.rows[some], slots, weights, neighbours, apart)
  return float(far.mean()), float(far.std()) or 1.0


def _some(index: np.ndarray, rng: np.random.Generator) -> np.ndarray:
  if len(index) <= _MOST:
    return index
  return np.sort(rng.choice(index, _MOST, replace=False))
