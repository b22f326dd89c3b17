"""Cost curves of several runs, and rankings that need no detector."""

import types as pytypes

import numpy as np
import pytest

from memae_jax.data import types
from memae_jax.evaluation.results import money
from memae_jax.evaluation.scoring import scores
from memae_jax.runtime import strict_json

DAY = 86_400
CONFIG = pytypes.SimpleNamespace(alarms_per_day=1)
# Eight payments of which each run tests four; those of 40 and 60 are frauds.
PAYMENTS = types.Payments(
  np.array([5, 10, 40, 70, 5, 60, 10, 20.0]), np.arange(8) * DAY / 4
)
ANOMALOUS = np.array([0, 0, 1, 0, 0, 1, 0, 0], bool)


def _replica(variant, seed, sample, score):
  sample = np.array(sample)
  return scores.ReplicaScores(
    name=f'{variant}/seed={seed}',
    fields={'variant': variant, 'seed': seed},
    score=np.array(score, float),
    anomalous=ANOMALOUS[sample],
    sample=sample,
    validation_score=np.linspace(0, 1, 11),
  )


@pytest.fixture
def facts():
  first, second = [0, 1, 2, 3], [4, 5, 6, 7]
  replicas = [
    _replica('memae', 0, first, [0, 0, 9, 0]),
    _replica('memae', 1, second, [0, 0, 9, 0]),
    _replica('ae', 0, first, [0, 0, 9, 0]),
  ]
  return money.summary(replicas, PAYMENTS, CONFIG)


def test_curves_are_means_over_runs(facts):
  assert facts['alarms_per_day'] == [1, 2, 3]
  one = lambda name: facts['methods'][name]['curve'][0]
  assert one('ae')['amount'] == 40 and one('ae')['recall'] == 1
  assert one('memae')['amount'] == 20 and one('memae')['recall'] == 0.5
  assert facts['methods']['memae']['runs'] == 2
  last = facts['methods']['memae']['curve'][-1]
  assert last['amount_share'] == 1 and last['precision'] == 1 / 3
  assert facts['test'] == {
    'days': pytest.approx(0.875, abs=1e-4),
    'payments': 4,
    'frauds': 1,
    'amount': 50,
  }
  assert strict_json.text(facts)  # No numpy, no NaN.


def test_quantiles_of_normals_are_thresholds(facts):
  assert facts['quantiles'] == [0.99, 0.999, 0.9999]
  for caught in facts['methods']['ae']['quantiles']:
    assert caught['precision'] == 1 and caught['amount'] == 40
    assert caught['alarms_per_day'] == pytest.approx(1 / 0.875, rel=1e-4)


def test_references_bound_the_methods(facts):
  first = {k: curve[0] for k, curve in facts['references'].items()}
  assert first['frauds_first']['amount_share'] == 1
  assert first['amounts_first']['amount_share'] == 0.5  # 60 yes, 40 no.
  share = 0.875 / 4  # Days over payments.
  assert first['guessing']['recall'] == pytest.approx(share, rel=1e-4)
  assert first['guessing']['precision'] == 0.25


def test_without_payments_or_frauds_there_is_nothing():
  replica = _replica('ae', 0, [0, 1, 4, 6], [1, 2, 3, 4])
  assert money.summary([replica], PAYMENTS, CONFIG) is None
  assert (
    money.summary([_replica('ae', 0, [1, 2], [0, 1])], None, CONFIG) is None
  )


def test_without_validation_normals_there_is_no_threshold():
  replica = _replica('ae', 0, [0, 1, 2, 3], [1, 2, 3, 4])
  replica = replica._replace(validation_score=np.zeros(0))
  facts = money.summary([replica], PAYMENTS, CONFIG)
  assert facts['methods']['ae']['quantiles'] == [None] * 3
