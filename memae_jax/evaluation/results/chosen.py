"""Measures a rule chosen without test data, beside the one that is fixed.

Of `eval.candidates` each replica takes the rule by which pseudo-anomalies stand
out most among validation normals. Whether that is a good selector is a result
itself: its rank correlation with the AUROC of the test set.
"""

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.stats

from memae_jax.evaluation.metrics import class_means, detection, intervals
from memae_jax.evaluation.scoring import scores

METRICS = ('auroc', 'average_precision')
RANKS = 'rank_correlation'


def _measure(score: np.ndarray, anomalous: np.ndarray) -> dict[str, Any]:
  values = detection.evaluate(score, anomalous, np.zeros(0))[0]
  return {name: values[name] for name in METRICS}


def of_replica(
  replica: scores.ReplicaScores,
) -> tuple[str, dict[str, float | None]]:
  """Returns the rule that a replica takes, and what it reaches.

  Args:
    replica: with `pseudo_rules`. Of equal rules the first one is taken.

  Returns:
    The rule; its metrics, and Spearman's correlation over the candidates
    between AUROC of pseudo-anomalies and of test samples (None: all are equal
    by one of them, or there are fewer than three).
  """
  pseudo = replica.pseudo_rules
  rule = max(pseudo, key=pseudo.get)
  measured = {
    name: _measure(replica.rules[name], replica.anomalous) for name in pseudo
  }
  values, tested = (
    list(pseudo.values()),
    [measured[name]['auroc'] for name in pseudo],
  )
  ranks = None
  if min(map(len, map(set, (values, tested)))) > 1 and len(values) > 2:
    if None not in tested:
      ranks = float(scipy.stats.spearmanr(values, tested).statistic)
  return rule, measured[rule] | {RANKS: ranks}


def summary(replicas: Sequence[scores.ReplicaScores]) -> dict[str, Any]:
  """Returns the entry `chosen` of `results.json`: {method: ...}.

  Args:
    replicas: those without candidates are left out.

  Returns:
    Of each method `metrics`, a summary as of the fixed rule, and `rules`, how
    many replicas took which.
  """
  rows: dict[str, list[class_means.Row]] = {}
  taken: dict[str, collections.Counter] = {}
  for replica in replicas:
    if not replica.pseudo_rules or not replica.rules:
      continue
    rule, values = of_replica(replica)
    variant = replica.fields['variant']
    rows.setdefault(variant, []).append((replica.fields, values))
    taken.setdefault(variant, collections.Counter())[rule] += 1
  out = {}
  for variant, of_method in rows.items():
    units = [values for _, values in class_means.units(of_method)]
    seeds = class_means.averaged([fields for fields, _ in of_method])
    out[variant] = {
      'metrics': intervals.summarise(units, 'seed' if seeds else 'run'),
      'rules': dict(taken[variant]),
    }
  return out
