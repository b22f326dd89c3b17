"""Metrics of payments: frauds and amounts that alarms catch."""

import math

from memae_jax.evaluation.metrics import registry

_TOP = {
  'headline': True,
  'first_look': True,
  'of_money': True,
  'only_some': True,
}
registry.register(
  registry.Metric(
    'recall_at_alarms',
    'Frauds caught',
    'share of the frauds among the highest scores, as many as the set number of'
    ' alarms per day; uses no test label',
    **_TOP,
  ),
  registry.Metric(
    'precision_at_alarms',
    'Precision of alarms',
    'share of these alarms that are frauds',
    **(_TOP | {'first_look': False}),
  ),
  registry.Metric(
    'amount_at_alarms',
    'Amount caught',
    'share of the amount of all frauds that these alarms catch',
    **_TOP,
  ),
  registry.Metric(
    'amount_at_normal_quantile',
    'Amount caught at the quantile',
    'share of the amount of all frauds above a quantile of the validation'
    ' normals; uses no test label',
    only_some=True,
  ),
  registry.Metric(
    'alarms_per_day_at_normal_quantile',
    'Alarms per day at the quantile',
    'payments per day above that quantile',
    most=math.inf,
    only_some=True,
  ),
)
