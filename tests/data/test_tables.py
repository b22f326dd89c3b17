import numpy as np
import pytest

from memae_jax import errors
from memae_jax.data import tables, types


def test_encode_keeps_the_order_of_columns():
  inputs, columns = tables.encode(
    {'age': np.array([1.0, 2.0]), 'flag': np.array([1, 0]), 'n': [3, 4]},
    {'flag': ('S0', 'SF')},
  )
  assert inputs.dtype == np.float32
  np.testing.assert_array_equal(inputs, [[1, 0, 1, 3], [2, 1, 0, 4]])
  assert tables.input_names(columns) == ['age', 'flag=S0', 'flag=SF', 'n']
  np.testing.assert_array_equal(tables.is_one_hot(columns), [0, 1, 1, 0])


def test_log1p_takes_non_negative_numbers_only(make_source):
  source = make_source()
  before = source.inputs.copy()
  after = tables.log1p(source)
  np.testing.assert_array_equal(source.inputs, before)
  np.testing.assert_allclose(
    after.inputs[:, 0], np.log1p(before[:, 0]), rtol=1e-6
  )
  np.testing.assert_array_equal(after.inputs[:, 1:], before[:, 1:])
  assert after.notes['log1p_left_out_negative'] == ['sign']


def test_log1p_keeps_missing_values(make_source):
  source = make_source()
  source.inputs[3, 0] = np.nan
  after = tables.log1p(source).inputs[:, 0]
  assert np.isnan(after[3]) and np.isfinite(np.delete(after, 3)).all()


def test_log1p_refuses_images():
  images = types.Source('pictures', np.zeros((2, 4, 4, 1), np.uint8), None, ())
  with pytest.raises(errors.UserError, match='log1p.*"pictures".*images'):
    tables.log1p(images)


def test_row_ids_number_distinct_rows():
  rows = np.array([[1, 2], [3, 4], [1, 2], [5, 6], [3, 4]], np.float32)
  np.testing.assert_array_equal(tables.row_ids(rows), [0, 1, 0, 2, 1])
  np.testing.assert_array_equal(tables.row_ids(rows[::-1]), [0, 1, 2, 0, 2])
  assert tables.row_ids(rows[:3]).tolist() == [0, 1, 0]


def test_row_ids_agree_with_numpy():
  images = np.random.default_rng(0).integers(0, 2, (300, 2, 3, 1), np.uint8)
  distinct = np.unique(images.reshape(300, -1), axis=0, return_inverse=True)[1]
  ids = tables.row_ids(images)
  same = ids[:, None] == ids[None]
  np.testing.assert_array_equal(same, distinct[:, None] == distinct[None])
