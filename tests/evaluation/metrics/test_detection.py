import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.evaluation.metrics import detection
from memae_jax.runtime import errors
from tests.evaluation.metrics import samples


def _f1(flagged, anomalous):
  return sklearn.metrics.f1_score(anomalous, flagged, zero_division=0)


@given(samples.SAMPLES)
@settings(deadline=None, max_examples=60)
def test_ranking_metrics_match_brute_force(pairs):
  score, anomalous = samples.arrays(pairs)
  metrics, reasons = detection.evaluate(score, anomalous, score[:1])
  gaps = score[anomalous][:, None] - score[~anomalous][None, :]
  assert metrics['auroc'] == pytest.approx(
    ((gaps > 0) + (gaps == 0) / 2).mean()
  )
  expected = sklearn.metrics.average_precision_score(~anomalous, -score)
  assert metrics['average_precision_normal'] == pytest.approx(expected)
  best = max(_f1(score >= cut, anomalous) for cut in score)
  assert metrics['f1_best_oracle'] == pytest.approx(best)
  assert metrics['base_rate'] == pytest.approx(anomalous.mean())
  everything = _f1(np.ones_like(anomalous), anomalous)
  assert metrics['f1_all_positive'] == pytest.approx(everything)
  assert set(metrics) == set(detection.METRICS)
  assert {k for k, v in metrics.items() if v is None} == set(reasons)


@given(samples.SAMPLES, st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_ratio_flags_exactly_the_top(pairs, ratio):
  score, anomalous = samples.arrays(pairs)
  metrics, _ = detection.evaluate(score, anomalous, (), ratio)
  ratio = ratio or anomalous.mean()
  flagged = detection.flag_top(score, ratio)
  assert flagged.sum() == round(ratio * len(score))
  if flagged.any() and not flagged.all():
    assert score[flagged].min() >= score[~flagged].max()
  assert metrics['f1_at_ratio'] == pytest.approx(_f1(flagged, anomalous))
  # The span is what reordering tied samples can do, and never less.
  orders = [np.argsort(anomalous), np.argsort(~anomalous)]
  low, high = (
    detection.evaluate(score[o], anomalous[o], (), ratio)[0]['f1_at_ratio']
    for o in orders
  )
  span = detection.evaluate(score, anomalous, (), ratio)[0][
    'f1_at_ratio_tie_span'
  ]
  assert span == pytest.approx(high - low, abs=1e-9)


@given(samples.SAMPLES)
@settings(deadline=None, max_examples=60)
def test_equal_error_rate_lies_on_the_curve(pairs):
  score, anomalous = samples.arrays(pairs)
  rate = detection.evaluate(score, anomalous, ())[0]['eer']
  fpr, tpr, _ = sklearn.metrics.roc_curve(
    anomalous, score, drop_intermediate=False
  )
  # Points of the polyline with fpr = 1 - tpr = rate exist: by bisection.
  place = np.linspace(0, 1, 20001)
  steps = np.arange(len(fpr)) / (len(fpr) - 1)
  gap = np.interp(place, steps, fpr + tpr - 1)
  i = np.argmax(gap >= 0)
  assert np.interp(place[i], steps, fpr) == pytest.approx(rate, abs=2e-3)


@given(samples.SAMPLES)
@settings(deadline=None, max_examples=60)
def test_order_of_samples_does_not_move_ranking_metrics(pairs):
  score, anomalous = samples.arrays(pairs)
  a = detection.evaluate(score, anomalous, score)[0]
  b = detection.evaluate(score[::-1], anomalous[::-1], score)[0]
  for name in detection.METRICS:
    if not name.endswith('_at_ratio'):
      assert a[name] == pytest.approx(b[name]), name


def test_perfect_reversed_and_constant_scores():
  anomalous = np.arange(10) >= 7
  good = detection.evaluate(np.arange(10.0), anomalous, [0.0, 6.0], 0, 1.0)[0]
  assert good['auroc'] == good['average_precision'] == 1
  assert good['f1_at_ratio'] == good['f1_at_normal_quantile'] == 1
  assert good['eer'] == good['false_positive_rate_at_normal_quantile'] == 0
  bad = detection.evaluate(-np.arange(10.0), anomalous, ())[0]
  assert bad['auroc'] == bad['f1_at_ratio'] == 0
  assert bad['eer'] == 1
  flat = detection.evaluate(np.ones(10), anomalous, [1.0])[0]
  assert flat['auroc'] == flat['eer'] == 0.5
  assert flat['average_precision'] == pytest.approx(0.3)
  assert flat['f1_at_ratio'] == 0  # The earlier samples are flagged.
  assert flat['f1_at_ratio_tie_span'] == 1
  assert flat['f1_at_normal_quantile'] == 0


def test_nothing_flagged_leaves_precision_undefined():
  metrics, reasons = detection.evaluate([0, 1], [False, True], [5.0])
  assert metrics['precision_at_normal_quantile'] is None
  assert reasons['precision_at_normal_quantile'] == 'no test sample is flagged'
  assert metrics['recall_at_normal_quantile'] == 0


@pytest.mark.parametrize('positive', [False, True])
def test_single_class_is_undefined_with_a_reason(positive):
  labels = np.full(5, positive)
  metrics, reasons = detection.evaluate(np.arange(5.0), labels, [2.0])
  assert metrics['auroc'] is metrics['f1_at_ratio'] is metrics['eer'] is None
  assert metrics['f1_at_normal_quantile'] is None
  assert 'every one of the 5 test samples is' in reasons['auroc']
  assert metrics['base_rate'] == positive
  defined = 'recall' if positive else 'false_positive_rate'
  assert metrics[f'{defined}_at_normal_quantile'] == pytest.approx(0.4)
  assert {k for k, v in metrics.items() if v is None} == set(reasons)


def test_empty_sets_are_undefined_with_a_reason():
  metrics, reasons = detection.evaluate([0, 1], [False, True], [])
  assert metrics['auroc'] == 1
  assert 'validation' in reasons['f1_at_normal_quantile']
  metrics, reasons = detection.evaluate([], np.zeros(0, bool), [])
  assert set(metrics.values()) == {None}
  assert reasons['auroc'] == 'the test set is empty'


@pytest.mark.parametrize(
  'score,anomalous,validation,words',
  [
    ([1, np.nan, np.inf], [0, 1, 1], [], 'score: 2 of 3 .* index 1'),
    ([1, 2], [0, 1], [np.nan], 'validation_score: 1 of 1 .* index 0'),
    ([1, 2], [0, 1, 1], [], 'one label for each'),
    ([1, 2], [1, 2], [], 'True and False'),
    ([[1, 2]], [[0, 1]], [], 'one number for each'),
  ],
)
def test_bad_input_is_one_clear_line(score, anomalous, validation, words):
  with pytest.raises(errors.UserError, match=words) as caught:
    detection.evaluate(score, anomalous, validation)
  assert '\n' not in str(caught.value)
