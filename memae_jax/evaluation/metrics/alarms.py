"""Metrics of alarms at rates that are stated beforehand."""

import numpy as np

from memae_jax import conformal

METRICS = (
  'recall_at_false_alarm',
  'false_alarm_rate',
  'recall_at_fdr',
  'false_discovery_share',
)
_NONE_FOUND = 'nothing is flagged'


def evaluate(
  score: np.ndarray,
  anomalous: np.ndarray,
  normal: np.ndarray,
  false_alarm: float,
  fdr: float,
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns what alarms at stated rates catch, and why it is undefined.

  Args:
    score: [T] of test samples.
    anomalous: [T] bool.
    normal: [n] scores of validation normals.
    false_alarm: rate of false alarms.
    fdr: rate of false discoveries.

  Returns:
    metrics: every name of `METRICS`, None where undefined.
    reasons: one sentence for each undefined metric.
  """
  out: dict[str, float | None] = dict.fromkeys(METRICS)
  reasons: dict[str, str] = {}
  share = lambda of, among: float(of[among].mean()) if among.any() else None
  p = conformal.p_values(score, normal)
  why = conformal.too_few(len(normal), false_alarm)
  if why is None:
    flagged = score > conformal.threshold(normal, false_alarm)
    out['recall_at_false_alarm'] = share(flagged, anomalous)
    out['false_alarm_rate'] = share(flagged, ~anomalous)
  found = conformal.discoveries(p, fdr)
  out['recall_at_fdr'] = share(found, anomalous)
  out['false_discovery_share'] = share(~anomalous, found)
  for name in METRICS:
    if out[name] is None:
      kind = 'anomalous' if name.startswith('recall') else 'normal'
      reasons[name] = f'no test sample is {kind}'
  if why:
    reasons |= dict.fromkeys(METRICS[:2], why)
  if not found.any():
    reasons['false_discovery_share'] = _NONE_FOUND
  return out, reasons
