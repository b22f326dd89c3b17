"""Conformal alarms: against counting, and against what they promise."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax import conformal
from memae_jax.runtime import errors

_SCORES = st.lists(st.integers(-5, 5), min_size=1, max_size=40)


@given(_SCORES, _SCORES)
@settings(deadline=None, max_examples=60)
def test_p_values_count_normals_that_are_as_high(score, normal):
  score, normal = np.array(score, float), np.array(normal, float)
  expected = (1 + (normal[None] >= score[:, None]).sum(1)) / (len(normal) + 1)
  np.testing.assert_array_equal(conformal.p_values(score, normal), expected)


@given(_SCORES, _SCORES, st.sampled_from([0.03, 0.1, 0.25, 0.5]))
@settings(deadline=None, max_examples=80)
def test_what_is_above_the_threshold_has_a_small_p_value(score, normal, rate):
  score, normal = np.array(score, float), np.array(normal, float)
  if len(normal) + 1 < 1 / rate:
    with pytest.raises(
      errors.UserError, match='validation_fraction .* or choose a'
    ):
      conformal.threshold(normal, rate)
    return
  limit = conformal.threshold(normal, rate)
  p = conformal.p_values(score, normal)
  np.testing.assert_array_equal(score > limit, p <= rate + 1e-9)


def test_the_refusal_says_how_many_normals_a_rate_takes():
  assert conformal.too_few(98, 0.01).endswith('0.01 needs 99 of them')
  assert conformal.too_few(99, 0.01) is None
  assert conformal.too_few(0, 0.01).startswith('there are no validation')


def test_normals_are_flagged_at_the_rate_that_was_stated():
  rng = np.random.default_rng(0)
  count, rate, draws = 199, 0.05, 400
  law = scipy.stats.betabinom(1000, 10, count + 1 - 10)  # 10 = 0.05 x 200.
  low, high = law.ppf([0.005, 0.995])
  inside, rates = [], []
  for _ in range(draws):
    limit = conformal.threshold(rng.normal(size=count), rate)
    flagged = (rng.normal(size=1000) > limit).sum()
    inside.append(low <= flagged <= high)
    rates.append(flagged / 1000)
  error = np.std(rates) / draws**0.5
  assert abs(np.mean(rates) - rate) < 3 * error
  assert np.mean(inside) > 0.97


@pytest.mark.parametrize('share', [0.02, 0.2])
def test_few_of_what_is_flagged_together_is_normal(share):
  rng = np.random.default_rng(1)
  shares = []
  for _ in range(200):
    odd = rng.random(500) < share
    score = rng.normal(size=500) + 4 * odd
    p = conformal.p_values(score, rng.normal(size=999))
    found = conformal.discoveries(p, 0.2)
    shares.append((found & ~odd).sum() / max(found.sum(), 1))
  error = np.std(shares) / 200**0.5
  assert np.mean(shares) < 0.2 * (1 - share) + 3 * error
  assert np.mean(shares) > 0.05  # It does flag.


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=30))
@settings(deadline=None, max_examples=60)
def test_discoveries_are_those_of_scipy(p):
  p = np.array(p)
  expected = scipy.stats.false_discovery_control(p) <= 0.1
  np.testing.assert_array_equal(conformal.discoveries(p, 0.1), expected)


def test_flags_are_p_values_at_most_a_rate():
  rng = np.random.default_rng(2)
  score, normal = rng.normal(size=50).round(1), rng.normal(size=300).round(1)
  p = conformal.p_values(score, normal)
  flags = conformal.flags(score, normal, 0.2)
  np.testing.assert_array_equal(flags, p <= 0.2)
  np.testing.assert_array_equal(
    conformal.flags(score, normal), p <= conformal.RATE
  )
  np.testing.assert_array_equal(
    conformal.flags(score, normal, fdr=0.3), conformal.discoveries(p, 0.3)
  )


@pytest.mark.parametrize(
  'rates,words',
  [
    ({'false_alarm': 0.1, 'fdr': 0.1}, 'not both'),
    ({'false_alarm': 0.0}, 'false_alarm is 0.0; give a rate'),
    ({'fdr': 1.0}, 'fdr is 1.0; give a rate'),
    ({'fdr': 'low'}, "fdr is 'low'; give a rate"),
    ({'false_alarm': float('nan')}, 'false_alarm is nan; give a rate'),
    (
      {'false_alarm': 0.001},
      '0.001 needs 999 of them: raise data.validation_fr',
    ),
  ],
)
def test_what_is_no_rate_is_refused(rates, words):
  with pytest.raises(errors.UserError, match=words):
    conformal.flags(np.zeros(3), np.arange(99.0), **rates)
