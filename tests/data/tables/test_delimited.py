"""Text files of cells, packed or not."""

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.data import sources
from tests.data.tables import examples


@pytest.fixture
def load(load_outcomes):
  return load_outcomes


@pytest.mark.parametrize('mark', ['\ufeff', ''])
@pytest.mark.parametrize('end', ['\n', '\r\n'])
def test_csv_of_other_systems(load, mark, end):
  text = (mark + examples.OUTCOMES.replace('\n', end)).encode()
  assert load(text).inputs.shape == (3, 4)


def test_csv_gz(load):
  source = load(gzip.compress(examples.OUTCOMES.encode()), 'my.csv.gz')
  assert source.inputs.shape == (3, 4)


def test_csv_in_several_blocks(load, monkeypatch):
  monkeypatch.setattr('memae_jax.data.tables.delimited.BLOCK', 2)
  np.testing.assert_array_equal(
    load(examples.OUTCOMES).inputs[:, 0], [31, 42, 53]
  )


def test_quoted_cells_and_blank_lines(load):
  text = 'age,city,outcome\n31,"New\nYork, NY",ok\n\n42,"a ""b""",ok\n'
  assert load(text).columns[1].categories == ('New\nYork, NY', 'a "b"')


@settings(deadline=None, max_examples=40)
@given(
  st.lists(
    st.tuples(
      st.floats(allow_nan=False, allow_infinity=False, width=32),
      st.text(
        st.characters(codec='utf-8', exclude_characters='\x00'),
        min_size=1,
      ).filter(lambda s: s.strip()),
    ),
    min_size=1,
  )
)
def test_any_csv_comes_back(tmp_path_factory, data_config, rows):
  import csv

  path = tmp_path_factory.mktemp('csv') / 'any.csv'
  with path.open('w', newline='', encoding='utf-8') as file:
    csv.writer(file).writerows([('x', 'c'), *rows])
  config = data_config(
    name='arrays',
    path=str(path),
    protocol='random_rows',
    categorical_columns=('c',),
    missing='median',
  )
  source = sources.load(config)
  want, host = np.array([x for x, _ in rows]), source.host
  got = source.inputs[:, 0] / host.unit[0] + host.centre[0]
  # Rounding to float32 of a column without its offset.
  np.testing.assert_allclose(got, want, rtol=1e-7, atol=1e-7 * want.std())
  assert source.inputs[:, 1:].sum() == len(rows)


@pytest.mark.parametrize('cut', [5, 40, -4])
def test_truncated_gz(refused, cut):
  packed = gzip.compress(examples.OUTCOMES.encode())
  message = refused(packed[:cut], 'my.csv.gz')
  assert 'my.csv.gz' in message and 'gzip' in message


def test_gz_that_is_none(refused):
  assert 'gzip' in refused(examples.OUTCOMES, 'my.csv.gz')


def test_damaged_gz(refused):
  packed = bytearray(gzip.compress(examples.OUTCOMES.encode()))
  packed[15] ^= 0xFF
  assert 'gzip' in refused(bytes(packed), 'my.csv.gz')
