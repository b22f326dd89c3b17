"""Contributions of columns by what a scorer's file says."""

import csv
import io

import numpy as np
import pytest

from memae_jax.exported import by_column
from memae_jax.runtime import errors

META = {
  'score': {'name': 'mse', 'no_columns': ''},
  'input': {
    'columns': [
      {'name': 'age', 'categories': []},  # As earlier versions wrote it.
      {'name': 'city', 'categories': ['A', 'B'], 'parts': []},
    ]
  },
}
ERRORS = np.float32([[3, 1, 2], [0, 0, 0]])


def test_columns_sum_to_the_score():
  found = by_column.added(META, ERRORS)
  np.testing.assert_allclose(found, [[1, 1], [0, 0]])
  np.testing.assert_allclose(found.sum(axis=1), ERRORS.mean(axis=1))
  titles, cells = by_column.cells(found, ['age', 'city'], 1)
  assert titles == ['column_1', 'share_1']
  assert cells == [['age', 0.5], [None, None]]


def test_the_file_of_all_columns():
  found = by_column.added(META, ERRORS)
  places = {'row': [0, 1], 'part': ['P', 'Q']}
  score = ERRORS.mean(axis=1)
  text = by_column.as_csv(places, score, found, ['age', 'city'])
  rows = list(csv.reader(io.StringIO(text)))
  assert rows[0] == ['row', 'part', 'score', 'age', 'city']
  assert rows[1] == ['0', 'P', '2.0', '1.0', '1.0']


@pytest.mark.parametrize(
  ('score', 'found'),
  [
    ({}, 'export the run again'),
    ({'no_columns': 'its score "energy" is no sum'}, '"energy" is no sum'),
  ],
)
def test_scores_that_are_refused(score, found):
  with pytest.raises(errors.UserError, match=found) as caught:
    by_column.added(META | {'score': score}, ERRORS)
  assert '\n' not in str(caught.value)
