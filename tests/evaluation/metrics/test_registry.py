"""Registered metrics have texts, and those that are computed are registered."""

import pytest

from memae_jax.evaluation.metrics import (
  alarms,
  defect_area,
  detection,
  events,
  frames,
  hourly,
  money,
  pixel_criteria,
  pixels,
  regions,
  registry,
  video_intervals,
)
from memae_jax.evaluation.scoring import contrast, pseudo_anomalies
from memae_jax.runtime import errors

COMPUTED = {
  *alarms.METRICS,
  *detection.METRICS,
  *frames.METRICS,
  *events.METRICS,
  *hourly.METRICS,
  *money.METRICS,
  *pixels.METRICS,
  *(f'{name}_anomalous' for name in pixels.OF_ANOMALOUS),
  *pixel_criteria.METRICS,
  *regions.METRICS,
  *defect_area.METRICS,
  contrast.METRIC,
  pseudo_anomalies.METRIC,
  'variance_explained',
}


def test_words_and_metrics_are_the_same_set():
  alone = set(registry.names('compute'))
  assert set(registry.names()) - alone == COMPUTED
  assert set(video_intervals.METRICS) <= COMPUTED
  for name in registry.names():
    assert registry.find(name).title and registry.find(name).meaning


def test_a_metric_without_words_is_refused():
  metric = registry.Metric('mine', '', 'share of something')
  with pytest.raises(errors.UserError, match='"mine" needs a title'):
    registry.register(metric)
  with pytest.raises(errors.UserError, match='"auroc" is registered twice'):
    registry.register(registry.find('auroc'))
  with pytest.raises(errors.UserError, match='did you mean "auroc"'):
    registry.find('auorc')
  assert 'mine' not in registry.names()
