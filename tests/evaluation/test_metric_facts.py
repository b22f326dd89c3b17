"""Every metric has words, and every word a metric."""

import pytest

from memae_jax.evaluation import (
  contrast,
  frames,
  metric_facts,
  metrics,
  pixels,
  pseudo,
  regions,
  video_intervals,
)
from memae_jax.runtime import errors

COMPUTED = {
  *metrics.METRICS,
  *frames.METRICS,
  *pixels.METRICS,
  *regions.METRICS,
  contrast.METRIC,
  pseudo.METRIC,
  'variance_explained',
}


def test_words_and_metrics_are_the_same_set():
  alone = set(metric_facts.names('compute'))
  assert set(metric_facts.names()) - alone == COMPUTED
  assert set(video_intervals.METRICS) <= COMPUTED
  for name in metric_facts.names():
    assert metric_facts.find(name).title and metric_facts.find(name).meaning


def test_a_metric_without_words_is_refused():
  metric = metric_facts.Metric('mine', '', 'share of something')
  with pytest.raises(errors.UserError, match='"mine" needs a title'):
    metric_facts.register(metric)
  with pytest.raises(errors.UserError, match='"auroc" is registered twice'):
    metric_facts.register(metric_facts.find('auroc'))
  with pytest.raises(errors.UserError, match='did you mean "auroc"'):
    metric_facts.find('auorc')
  assert 'mine' not in metric_facts.names()
