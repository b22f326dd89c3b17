"""Metrics of alarms at stated rates, and why they are undefined."""

import numpy as np

from memae_jax.evaluation.metrics import alarms


def test_metrics_and_reasons():
  normal = np.arange(99.0)
  score, odd = np.array([200.0, 50, 98.5, 3]), np.array([1, 1, 0, 0], bool)
  values, reasons = alarms.evaluate(score, odd, normal, 0.01, 0.1)
  assert values['recall_at_false_alarm'] == 0.5
  assert values['false_alarm_rate'] == 0.5
  assert values['recall_at_fdr'] == 0.5
  assert values['false_discovery_share'] == 0.5
  assert not reasons
  values, reasons = alarms.evaluate(score, odd, normal[:50], 0.01, 0.01)
  assert set(values.values()) == {None, 0.0}
  assert (
    'allow no rate of false alarms below 0.02'
    in (reasons['recall_at_false_alarm'])
  )
  assert reasons['false_discovery_share'] == 'nothing is flagged'
  _, reasons = alarms.evaluate(score, ~odd | True, normal, 0.01, 0.1)
  assert reasons == {'false_alarm_rate': 'no test sample is normal'}
