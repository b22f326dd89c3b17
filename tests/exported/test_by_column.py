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


def test_columns_of_a_frame_are_found_by_name():
  pandas = pytest.importorskip('pandas')
  names = ['a', 'b', 'c']
  columns = [{'name': n, 'categories': [], 'parts': []} for n in names]
  meta = {'columns': columns}
  assert by_column.inputs(meta) == names
  frame = pandas.DataFrame({'c': [3.0, 6.0], 'a': [1.0, 4.0], 'b': [True, 0]})
  found = by_column.of_frame(frame, meta)
  np.testing.assert_array_equal(found, [[1, 1, 3], [4, 0, 6]])
  with pytest.raises(errors.UserError, match='lack column "b"; give 3 columns'):
    by_column.of_frame(frame[['a', 'c']], meta)
  more = frame.assign(d='x', e=2)  # Left out, as of files.
  np.testing.assert_array_equal(by_column.of_frame(more, meta), found)
  twice = pandas.concat([frame, frame[['b']]], axis=1)
  with pytest.raises(errors.UserError, match='samples have twice column "b";'):
    by_column.of_frame(twice, meta)
  # Without names, and where none of them is known, by their places.
  for other in (frame.to_numpy(), pandas.DataFrame(frame.to_numpy())):
    assert by_column.of_frame(other, meta) is other
  other = frame.rename(columns=str.upper)
  assert by_column.of_frame(other, meta) is other
