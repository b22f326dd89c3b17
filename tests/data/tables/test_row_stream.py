"""Rows of a stream are read by the formats of the training table."""

import numpy as np
import pytest

from memae_jax.data.tables import row_stream, table_files
from memae_jax.runtime import errors

_META = {
  'kind': 'table',
  'columns': [
    {'name': 'price', 'categories': [], 'parts': []},
    {'name': 'share', 'categories': [], 'parts': []},
    {'name': 'kind', 'categories': ['1', 'b'], 'parts': []},
  ],
  'number_formats': {
    'price': {'decimal': ',', 'affix': '€', 'thousands': '.'},
    'share': {'percent': True},
  },
  'key_column': 'part',
  'missing': 'median',
  'unknown_category': 'zero',
  'separator': 'semicolon',
  'missing_marks': ['?'],
}
_LINES = [
  'price;share;kind;part;more',
  '1.234,5 €;12%;1.0;P-1;x',
  '?;0%;c;P-2;y',
  '0,5;100%;b;;z',
]


def _rows():
  names, *cells = [line.split(';') for line in _LINES]
  return [dict(zip(names, row)) for row in cells]


def test_text_is_read_as_that_of_a_file(tmp_path):
  (tmp_path / 'a.csv').write_text('\n'.join(_LINES) + '\n')
  places, want = table_files.unseen(tmp_path / 'a.csv', _META)
  rows = row_stream.Rows(_META, lambda x: x)
  found = [rows.read(row) for row in _rows()]
  np.testing.assert_array_equal(np.stack([x for x, _ in found]), want)
  assert [name for _, name in found] == places['part']


def test_numbers_are_values_whatever_the_format_of_text():
  rows = row_stream.Rows(_META, lambda x: x)
  x, key = rows.read({'price': 1.5, 'share': True, 'kind': 1, 'part': None})
  np.testing.assert_array_equal(x, [1.5, 1, 1, 0])
  assert key == ''
  pandas = pytest.importorskip('pandas')
  row = pandas.Series({'kind': 1, 'share': True, 'more': 'x', 'price': 1.5})
  np.testing.assert_array_equal(rows.read(row)[0], x)
  x, key = rows.read({'price': None, 'share': 0.5, 'kind': 'b'})
  np.testing.assert_array_equal(x, [np.nan, 0.5, 0, 1])
  with pytest.raises(errors.UserError, match='row 0: column "price" holds te'):
    rows.read({'price': '1,5 $', 'share': 1, 'kind': 'b'})
  with pytest.raises(errors.UserError, match='no column "share"'):
    rows.read({'price': 1, 'shares': 1, 'kind': 'b'})
