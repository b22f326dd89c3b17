import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax import errors
from memae_jax.evaluation import metrics

# Few distinct values, so that ties are the rule.
SAMPLES = st.lists(
  st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=30
).filter(lambda pairs: len({y for _, y in pairs}) == 2)


def _arrays(pairs):
  return (
    np.array([s for s, _ in pairs], np.float32),
    np.array([y for _, y in pairs]),
  )


def _f1(flagged, anomalous):
  return sklearn.metrics.f1_score(anomalous, flagged, zero_division=0)


@given(SAMPLES)
@settings(deadline=None, max_examples=60)
def test_ranking_metrics_match_brute_force(pairs):
  score, anomalous = _arrays(pairs)
  found, reasons = metrics.evaluate(score, anomalous, score[:1])
  gaps = score[anomalous][:, None] - score[~anomalous][None, :]
  assert found['auroc'] == pytest.approx(((gaps > 0) + (gaps == 0) / 2).mean())
  expected = sklearn.metrics.average_precision_score(~anomalous, -score)
  assert found['average_precision_normal'] == pytest.approx(expected)
  best = max(_f1(score >= cut, anomalous) for cut in score)
  assert found['f1_best_oracle'] == pytest.approx(best)
  assert found['base_rate'] == pytest.approx(anomalous.mean())
  everything = _f1(np.ones_like(anomalous), anomalous)
  assert found['f1_all_positive'] == pytest.approx(everything)
  assert set(found) == set(metrics.METRICS)
  assert {k for k, v in found.items() if v is None} == set(reasons)


@given(SAMPLES, st.floats(0, 1))
@settings(deadline=None, max_examples=60)
def test_ratio_flags_exactly_the_top(pairs, ratio):
  score, anomalous = _arrays(pairs)
  found, _ = metrics.evaluate(score, anomalous, (), ratio)
  ratio = ratio or anomalous.mean()
  flagged = metrics.flag_top(score, ratio)
  assert flagged.sum() == round(ratio * len(score))
  if flagged.any() and not flagged.all():
    assert score[flagged].min() >= score[~flagged].max()
  assert found['f1_at_ratio'] == pytest.approx(_f1(flagged, anomalous))
  # The span is what reordering tied samples can do, and never less.
  orders = [np.argsort(anomalous), np.argsort(~anomalous)]
  low, high = (
    metrics.evaluate(score[o], anomalous[o], (), ratio)[0]['f1_at_ratio']
    for o in orders
  )
  span = metrics.evaluate(score, anomalous, (), ratio)[0][
    'f1_at_ratio_tie_span'
  ]
  assert span == pytest.approx(high - low, abs=1e-9)


@given(SAMPLES)
@settings(deadline=None, max_examples=60)
def test_equal_error_rate_lies_on_the_curve(pairs):
  score, anomalous = _arrays(pairs)
  rate = metrics.evaluate(score, anomalous, ())[0]['eer']
  fpr, tpr, _ = sklearn.metrics.roc_curve(
    anomalous, score, drop_intermediate=False
  )
  # Points of the polyline with fpr = 1 - tpr = rate exist: by bisection.
  place = np.linspace(0, 1, 20001)
  steps = np.arange(len(fpr)) / (len(fpr) - 1)
  gap = np.interp(place, steps, fpr + tpr - 1)
  i = np.argmax(gap >= 0)
  assert np.interp(place[i], steps, fpr) == pytest.approx(rate, abs=2e-3)


@given(SAMPLES)
@settings(deadline=None, max_examples=60)
def test_order_of_samples_does_not_move_ranking_metrics(pairs):
  score, anomalous = _arrays(pairs)
  a = metrics.evaluate(score, anomalous, score)[0]
  b = metrics.evaluate(score[::-1], anomalous[::-1], score)[0]
  for name in metrics.METRICS:
    if not name.endswith('_at_ratio'):
      assert a[name] == pytest.approx(b[name]), name


def test_perfect_reversed_and_constant_scores():
  anomalous = np.arange(10) >= 7
  good = metrics.evaluate(np.arange(10.0), anomalous, [0.0, 6.0], 0, 1.0)[0]
  assert good['auroc'] == good['average_precision'] == 1
  assert good['f1_at_ratio'] == good['f1_at_normal_quantile'] == 1
  assert good['eer'] == good['false_positive_rate_at_normal_quantile'] == 0
  bad = metrics.evaluate(-np.arange(10.0), anomalous, ())[0]
  assert bad['auroc'] == bad['f1_at_ratio'] == 0
  assert bad['eer'] == 1
  flat = metrics.evaluate(np.ones(10), anomalous, [1.0])[0]
  assert flat['auroc'] == flat['eer'] == 0.5
  assert flat['average_precision'] == pytest.approx(0.3)
  assert flat['f1_at_ratio'] == 0  # The earlier samples are flagged.
  assert flat['f1_at_ratio_tie_span'] == 1
  assert flat['f1_at_normal_quantile'] == 0


def test_nothing_flagged_leaves_precision_undefined():
  found, reasons = metrics.evaluate([0, 1], [False, True], [5.0])
  assert found['precision_at_normal_quantile'] is None
  assert reasons['precision_at_normal_quantile'] == 'no test sample is flagged'
  assert found['recall_at_normal_quantile'] == 0


@pytest.mark.parametrize('positive', [False, True])
def test_single_class_is_undefined_with_a_reason(positive):
  labels = np.full(5, positive)
  found, reasons = metrics.evaluate(np.arange(5.0), labels, [2.0])
  assert found['auroc'] is found['f1_at_ratio'] is found['eer'] is None
  assert found['f1_at_normal_quantile'] is None
  assert 'every one of the 5 test samples is' in reasons['auroc']
  assert found['base_rate'] == positive
  defined = 'recall' if positive else 'false_positive_rate'
  assert found[f'{defined}_at_normal_quantile'] == pytest.approx(0.4)
  assert {k for k, v in found.items() if v is None} == set(reasons)


def test_empty_sets_are_undefined_with_a_reason():
  found, reasons = metrics.evaluate([0, 1], [False, True], [])
  assert found['auroc'] == 1
  assert 'validation' in reasons['f1_at_normal_quantile']
  found, reasons = metrics.evaluate([], np.zeros(0, bool), [])
  assert set(found.values()) == {None}
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
    metrics.evaluate(score, anomalous, validation)
  assert '\n' not in str(caught.value)


def test_summary_over_replicas():
  found = metrics.summarise([{'a': 1.0}, {'a': 2.0}, {'a': 6.0}])['a']
  assert (found['mean'], found['n']) == (3, 3)
  assert found['std'] == pytest.approx(np.std([1, 2, 6], ddof=1))
  low, high = scipy.stats.t.interval(0.95, 2, 3, scipy.stats.sem([1, 2, 6]))
  assert found['ci95'] == pytest.approx([low, high])
  one = metrics.summarise([{'a': 1.0}, {'a': None}])['a']
  assert one == {'mean': 1, 'std': None, 'n': 1, 'ci95': None, 'undefined': 1}
  none = metrics.summarise([{'a': None}])['a']
  assert (none['mean'], none['n'], none['undefined']) == (None, 0, 1)


def test_paired_difference_is_the_paired_t_test():
  rng = np.random.default_rng(0)
  a, b = rng.random((2, 8))
  found = metrics.paired_difference(
    [{'m': v} for v in a], [{'m': v} for v in b]
  )['m']
  expected = scipy.stats.ttest_rel(a, b).confidence_interval(0.95)
  assert found['ci95'] == pytest.approx(list(expected))
  assert found['mean'] == pytest.approx((a - b).mean())
  found = metrics.paired_difference([{'m': 1.0}, {'m': 2.0}], [{'m': None}] * 2)
  assert found['m']['n'] == 0
  with pytest.raises(errors.UserError, match='2 replicas .* with 1'):
    metrics.paired_difference([{}, {}], [{}])


@given(SAMPLES, st.integers(0, 9))
@settings(deadline=None, max_examples=60)
def test_weighted_counts_are_those_of_scikit_learn(pairs, seed):
  score, anomalous = _arrays(pairs)
  weights = np.random.default_rng(seed).integers(1, 4, len(score))
  _, rank = np.unique(-score, return_inverse=True)
  positive, negative = (
    np.bincount(rank, weights * mask).astype(int)
    for mask in (anomalous, ~anomalous)
  )
  found = metrics._weighted(positive, negative)
  arguments = {'sample_weight': weights}
  assert found['auroc'] == pytest.approx(
    sklearn.metrics.roc_auc_score(anomalous, score, **arguments)
  )
  assert found['average_precision'] == pytest.approx(
    sklearn.metrics.average_precision_score(anomalous, score, **arguments)
  )


def test_bootstrap_interval():
  rng = np.random.default_rng(0)
  anomalous = rng.random(2000) < 0.2
  score = rng.normal(size=2000) + 1.5 * anomalous
  found = metrics.bootstrap(score, anomalous, resamples=400, seed=1)
  assert found == metrics.bootstrap(score, anomalous, resamples=400, seed=1)
  low, high = found['auroc']
  value = sklearn.metrics.roc_auc_score(anomalous, score)
  assert low < value < high
  # DeLong et al. (1988): the spread of each sample's share of won pairs.
  won = score[anomalous][:, None] > score[~anomalous][None, :]
  parts = won.mean(axis=1), won.mean(axis=0)
  deviation = sum(part.var(ddof=1) / part.size for part in parts) ** 0.5
  assert high - low == pytest.approx(3.92 * deviation, rel=0.15)


def test_bootstrap_undefined_and_unknown():
  nothing = {'auroc': None, 'average_precision': None}
  assert metrics.bootstrap([1, 2], [False, False]) == nothing
  assert metrics.bootstrap([1, 2], [False, True], resamples=0) == nothing
  with pytest.raises(errors.UserError, match='"f1" is not offered'):
    metrics.bootstrap([1, 2], [False, True], ['f1'])
  low, high = metrics.bootstrap([1, 1], [False, True])['auroc']
  assert low == high == 0.5
