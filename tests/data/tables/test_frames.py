"""A data frame gives what the same rows in a file give."""

import numpy as np
import pandas as pd
import pytest

from memae_jax.data.tables import frames, table_files
from memae_jax.runtime import errors

META = {
  'kind': 'table',
  'columns': [
    {'name': 'price', 'categories': [], 'parts': []},
    {'name': 'new', 'categories': [], 'parts': []},
    {'name': 'kind', 'categories': ['1', 'b'], 'parts': []},
    {'name': 'day', 'categories': [], 'parts': ['days', 'weekday']},
  ],
  'number_formats': {'price': {'decimal': ',', 'affix': '€', 'thousands': '.'}},
  'date_formats': {'day': {'form': 'year'}},
  'missing': 'median',
  'unknown_category': 'zero',
}
LINES = """price;new;kind;day;more
1.234,5 €;True;1.0;2026-11-28;x
;False;c;2026-12-01 06:00;y
0,5;True;b;;z
"""


def _frame() -> pd.DataFrame:
  return pd.DataFrame(
    {
      'more': list('xyz'),
      'new': [True, False, True],
      'day': pd.to_datetime(['2026-11-28 00:00', '2026-12-01 06:00', None]),
      'price': [1234.5, None, 0.5],
      'kind': [1, 'c', 'b'],
    }
  )


def test_frames_are_read_as_files(tmp_path):
  (tmp_path / 'a.csv').write_text(LINES)
  want = table_files.unseen(tmp_path / 'a.csv', META)[1]
  assert want.shape[0] == 3 and np.isnan(want).any()
  frame = _frame()
  assert frames.is_raw(frame, META)
  np.testing.assert_array_equal(frames.encoded(frame, META), want)
  of_text = frame.assign(price=['1.234,5 €', None, '0,5'])
  np.testing.assert_array_equal(frames.encoded(of_text, META), want)
  polars = pytest.importorskip('polars')
  of_polars = polars.DataFrame(
    {
      'kind': ['1', 'c', 'b'],
      'new': frame['new'].tolist(),
      'price': [1234.5, None, 0.5],
      'day': [*frame['day'][:2].dt.to_pydatetime(), None],
    }
  )
  np.testing.assert_array_equal(frames.encoded(of_polars, META), want)


def test_encoded_columns_are_not_raw():
  frame = pd.DataFrame({'kind=1': [1.0], 'kind=b': [0.0], 'price': [2.0]})
  assert not frames.is_raw(frame, META)
  assert not frames.is_raw(np.zeros((2, 4)), META)


@pytest.mark.parametrize(
  'change, words',
  [
    ({'price': [1.5, '1,5 €', 2.0]}, 'column "price" holds text and numbers'),
    ({'new': ['yes', 'no', 'yes']}, 'column "new" holds text, "yes"'),
    ({'price': [(1,), 2.0, 3.0]}, 'holds a tuple that is no number'),
  ],
)
def test_cells_that_are_refused(change, words):
  with pytest.raises(errors.UserError, match=words):
    frames.encoded(_frame().assign(**change), META)
  with pytest.raises(errors.UserError, match='no column "price"'):
    frames.encoded(_frame().drop(columns='price'), META)
