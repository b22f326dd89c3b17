import numpy as np
import pytest
import scipy.stats
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.evaluation.metrics import intervals
from memae_jax.runtime import errors
from tests.evaluation.metrics import samples


def test_summary_over_replicas():
  summary = intervals.summarise([{'a': 1.0}, {'a': 2.0}, {'a': 6.0}])['a']
  assert (summary['mean'], summary['n']) == (3, 3)
  assert summary['std'] == pytest.approx(np.std([1, 2, 6], ddof=1))
  low, high = scipy.stats.t.interval(0.95, 2, 3, scipy.stats.sem([1, 2, 6]))
  assert summary['ci95'] == pytest.approx([low, high])
  two = intervals.summarise([{'a': 0.9}, {'a': 0.7}, {'a': None}])['a']
  assert two == {
    'mean': pytest.approx(0.8),
    'std': pytest.approx(np.std([0.9, 0.7], ddof=1)),
    'n': 2,
    'ci95': None,
    'ci95_reason': 'two runs: no interval',
    'undefined': 1,
  }
  one = intervals.summarise([{'a': 1.0}, {'a': None}])['a']
  assert one == {'mean': 1, 'std': None, 'n': 1, 'ci95': None, 'undefined': 1}
  none = intervals.summarise([{'a': None}])['a']
  assert (none['mean'], none['n'], none['undefined']) == (None, 0, 1)


def test_paired_difference_is_the_paired_t_test():
  rng = np.random.default_rng(0)
  a, b = rng.random((2, 8))
  summary = intervals.paired_difference(
    [{'m': v} for v in a], [{'m': v} for v in b]
  )['m']
  expected = scipy.stats.ttest_rel(a, b).confidence_interval(0.95)
  assert summary['ci95'] == pytest.approx(list(expected))
  assert summary['mean'] == pytest.approx((a - b).mean())
  two = intervals.paired_difference([{'m': 3.0}, {'m': 2.0}], [{'m': 1.0}] * 2)
  assert (two['m']['mean'], two['m']['ci95']) == (1.5, None)
  assert two['m']['ci95_reason'] == 'two pairs: no interval'
  summary = intervals.paired_difference(
    [{'m': 1.0}, {'m': 2.0}], [{'m': None}] * 2
  )
  assert summary['m']['n'] == 0
  with pytest.raises(errors.UserError, match='2 replicas .* with 1'):
    intervals.paired_difference([{}, {}], [{}])


@given(samples.SAMPLES, st.integers(0, 9))
@settings(deadline=None, max_examples=60)
def test_weighted_counts_are_those_of_scikit_learn(pairs, seed):
  score, anomalous = samples.arrays(pairs)
  weights = np.random.default_rng(seed).integers(1, 4, len(score))
  _, rank = np.unique(-score, return_inverse=True)
  positive, negative = (
    np.bincount(rank, weights * mask).astype(int)
    for mask in (anomalous, ~anomalous)
  )
  metrics = intervals.from_counts(positive, negative)
  arguments = {'sample_weight': weights}
  assert metrics['auroc'] == pytest.approx(
    sklearn.metrics.roc_auc_score(anomalous, score, **arguments)
  )
  assert metrics['average_precision'] == pytest.approx(
    sklearn.metrics.average_precision_score(anomalous, score, **arguments)
  )


def test_bootstrap_interval():
  rng = np.random.default_rng(0)
  anomalous = rng.random(2000) < 0.2
  score = rng.normal(size=2000) + 1.5 * anomalous
  ends = intervals.bootstrap(score, anomalous, resamples=400, seed=1)
  assert ends == intervals.bootstrap(score, anomalous, resamples=400, seed=1)
  low, high = ends['auroc']
  value = sklearn.metrics.roc_auc_score(anomalous, score)
  assert low < value < high
  # DeLong et al. (1988): the spread of each sample's share of won pairs.
  won = score[anomalous][:, None] > score[~anomalous][None, :]
  parts = won.mean(axis=1), won.mean(axis=0)
  deviation = sum(part.var(ddof=1) / part.size for part in parts) ** 0.5
  assert high - low == pytest.approx(3.92 * deviation, rel=0.15)


def test_bootstrap_undefined_and_unknown():
  nothing = {'auroc': None, 'average_precision': None}
  assert intervals.bootstrap([1, 2], [False, False]) == nothing
  assert intervals.bootstrap([1, 2], [False, True], resamples=0) == nothing
  with pytest.raises(errors.UserError, match='"f1" is not offered'):
    intervals.bootstrap([1, 2], [False, True], ['f1'])
  low, high = intervals.bootstrap([1, 1], [False, True])['auroc']
  assert low == high == 0.5


def test_draws_are_shared_by_networks_on_the_same_samples():
  rng = np.random.default_rng(0)
  score, anomalous = rng.normal(size=300), rng.random(300) < 0.3
  score = score + anomalous
  both = [
    intervals.resampled(s, anomalous, ('auroc',), 100, seed=3)[:, 0]
    for s in (score, score + 0.01 * rng.normal(size=300))
  ]
  assert np.std(both[0] - both[1]) < np.std(both[0]) / 5
  assert intervals.resampled(score, anomalous, ('auroc',), 0) is None
