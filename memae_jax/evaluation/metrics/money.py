"""Fraud that is caught for a number of alarms per day, counted in money.

Payments are ranked by their scores and the first of them raise an alarm; of
payments that tie, the earlier row comes first. Which of the alarms are frauds
gives precision and recall, and what these frauds were about, in the currency of
the data, is the amount that is caught. A day is as many payments as the whole
table has per 86,400 seconds, so that a random fifth of two days is 0.4 days: n
alarms per day are the round(n * days) highest scores of the test set.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from memae_jax.data import types
from memae_jax.evaluation.metrics import detection

METRICS = (
  'recall_at_alarms',
  'precision_at_alarms',
  'amount_at_alarms',
  'amount_at_normal_quantile',
  'alarms_per_day_at_normal_quantile',
)
_DAY = 86_400.0  # Seconds.
_STEPS = (1, 2, 3, 5, 7)  # Of each decade of a curve.
_NO_AMOUNT = 'the frauds of the test set have no amount'
_NO_ALARM = 'no test sample is flagged'


class Tested(NamedTuple):
  """Payments of a test set: their amounts [T], and how many days they are."""

  amount: np.ndarray
  days: float


class Caught(NamedTuple):
  """Result of some alarms.

  alarms_per_day: how many there are. precision: share of them that are frauds,
  None without alarms. recall: share of the frauds. amount: sum of the amounts
  of these frauds. amount_share: share of that of all frauds, None where that is
  0.
  """

  alarms_per_day: float
  precision: float | None
  recall: float
  amount: float
  amount_share: float | None


def tested(payments: types.Payments, rows: np.ndarray) -> Tested:
  """Returns the test set that some rows of a table are.

  Args:
    payments: of all rows [S].
    rows: [T] indices of the tested ones.
  """
  seconds = payments.seconds
  covered = (float(seconds.max() - seconds.min()) + 1) / _DAY
  days = covered * len(rows) / len(seconds)
  return Tested(payments.amount[rows], days)


def budgets(test: Tested, least: Sequence[float]) -> list[float]:
  """Returns alarms per day for a curve, up to all payments.

  Args:
    test: the test set.
    least: numbers that are among them.
  """
  most = len(test.amount) / test.days
  decades = range(int(np.log10(max(most, 1))) + 1)
  grid = {float(step * 10**decade) for decade in decades for step in _STEPS}
  return sorted({x for x in grid if x <= most} | set(map(float, least)))


def caught(flagged: np.ndarray, anomalous: np.ndarray, test: Tested) -> Caught:
  """Returns what alarms catch.

  Args:
    flagged: [T] bool, payments that raise an alarm.
    anomalous: [T] bool, at least one True.
    test: the test set.
  """
  hits = flagged & anomalous
  alarms, total = int(flagged.sum()), float(test.amount[anomalous].sum())
  amount = float(test.amount[hits].sum())
  return Caught(
    alarms / test.days,
    int(hits.sum()) / alarms if alarms else None,
    int(hits.sum()) / int(anomalous.sum()),
    amount,
    amount / total if total else None,
  )


def at_budgets(
  score: np.ndarray,
  anomalous: np.ndarray,
  test: Tested,
  alarms_per_day: Sequence[float],
) -> list[Caught]:
  """Returns what the highest scores catch, for several numbers of alarms.

  Args:
    score: [T], higher is more anomalous.
    anomalous: [T] bool, at least one True.
    test: the test set.
    alarms_per_day: the numbers; those beyond all payments flag all.
  """
  share = test.days / len(score)
  return [
    caught(
      detection.flag_top(score, min(n * share, 1.0)), anomalous, test
    )._replace(alarms_per_day=float(n))
    for n in alarms_per_day
  ]


def evaluate(
  score: np.ndarray,
  anomalous: np.ndarray,
  validation_score: np.ndarray,
  test: Tested,
  alarms_per_day: float,
  normal_quantile: float,
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns the metrics of one replica, and why undefined ones are so.

  Args:
    score: [T], higher is more anomalous.
    anomalous: [T] bool.
    validation_score: [V] scores of held-out normals.
    test: the test set.
    alarms_per_day: of the metrics `*_at_alarms`.
    normal_quantile: of the validation normals, for the others.

  Returns:
    metrics: every name of `METRICS`, None where undefined.
    reasons: one sentence for each undefined metric.
  """
  why = detection.single_class(anomalous)
  if why:
    return dict.fromkeys(METRICS), dict.fromkeys(METRICS, why)
  (top,) = at_budgets(score, anomalous, test, [alarms_per_day])
  out = {
    'recall_at_alarms': top.recall,
    'precision_at_alarms': top.precision,
    'amount_at_alarms': top.amount_share,
    'amount_at_normal_quantile': None,
    'alarms_per_day_at_normal_quantile': None,
  }
  limit = detection.threshold(validation_score, normal_quantile)
  reasons = {name: _NO_AMOUNT for name in out if name.startswith('amount')}
  reasons['precision_at_alarms'] = _NO_ALARM
  if limit is None:
    of_quantile = [name for name in out if name.endswith('_quantile')]
    reasons |= dict.fromkeys(of_quantile, detection.NO_NORMALS)
  else:
    above = caught(score > limit, anomalous, test)
    out['amount_at_normal_quantile'] = above.amount_share
    out['alarms_per_day_at_normal_quantile'] = above.alarms_per_day
  return out, {name: why for name, why in reasons.items() if out[name] is None}
