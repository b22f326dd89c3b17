"""What columns add to scores, and the strongest of them."""

import doctest

import numpy as np

from memae_jax.data import types
from memae_jax.data.tables import contributions

COLUMNS = (
  types.Column('age'),
  types.Column('kind', ('a', 'b', 'c')),
  types.Column('when', parts=('days', 'hour sin')),
)


def test_inputs_of_a_column_are_added_up_and_sum_to_the_score():
  errors = np.random.default_rng(0).random((40, 6), np.float32)
  added = contributions.by_column(errors, COLUMNS)
  assert added.shape == (40, 3)
  np.testing.assert_allclose(added.sum(axis=1), errors.mean(axis=1), rtol=1e-6)
  np.testing.assert_allclose(added[:, 1], errors[:, 1:4].sum(axis=1) / 6)


def test_the_example():
  finder = doctest.DocTestFinder(recurse=False)
  names = {'np': np, 'types': types, 'by_column': contributions.by_column}
  (example,) = finder.find(contributions.by_column, 'by_column', globs=names)
  assert example.examples
  failed, _ = doctest.DocTestRunner().run(example)
  assert not failed


def test_the_strongest_and_their_shares():
  found = contributions.strongest(
    np.array([[1.0, 3.0, 0.0], [0.0, 0.0, 0.0], [2.0, 2.0, 4.0]]), 2
  )
  np.testing.assert_array_equal(found.index, [[1, 0], [0, 1], [2, 0]])
  np.testing.assert_allclose(found.share, [[0.75, 0.25], [0, 0], [0.5, 0.25]])
  names = [column.name for column in COLUMNS]
  assert contributions.cells(found, 0, names) == ['kind', 0.75, 'age', 0.25]
  assert contributions.cells(found, 1, names) == [None] * 4
  assert contributions.titles(2) == [
    'column_1', 'share_1', 'column_2', 'share_2',
  ]  # fmt: skip
  assert found.at([2]).index.tolist() == [[2, 0]]
  assert contributions.strongest(np.ones((1, 2)), 9).index.shape == (1, 2)
