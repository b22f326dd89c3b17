"""The rows that become slots, against brute force."""

import numpy as np
import pytest

from memae_jax.methods import selection


def test_greedy_order_is_that_of_brute_force():
  rows = np.random.default_rng(0).normal(size=(60, 5))
  rows[40:50] = rows[:10]  # Ties.
  order = [7]
  while len(order) < 30:
    far = np.linalg.norm(rows[:, None] - rows[order][None], axis=2).min(axis=1)
    order.append(int(far.argmax()))
  assert selection.greedy_order(rows, 30, first=7).tolist() == order
  everything = selection.greedy_order(rows, 60, first=7)
  assert sorted(everything.tolist()) == list(range(60))


@pytest.mark.parametrize('select', selection.SELECTIONS)
def test_selections(select):
  rows = np.random.default_rng(0).normal(size=(90, 100)).astype(np.float32)
  (chosen, slot_of), (again, _) = (
    selection.select(rows, select, 12, np.random.default_rng(1))
    for _ in range(2)
  )
  assert chosen.shape == (12, 100) and chosen.dtype == np.float32
  np.testing.assert_array_equal(chosen, again)
  if select != 'k_means':
    of_rows = (chosen[:, None] == rows[None]).all(axis=2)
    assert (of_rows.sum(axis=1) == 1).all()
    assert len(np.unique(of_rows.argmax(axis=1))) == 12
    assert np.count_nonzero(slot_of >= 0) == 12
    np.testing.assert_array_equal(
      chosen[slot_of[slot_of >= 0]], rows[slot_of >= 0]
    )
  else:
    for number, centre in enumerate(chosen):
      np.testing.assert_allclose(
        centre, rows[slot_of == number].mean(axis=0), rtol=1e-4, atol=1e-5
      )
  few, slot_of = selection.select(
    rows[:5], select, 12, np.random.default_rng(1)
  )
  np.testing.assert_array_equal(few, rows[:5])
  assert slot_of.tolist() == [0, 1, 2, 3, 4]


def test_rows_of_k_means_are_those_nearest_to_its_centres():
  """Of rows that repeat there are fewer, and nothing is said of it."""
  rows = np.random.default_rng(0).normal(size=(90, 3)).astype(np.float32)
  centres, (found, _) = (
    selection.select(rows, how, 7, np.random.default_rng(1))
    for how in ('k_means', 'k_means_rows')
  )
  far = np.linalg.norm(rows[:, None] - centres.slots[None], axis=2)
  expected = sorted(set(far.argmin(axis=0)))
  np.testing.assert_array_equal(found, rows[expected])
  few, slot_of = selection.select(
    np.repeat(rows[:2], 20, axis=0), 'k_means_rows', 7, np.random.default_rng(1)
  )
  assert len(np.unique(few, axis=0)) == 2
  assert np.count_nonzero(slot_of >= 0) == len(few)


def _factors(rows, k):
  """Returns local outlier factors, equation 7 of Breunig et al. (2000)."""
  far = np.linalg.norm(rows[:, None] - rows[None], axis=2)
  np.fill_diagonal(far, np.inf)
  near = np.argsort(far, axis=1)[:, :k]
  distance = np.take_along_axis(far, near, axis=1)
  reach = np.maximum(distance, distance[near, k - 1])
  density = 1 / reach.mean(axis=1)
  return density[near].mean(axis=1) / density


def test_factors_are_those_of_the_paper():
  rows = np.random.default_rng(0).normal(size=(80, 3))
  found = selection.outlier_factors(rows, 7)
  np.testing.assert_allclose(found, _factors(rows, 7), rtol=1e-6)
  everyone = selection.outlier_factors(rows, 500)
  np.testing.assert_allclose(everyone, _factors(rows, 79), rtol=1e-6)
  assert selection.outlier_factors(rows[:1], 7).tolist() == [1]


def _dirty():
  """Returns [220, 1, 4] features, and which 20 of them are one far cluster."""
  rng = np.random.default_rng(0)
  normal = rng.normal(size=(200, 4)).astype(np.float32)
  far = (8 + 0.1 * rng.normal(size=(20, 4))).astype(np.float32)
  rows = np.concatenate([normal[:100], far, normal[100:]])
  return rows[:, None], (np.arange(220) >= 100) & (np.arange(220) < 120)


def test_outliers_are_left_out_before_slots_are_chosen():
  collected, is_far = _dirty()
  clean = lambda **fields: selection.Rule(dropped=20 / 220, **fields).clean(
    collected
  )
  kept = clean(density=60)
  np.testing.assert_array_equal(kept.rows, collected[~is_far, 0])
  np.testing.assert_array_equal(kept.owner, np.flatnonzero(~is_far))
  # A share of the features stands for as many neighbours.
  np.testing.assert_array_equal(clean(density=60 / 220).rows, kept.rows)
  # Anomalies of one kind hide from fewer neighbours than there are of them.
  blind = clean(density=6)
  assert (blind.rows > 6).all(axis=1).sum() > 10
  untouched = selection.Rule().clean(collected)
  np.testing.assert_array_equal(untouched.rows, collected[:, 0])
  assert (untouched.factors == 1).all()
  few = selection.Rule(dropped=0.4, density=60).clean(collected[:3])
  assert len(few.rows) == 2


def test_features_know_their_samples():
  collected = np.random.default_rng(0).normal(size=(5, 3, 2))
  features = selection.Rule().clean(collected)
  np.testing.assert_array_equal(features.rows.reshape(5, 3, 2), collected)
  assert features.owner.tolist() == [i for i in range(5) for _ in range(3)]


@pytest.mark.parametrize('select', selection.SELECTIONS)
def test_slots_weigh_what_their_features_do(select):
  collected, is_far = _dirty()
  rng = lambda: np.random.default_rng(1)
  rule = selection.Rule(select, weighted=True, density=60)
  features = rule.clean(collected)
  expected = selection.outlier_factors(collected[:, 0], 60)
  np.testing.assert_array_equal(features.factors, expected)
  slots, weights = rule.slots(features, 30, rng())
  assert weights.dtype == slots.dtype == np.float32
  _, slot_of = selection.select(features.rows, select, 30, rng())
  for number, weight in enumerate(weights):
    assert weight == pytest.approx(expected[slot_of == number].mean(), rel=1e-5)
  suspect = slots.min(axis=1) > 6
  assert suspect.any()
  assert weights[suspect].min() > 1.5 > weights[~suspect].mean()
  plain, ones = selection.Rule(select).slots(features, 30, rng())
  np.testing.assert_array_equal(plain, slots)
  assert (ones == 1).all()
