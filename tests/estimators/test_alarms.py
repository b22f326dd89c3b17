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


def _new(count: int) -> np.ndarray:
  """More rows like those of the table."""
  rng = np.random.default_rng(7)
  return rng.normal(size=(count, 4)) * [1, 10, 0.1, 1] + [0, 100, 0, -5]


@pytest.mark.slow
def test_what_calibrates_does_not_depend_on_what_trains(small, table):
  """Ten thousand more training rows leave n and the lowest rate as they are."""
  held_out = _new(150)
  more = np.concatenate([table, _new(10_150)[150:]])
  for rows in (table, more):
    found = small(epochs=0.2).fit(rows).calibrate(held_out)
    np.testing.assert_array_equal(
      found.validation_scores_, found.anomaly_score(held_out)
    )
    assert found.flag(held_out, 1 / 151).sum() <= 1
    with pytest.raises(ValueError, match='0.006 needs 166 of them'):
      found.flag(table, 0.006)


def test_other_normals_calibrate(small, table):
  found = small().fit(table)
  before = found.offset_
  assert found.calibrate(_new(40)) is found
  assert len(found.validation_scores_) == 40 and found.offset_ != before
  assert -found.offset_ == np.quantile(found.validation_scores_, 0.95)
  mixed = np.concatenate([_new(3), table[[4, 9]]])
  with pytest.raises(ValueError, match='2 of 5 samples .* at row 3, are equal'):
    found.calibrate(mixed)
  with pytest.raises(ValueError, match='expecting 4 features'):
    found.calibrate(table[:, :2])


def test_more_rows_that_train_allow_no_lower_rate(small, table):
  share = {'data.validation_fraction': 0.1}
  counts = [
    len(small(config=share).fit(np.tile(table, (n, 1))).validation_scores_)
    for n in (1, 2)
  ]
  assert counts == [6, 12]
