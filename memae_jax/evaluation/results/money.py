"""Cost curves of payments: what alarms catch, by how many there are per day."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.data import types
from memae_jax.evaluation.metrics import detection, money
from memae_jax.evaluation.scoring import scores

QUANTILES = (0.99, 0.999, 0.9999)  # Of validation normals.
# Rankings that need no detector; one of them knows the labels.
REFERENCES = ('frauds_first', 'amounts_first', 'guessing')


def summary(
  replicas: Sequence[scores.ReplicaScores],
  payments: types.Payments | None,
  config: Any,
) -> dict[str, Any] | None:
  """Returns the curves of all methods and baselines, means over their runs.

  Args:
    replicas: scores of networks and baselines.
    payments: of all samples of the source, or None.
    config: `config.eval`.

  Returns:
    None where there are no payments, or no run whose test set has both frauds
    and others. Else `test`, with days, payments, frauds and their amount
    (means over runs); `alarms_per_day`, the numbers that curves are for;
    `methods`, with a list `curve` of `money.Caught` for these numbers, and
    `quantiles`, one for each of QUANTILES, in its order (None without
    validation normals); `references`, such curves of REFERENCES.
  """
  replicas = [r for r in replicas if not detection.single_class(r.anomalous)]
  if payments is None or not replicas:
    return None
  tests = {r.sample.tobytes(): r for r in replicas}.values()
  of_tests = [money.tested(payments, r.sample) for r in tests]
  numbers = money.budgets(of_tests[0], [config.alarms_per_day])
  groups: dict[str, list[scores.ReplicaScores]] = {}
  for replica in replicas:
    groups.setdefault(replica.fields['variant'], []).append(replica)
  return {
    'test': _test(tests, of_tests),
    'alarms_per_day': numbers,
    'quantiles': list(QUANTILES),
    'methods': {
      name: {
        'runs': len(group),
        'curve': _means([_curve(r, payments, numbers) for r in group]),
        'quantiles': _means([_at_quantiles(r, payments) for r in group]),
      }
      for name, group in groups.items()
    },
    'references': {
      name: _means(
        [
          _reference(name, r.anomalous, part, numbers)
          for r, part in zip(tests, of_tests)
        ]
      )
      for name in REFERENCES
    },
  }


def _test(tests, of_tests: Sequence[money.Tested]) -> dict[str, float]:
  """Describes the test sets, means over those that differ."""
  mean = lambda values: float(np.mean(list(values)))
  return {
    'days': mean(part.days for part in of_tests),
    'payments': mean(len(part.amount) for part in of_tests),
    'frauds': mean(r.anomalous.sum() for r in tests),
    'amount': mean(
      part.amount[r.anomalous].sum() for r, part in zip(tests, of_tests)
    ),
  }


def _curve(replica, payments, numbers) -> list[money.Caught]:
  of_test = money.tested(payments, replica.sample)
  return money.at_budgets(replica.score, replica.anomalous, of_test, numbers)


def _at_quantiles(replica, payments) -> list[money.Caught | None]:
  """Returns what lies above each of QUANTILES of the validation normals."""
  limits = [replica.threshold(quantile) for quantile in QUANTILES]
  of_test = money.tested(payments, replica.sample)
  return [
    None
    if limit is None
    else money.caught(replica.score > limit, replica.anomalous, of_test)
    for limit in limits
  ]


def _reference(name, anomalous, of_test, numbers) -> list[money.Caught]:
  """Returns the curve of a ranking that needs no detector."""
  if name == 'guessing':  # In the mean over all orders.
    share = np.minimum(np.array(numbers) * of_test.days / len(anomalous), 1.0)
    rate, total = float(anomalous.mean()), of_test.amount[anomalous].sum()
    return [
      money.Caught(n, rate, s, s * float(total), s if total else None)
      for n, s in zip(numbers, share.tolist())
    ]
  score = of_test.amount
  if name == 'frauds_first':
    score = np.where(anomalous, 1 + score, 0)
  return money.at_budgets(score, anomalous, of_test, numbers)


def _means(
  runs: Sequence[Sequence[money.Caught | None]],
) -> list[Mapping[str, float | None] | None]:
  """Averages over runs, place by place; None where a run has no value."""

  def mean(values):
    return None if None in values else float(np.mean(values))

  return [
    None
    if None in place
    else {
      field: mean([getattr(caught, field) for caught in place])
      for field in money.Caught._fields
    }
    for place in zip(*runs)
  ]
