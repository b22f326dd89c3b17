import numpy as np

from memae_jax.data.tables import columns


def test_encode_keeps_the_order_of_columns():
  inputs, encoded = columns.encode(
    {'age': np.array([1.0, 2.0]), 'flag': np.array([1, 0]), 'n': [3, 4]},
    {'flag': ('S0', 'SF')},
  )
  assert inputs.dtype == np.float64
  np.testing.assert_array_equal(inputs, [[1, 0, 1, 3], [2, 1, 0, 4]])
  assert columns.input_names(encoded) == ['age', 'flag=S0', 'flag=SF', 'n']
  np.testing.assert_array_equal(columns.is_one_hot(encoded), [0, 1, 1, 0])


def test_encode_of_float32_takes_no_more_room():
  column = np.ones(2, np.float32)
  inputs, _ = columns.encode(
    {'a': column, 'b': np.array([0, 1])}, {'b': ('x', 'y')}
  )
  assert inputs.dtype == np.float32


def test_row_ids_number_distinct_rows():
  rows = np.array([[1, 2], [3, 4], [1, 2], [5, 6], [3, 4]], np.float32)
  np.testing.assert_array_equal(columns.row_ids(rows), [0, 1, 0, 2, 1])
  np.testing.assert_array_equal(columns.row_ids(rows[::-1]), [0, 1, 2, 0, 2])
  assert columns.row_ids(rows[:3]).tolist() == [0, 1, 0]


def test_row_ids_agree_with_numpy():
  images = np.random.default_rng(0).integers(0, 2, (300, 2, 3, 1), np.uint8)
  distinct = np.unique(images.reshape(300, -1), axis=0, return_inverse=True)[1]
  ids = columns.row_ids(images)
  same = ids[:, None] == ids[None]
  np.testing.assert_array_equal(same, distinct[:, None] == distinct[None])


def test_inputs_are_made_when_they_are_read():
  days = np.array([0.25, 1.5, np.nan])
  values = {
    'age': np.array([1.0, np.nan, 3.0]),
    'city': np.array([1, -1, 0], np.int32),
    'when': days,
  }
  table = columns.Encoded(
    values, {'city': ('A', 'B')}, {'when': ('days', 'hour sin')}
  )
  whole = np.asarray(table)
  assert table.shape == whole.shape == (3, 5) and len(table) == 3
  assert table.dtype == whole.dtype == np.float64 and table.ndim == whole.ndim
  np.testing.assert_array_equal(whole[:, 0], values['age'])
  np.testing.assert_array_equal(whole[:, 1:3], [[0, 1], [0, 0], [1, 0]])
  np.testing.assert_array_equal(whole[:, 3], days)
  np.testing.assert_allclose(whole[:2, 4], [1, 0], atol=1e-9)
  for rows in (slice(1, 3), np.array([2, 0]), np.array([True, False, True])):
    np.testing.assert_array_equal(np.asarray(table[rows]), whole[rows])
    np.testing.assert_array_equal(table[rows, 2], whole[rows, 2])
  assert table[:] is table
  assert table[:, 0].base is values['age'] or table[:, 0] is values['age']
  assert columns.is_number(table.columns).tolist() == [True] + [False] * 4
  assert columns.input_names(table.columns)[3:] == [
    'when days',
    'when hour sin',
  ]
