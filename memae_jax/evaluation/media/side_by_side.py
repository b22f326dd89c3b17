"""Test pictures beside the maps of all methods, as comparisons print them."""

from collections.abc import Sequence

import numpy as np

from memae_jax.evaluation.media import display
from memae_jax.evaluation.metrics import defect_area
from memae_jax.evaluation.scoring import error_maps, scores
from memae_jax.training import experiment

_RANGE = 0.02, 0.998  # Quantiles of a method's maps that its colours span,
_EVERY = 3  # by one of so many rows and columns.
_MOST = 6  # Pictures of a figure.


def of(
  exp: experiment.Experiment,
  networks: Sequence[scores.ReplicaScores],
  baselines: Sequence[scores.ReplicaScores],
) -> scores.SideBySide | None:
  """Returns all test pictures whose maps were kept; None where there are none.

  Args:
    exp: the experiment.
    networks: scores of the replicas of all families; the first by name of each
      variant is shown, if it was tested on the samples of the first of all.
    baselines: scores of the baselines.
  """
  if not exp.source.has_images:
    return None
  firsts = scores.firsts((*networks, *baselines)).values()
  mapped = [replica for replica in firsts if replica.maps is not None]
  if not mapped:
    return None
  tested = mapped[0].sample
  same = [r for r in mapped if np.array_equal(r.sample, tested)]
  places = error_maps.kept(exp.source, tested)
  if not places.size:
    return None
  rows, masks = tested[places], exp.source.masks
  labels = exp.source.labels[rows]
  return scores.SideBySide(
    inputs=exp.source.inputs[rows],
    levels=display.levels(exp.source, exp.splits[0]),
    masks=None if masks is None else masks[rows],
    anomalous=mapped[0].anomalous[places],
    sample=rows,
    title=tuple(exp.source.label_names[label] for label in labels),
    columns=tuple(_column(replica, places) for replica in same),
  )


def _column(replica: scores.ReplicaScores, places) -> scores.Column:
  metrics, _ = replica.pixels or ({}, {})
  some = replica.maps[:, ::_EVERY, ::_EVERY].astype(np.float32)
  low, high = np.quantile(some, _RANGE).tolist()
  return scores.Column(
    name=replica.fields['variant'],
    maps=replica.maps,
    score=replica.score[places],
    limit=metrics.get(defect_area.THRESHOLD),
    scale=(low, high if high > low else low + 1),
  )


def chosen(shown: scores.SideBySide) -> np.ndarray:
  """Returns places of at most `_MOST` pictures of all kinds, for one figure.

  Of normals and of each kind of anomalies it is the one with the median score
  by the first method, normals first.

  Args:
    shown: all pictures.
  """
  members: dict[tuple[bool, str], list[int]] = {}
  for k in np.argsort(shown.columns[0].score, kind='stable').tolist():
    kind = bool(shown.anomalous[k]), shown.title[k]
    members.setdefault(kind, []).append(k)
  medians = [ranked[len(ranked) // 2] for _, ranked in sorted(members.items())]
  return np.asarray(medians[:_MOST], int)
