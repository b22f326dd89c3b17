"""Alarms of estimators: against counting."""

import numpy as np
import pytest


def test_alarms_at_a_stated_rate(detector, table):
  rng = np.random.default_rng(1)
  new = rng.normal(size=(40, 4)) * [1, 10, 0.1, 1] + [0, 100, 0, -5]
  score, held_out = detector.anomaly_score(new), detector.validation_scores_
  expected = (1 + (held_out >= score[:, None]).sum(1)) / (len(held_out) + 1)
  p = detector.p_value(new)
  np.testing.assert_array_equal(p, expected)
  np.testing.assert_array_equal(detector.flag(new, 0.3), p <= 0.3)
  odd = table[:1] + [0, 300, 0, 0]
  assert detector.flag(np.concatenate([odd] * 9), fdr=0.2).all()
  with pytest.raises(ValueError, match='0.01 needs 99 of them'):
    detector.flag(new)


def test_more_rows_that_train_allow_no_lower_rate(small, table):
  share = {'data.validation_fraction': 0.1}
  counts = [
    len(small(config=share).fit(np.tile(table, (n, 1))).validation_scores_)
    for n in (1, 2)
  ]
  assert counts == [6, 12]
