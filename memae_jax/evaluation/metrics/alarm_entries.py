"""Metrics of alarms at rates that are stated beforehand: see `conformal`."""

from memae_jax.evaluation.metrics import registry

registry.register(
  registry.Metric(
    'recall_at_false_alarm',
    'Caught at the rate of false alarms',
    'share of the anomalies whose conformal p-value is at most'
    ' eval.false_alarm; by validation normals alone',
  ),
  registry.Metric(
    'false_alarm_rate',
    'False alarms at that rate',
    'share of the test normals that is flagged in this way: eval.false_alarm'
    ' is promised, for normals like those of the validation, as a mean over'
    ' draws of these; lower is better',
    lower_is_better=True,
  ),
  registry.Metric(
    'recall_at_fdr',
    'Caught at the false discovery rate',
    'share of the anomalies that is flagged where the p-values of the whole'
    ' test set are taken together, by Benjamini and Hochberg at eval.fdr',
  ),
  registry.Metric(
    'false_discovery_share',
    'False discoveries',
    'share of what is flagged in this way that is normal; eval.fdr is its mean'
    ' at most; lower is better',
    lower_is_better=True,
  ),
)
