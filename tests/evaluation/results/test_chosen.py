"""The rule chosen by pseudo-anomalies, and the rank correlation of that."""

import numpy as np
import pytest

from memae_jax.evaluation.results import chosen
from memae_jax.evaluation.scoring import scores

_ANOMALOUS = np.array([False, False, True, True])
# Scores with AUROC 1, 0.75, 0.5 and 0.
_GOOD, _FAIR, _EVEN, _BAD = map(
  np.float32, ([0, 1, 2, 3], [0, 2, 1, 3], [1, 2, 0, 3], [2, 3, 0, 1])
)


def _replica(pseudo, rules, seed=0, variant='memae'):
  return scores.ReplicaScores(
    name=f'{variant}/{seed}',
    fields={'variant': variant, 'seed': seed},
    score=_GOOD,
    anomalous=_ANOMALOUS,
    sample=np.arange(4),
    validation_score=np.zeros(2),
    pseudo_rules=pseudo,
    rules=rules,
  )


_RULES = {'mse': _GOOD, 'ssim': _FAIR, 'gradient': _BAD}


@pytest.mark.parametrize(
  ('pseudo', 'rule', 'auroc', 'ranks'),
  [
    ((0.9, 0.8, 0.7), 'mse', 1.0, 1.0),
    ((0.1, 0.2, 0.3), 'gradient', 0.0, -1.0),
    ((0.2, 0.3, 0.1), 'ssim', 0.75, 0.5),
    ((0.5, 0.5, 0.5), 'mse', 1.0, None),
  ],
)
def test_the_best_by_pseudo_anomalies_is_taken(pseudo, rule, auroc, ranks):
  replica = _replica(dict(zip(_RULES, pseudo)), _RULES)
  found, values = chosen.of_replica(replica)
  assert found == rule and values['auroc'] == auroc
  assert values[chosen.RANKS] == (
    ranks if ranks is None else pytest.approx(ranks)
  )


def test_no_rank_correlation_of_two_rules():
  rules = {'mse': _GOOD, 'ssim': _EVEN}
  _, values = chosen.of_replica(_replica({'mse': 0.5, 'ssim': 0.7}, rules))
  assert values == {
    'auroc': 0.5,
    'average_precision': pytest.approx(5 / 6, abs=0.2),
    chosen.RANKS: None,
  }


def test_the_summary_counts_who_took_what():
  low, high = (
    dict(zip(_RULES, values)) for values in ((0.1, 0.2, 0.3), (0.3, 0.2, 0.1))
  )
  replicas = [
    _replica(low, _RULES, 0),
    _replica(high, _RULES, 1),
    _replica(None, _RULES, 0, 'ae'),
    _replica({}, _RULES, 1, 'ae'),
  ]
  found = chosen.summary(replicas)
  assert set(found) == {'memae'}
  assert found['memae']['rules'] == {'gradient': 1, 'mse': 1}
  metrics = found['memae']['metrics']
  assert metrics['auroc']['mean'] == 0.5 and metrics['auroc']['n'] == 2
  assert metrics[chosen.RANKS]['mean'] == pytest.approx(0)
