"""Queries of test samples and slots of a memory, in two dimensions."""

import functools
import math
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import sklearn.decomposition

from memae_jax.data import transforms
from memae_jax.evaluation.scoring import scores
from memae_jax.methods import positions
from memae_jax.training import experiment

_SAMPLES = 300  # At most, of each kind: normal and anomalous ones.
_QUERIES = 1500  # At most, of all samples.
_SLOTS = 1000  # At most; those that are read most.
_BLOCK = 50  # Samples that a network gets at once, at most,
_VALUES = 2**22  # and so many values of them.


def embeddings(
  exp: experiment.Experiment,
  weights: Any,
  networks: Sequence[scores.ReplicaScores],
) -> list[scores.Embedding]:
  """Returns the memory of the first replica of each variant that has one.

  Args:
    exp: the experiment.
    weights: of the fleet.
    networks: the scores of its replicas, in order.
  """
  firsts = scores.first_names((r.variant, r.name) for r in exp.replicas)
  out = []
  if exp.config.eval.embedding and not exp.programs.is_large:
    for index, replica in enumerate(exp.replicas):
      if replica.name in firsts and replica.has_memory:
        out.append(_embedding(exp, weights, index, networks[index]))
  return [one for one in out if one is not None]


def _embedding(exp, weights, index: int, scored) -> scores.Embedding | None:
  """Returns queries and slots of one replica; None if its method has none."""
  split, method = exp.splits[index], exp.trainer.method
  variables = exp.programs.one(weights, index).variables
  places = np.concatenate(
    [_spread(np.flatnonzero(split.anomalous == kind)) for kind in (False, True)]
  )
  if not places.size:
    return None
  each = max(1, _QUERIES // len(places))
  embed = jax.jit(functools.partial(_queries, method, each))
  width = math.prod(exp.source.inputs.shape[1:])
  block = max(1, min(_BLOCK, _VALUES // width))
  rows, parts = np.resize(places, -(-len(places) // block) * block), []
  for part in rows.reshape(-1, block):
    raw = exp.source.inputs[split.test[part]]
    found = embed(variables, transforms.apply(raw, split.transform))
    if found is None:
      return None
    parts.append(np.asarray(found[0]))
    slots = found[1]
  queries = np.concatenate(parts)[: len(places)]
  anomalous = np.repeat(split.anomalous[places], queries.shape[1])
  count = exp.replicas[index].slots
  return flat(
    exp.replicas[index].variant,
    queries.reshape(-1, queries.shape[-1]),
    anomalous,
    np.asarray(slots)[:count],
    scored.usage[:count],
  )


def _queries(method, each: int, variables, x):
  """Returns some queries of samples [B, P, C], and slots [N, C]; or None."""
  found = method.embed(variables, x)
  if found is None:
    return None
  return positions.drawn(found[0], each), found[1]


def _spread(places: np.ndarray) -> np.ndarray:
  """Returns at most `_SAMPLES` of some places, evenly spaced."""
  count = min(len(places), _SAMPLES)
  return places[np.linspace(0, len(places) - 1, count).round().astype(int)]


def flat(
  variant: str,
  queries: np.ndarray,
  anomalous: np.ndarray,
  slots: np.ndarray,
  usage: np.ndarray,
) -> scores.Embedding:
  """Returns queries and slots by their first two principal components.

  Args:
    variant: of the replica.
    queries: [Q, C].
    anomalous: [Q] bool, whether they are of anomalous samples.
    slots: [N, C]; those that are 0, as no slot of a memory is, are left out.
    usage: [N] addressing weight of each slot over the test set.
  """
  order = np.argsort(-usage, kind='stable')[:_SLOTS]
  order = order[slots[order].any(axis=1)]
  rows = np.concatenate([queries, slots[order]]).astype(np.float64)
  plane = sklearn.decomposition.PCA(
    min(2, *rows.shape), svd_solver='randomized', random_state=0
  )
  points = np.zeros((len(rows), 2))
  shares = np.zeros(2)
  # Rows that are all the same have no spread to explain.
  with np.errstate(invalid='ignore'):
    points[:, : plane.n_components] = plane.fit_transform(rows)
  shares[: plane.n_components] = np.nan_to_num(plane.explained_variance_ratio_)
  return scores.Embedding(
    variant=variant,
    queries=points[: len(queries)].astype(np.float32),
    anomalous=anomalous,
    slots=points[len(queries) :].astype(np.float32),
    usage=usage[order],
    shares=tuple(shares.tolist()),
    width=rows.shape[1],
    of=len(slots),
  )
