"""Parquet files give what csv gives."""

import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from memae_jax.data import sources
from tests.data.tables import examples


@pytest.fixture
def load(load_outcomes):
  return load_outcomes


@pytest.mark.parametrize(
  ('table', 'said'),
  [
    (examples.TABLE, ''),
    (examples.TABLE.set_index('size').reset_index(), ''),
    (
      examples.TABLE.set_index(examples.INDEX.rename('moment')),
      '"moment" is an index of pandas',
    ),
    (
      examples.TABLE.set_index(examples.INDEX),
      '"__index_level_0__" is an index of pandas',
    ),
    (examples.TABLE.astype({'size': 'float64', 'kind': 'category'}), ''),
    (examples.TABLE.astype({'size': str}), 'size as numbers, stored as text'),
    (
      examples.TABLE.assign(size=examples.TABLE['size'].map('{:,.2f}'.format)),
      'thousands comma',
    ),
    (examples.TABLE.rename(columns={'kind': ' kind '}), ''),
  ],
)
@pytest.mark.parametrize('name', ['a.parquet', 'A.PARQUET', 'a.pq'])
def test_parquet(load_table, table, said, name):
  source = load_table(table.to_parquet, name)
  examples.same(source)
  assert any(said in line for line in source.remarks)


def test_parquet_of_whole_numbers_and_truth(load_table):
  big = np.arange(examples.ROWS) + 10**15
  flag = np.arange(examples.ROWS) % 3 == 0
  table = pd.DataFrame(
    {'big': big, 'flag': flag, 'kind': examples.TABLE['kind']}
  )
  source = load_table(table.to_parquet, 'a.parquet')
  assert any('read flag as 1 for true' in line for line in source.remarks)
  np.testing.assert_array_equal(source.inputs[:, 1], flag)
  centred = source.inputs[:, 0] / source.host.unit[0] + source.host.centre[0]
  np.testing.assert_allclose(
    centred - 10**15, np.arange(examples.ROWS), atol=1e-4
  )


def _parquet(**columns):
  return lambda path: parquet.write_table(pa.table(columns), path)


def test_parquet_is_the_same_as_csv(load):
  want = load(examples.OUTCOMES)
  got = load(
    _parquet(
      age=pa.array([31, 42, 53], pa.int8()),
      city=pa.array(['Paris', 'Rome', 'Paris']).dictionary_encode(),
      income=[10.5, 11.0, 1e3],
      outcome=['ok', 'bad', 'ok'],
    ),
    'my.parquet',
  )
  np.testing.assert_array_equal(got.inputs, want.inputs)
  assert sources.data_sha256(got) == sources.data_sha256(want)
  assert got.columns == want.columns


def test_parquet_missing_cells(load):
  make = _parquet(x=[1, None, 3], outcome=['ok', 'ok', 'ok'])
  source = load(make, 'my.parquet', categorical_columns=(), missing='median')
  assert np.isnan(source.inputs[:, 0]).tolist() == [False, True, False]


@pytest.mark.parametrize(
  ('columns', 'words'),
  [
    (
      {'x': ['a'], 'outcome': ['ok']},
      ['"x"', 'string', 'categorical_columns'],
    ),
    ({'x': [[1]], 'outcome': ['ok']}, ['"x"', 'list', 'drop_columns']),
    ({'x': [None], 'outcome': ['ok']}, ['"x"', 'null']),
    ({'x': [1, None], 'outcome': ['ok', 'ok']}, ['row 1', '"x"']),
    ({'x': [1], 'outcome': [None]}, ['"outcome"']),
    (
      {'x': pa.array([], pa.int8()), 'outcome': pa.array([], pa.string())},
      ['no rows'],
    ),
  ],
)
def test_bad_parquet(refused, columns, words):
  message = refused(_parquet(**columns), 'my.parquet', categorical_columns=())
  for word in words:
    assert word in message


@pytest.mark.parametrize('content', [b'', b'hello', b'PAR1' + bytes(40)])
def test_no_parquet(refused, content):
  assert 'parquet' in refused(content, 'my.parquet')


def test_parquet_without_pyarrow(refused, monkeypatch):
  monkeypatch.setitem(sys.modules, 'pyarrow', None)
  assert "'memae_jax[parquet]'" in refused(b'', 'my.parquet')
