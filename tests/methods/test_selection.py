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
  chosen, again = (
    selection.select(rows, select, 12, np.random.default_rng(1))
    for _ in range(2)
  )
  assert chosen.shape == (12, 100) and chosen.dtype == np.float32
  np.testing.assert_array_equal(chosen, again)
  if select != 'k_means':
    of_rows = (chosen[:, None] == rows[None]).all(axis=2)
    assert (of_rows.sum(axis=1) == 1).all()
    assert len(np.unique(of_rows.argmax(axis=1))) == 12
  few = selection.select(rows[:5], select, 12, np.random.default_rng(1))
  np.testing.assert_array_equal(few, rows[:5])


def test_outliers_are_left_out_before_slots_are_chosen():
  rng = np.random.default_rng(0)
  normal = rng.normal(size=(200, 4)).astype(np.float32)
  far = (8 + 0.1 * rng.normal(size=(20, 4))).astype(np.float32)
  rows = np.concatenate([normal[:100], far, normal[100:]])
  kept = selection.without_outliers(rows, 20 / 220, 60)
  np.testing.assert_array_equal(kept, normal)
  # Anomalies of one kind hide from fewer neighbours than there are of them.
  blind = selection.without_outliers(rows, 20 / 220, 6)
  assert (blind > 6).all(axis=1).sum() > 10
  np.testing.assert_array_equal(selection.without_outliers(rows, 0.0, 60), rows)
  assert len(selection.without_outliers(rows[:3], 0.4, 60)) == 2
