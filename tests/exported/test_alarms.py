"""What an exported scorer knows of normals, and alarms by it."""

import numpy as np
import pytest

from memae_jax.exported import alarms
from memae_jax.runtime import errors

_META = {'threshold': 2.5, 'normal_scores': [float(i) for i in range(99)]}


def test_scores_are_stored_in_order_and_not_without_end():
  rng = np.random.default_rng(0)
  normal = rng.normal(size=30_000).astype(np.float32)
  few = alarms.stored(normal[:50], 0)
  np.testing.assert_array_equal(np.float32(few), np.sort(normal[:50]))
  many = alarms.stored(normal, 0)
  assert len(many) == 20_000 and many == sorted(many)
  assert set(many) <= set(normal.tolist())
  assert many == alarms.stored(normal, 0) != alarms.stored(normal, 1)


def test_the_limit_is_that_of_the_run_or_of_a_rate():
  assert alarms.limit(_META, None) == 2.5
  assert alarms.limit(_META, 0.01) == 98
  assert alarms.limit(_META, 0.1) == 89
  score = np.array([2.0, 3, 95, 99])
  flags = lambda *rates: alarms.flags(_META, score, *rates).tolist()
  assert flags(None, None) == [False, True, True, True]
  assert flags(0.05, None) == [False, False, True, True]
  assert flags(None, 0.1) == [False, False, True, True]


@pytest.mark.parametrize(
  'meta,rates,words',
  [
    ({'threshold': 1.0}, (0.1, None), 'no scores of validation normals'),
    (_META, (0.001, None), '0.001 needs 999 of them'),
    (_META, (0.0, None), 'false_alarm is 0.0; give a rate'),
    (_META, (0.1, 0.1), 'not both'),
  ],
)
def test_what_it_cannot_say_is_refused(meta, rates, words):
  with pytest.raises(errors.UserError, match=words):
    alarms.flags(meta, np.zeros(2), *rates)


@pytest.mark.parametrize('scores', ['many', [1.0, 'x'], [float('nan')], [True]])
def test_what_is_no_list_of_scores_is_refused(scores):
  with pytest.raises(ValueError, match='are no scores'):
    alarms.check({'normal_scores': scores})
  alarms.check({})
