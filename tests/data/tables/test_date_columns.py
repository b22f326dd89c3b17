"""Columns of dates in files: what they become, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from memae_jax.data.tables import dates, table_files
from memae_jax.runtime import errors

TEXT = """when,x,kind
2024-01-31 14:05,1.5,ok
2024-02-03 00:00,2.5,NG
2024-02-01 06:00,3.5,ok
"""
FIELDS = {'date_columns': ('when',)}
NAMES = ['when days', 'when hour sin', 'when hour cos', 'when weekday sin',
         'when weekday cos', 'x']  # fmt: skip


def _names(source):
  return [name for column in source.columns for name in column.inputs]


def test_a_date_becomes_days_hour_and_weekday(load):
  source = load(TEXT, raw=True, **FIELDS)
  assert _names(source) == NAMES
  x = np.asarray(source.inputs)
  assert x.shape == (3, 6)
  hours = x[:, 0] % 1 * 24
  np.testing.assert_allclose(hours, [14 + 5 / 60, 0, 6], atol=1e-6)
  # 31 January 2024 was a Wednesday.
  days = np.arctan2(x[:, 3], x[:, 4]) / (2 * np.pi) % 1 * 7
  np.testing.assert_allclose(days, [2, 5, 3], atol=1e-9)
  assert source.remarks[0] == (
    'read when as dates with the year first: days, hour sin, hour cos, weekday'
    ' sin, weekday cos'
  )
  loaded = load(TEXT, **FIELDS, log1p=True)
  # Logarithms are of numbers alone; small differences of days are kept.
  assert loaded.host.log1p.tolist() == [False] * 5 + [True]
  assert loaded.notes['log1p_left_out_negative'] == []
  gaps = np.diff(loaded.inputs[:, 0]) / loaded.host.unit[0]
  np.testing.assert_allclose(gaps, np.diff(x[:, 0]), atol=1e-6)


def test_parts_are_chosen(load, refused):
  source = load(TEXT, **FIELDS, date_parts=('season', 'days'))
  assert _names(source)[:3] == ['when season sin', 'when season cos',
                                'when days']  # fmt: skip
  text = TEXT.replace(' 14:05', '').replace(' 00:00', '').replace(' 06:00', '')
  assert _names(load(text, **FIELDS)) == [n for n in NAMES if 'hour' not in n]
  message = refused(text, **FIELDS, date_parts=('hour',))
  assert 'no time of day' in message and 'data.date_parts' in message


def test_parquet_has_the_same(load):
  frame = pd.read_csv(pd.io.common.StringIO(TEXT))
  frame['when'] = pd.to_datetime(frame['when'])
  source = load(frame.to_parquet, 'my.parquet', **FIELDS)
  csv = load(TEXT, **FIELDS)
  np.testing.assert_array_equal(source.inputs, csv.inputs)
  zoned = frame.assign(when=frame['when'].dt.tz_localize('Asia/Tokyo'))
  source = load(zoned.to_parquet, 'zoned.parquet', raw=True, **FIELDS)
  plain = np.asarray(load(TEXT, raw=True, **FIELDS).inputs)
  np.testing.assert_allclose(
    np.asarray(source.inputs)[:, 0], plain[:, 0] - 9 / 24, atol=1e-9
  )


def test_missing_dates(load, refused):
  text = TEXT.replace('2024-02-01 06:00', 'NaT')
  message = refused(text, **FIELDS)
  assert 'line 4' in message and '"when" has no value' in message
  x = np.asarray(load(text, raw=True, **FIELDS, missing='median').inputs)
  assert np.isnan(x[2, :5]).all() and np.isfinite(x[:2]).all()


def test_two_files_have_one_form(load, refused):
  day = 'when,x,kind\n3/4/2024,1,ok\n4/4/2024,2,ok\n5/4/2024,2,ok\n'
  test = 'when,x,kind\n13/4/2024,1,ok\n14/4/2024,3,NG\n'
  source = load(day, test=test, **FIELDS)
  assert source.notes['date_formats'] == {'when': dates.Format('day')._asdict()}
  message = refused(day, **FIELDS)
  assert 'line 2: column "when" can be read in two ways' in message
  assert '2024-04-03 with the day first' in message
  assert 'data.date_order' in message
  ordered = load(day, **FIELDS, date_order='m')
  assert ordered.notes['date_formats']['when']['form'] == 'month'


@pytest.mark.parametrize(
  ('fields', 'found'),
  [
    ({**FIELDS, 'categorical_columns': ('when',)}, 'a column is of one kind'),
    ({'date_columns': ('kind',)}, 'has the label column'),
    ({**FIELDS, 'drop_columns': ('when',)}, 'drops "when"'),
    ({**FIELDS, 'key_column': 'when'}, 'another field uses'),
    ({'date_columns': ('wen',)}, 'did you mean "when"'),
    (
      {'date_columns': ('when', 'x')},
      'line 2: column "x" of dates holds "1.5"',
    ),
    ({}, 'data.date_columns (a date)'),
  ],
)
def test_fields_that_do_not_fit(refused, fields, found):
  assert found in refused(TEXT, **fields)


def test_a_cell_that_is_no_date(refused):
  message = refused(TEXT.replace('2024-02-01', '2024-02-30'), **FIELDS)
  assert 'line 4' in message and '"2024-02-30 06:00"' in message
  assert 'no such day' in message


def test_arrays_have_no_names(tmp_path, refused):
  def write(path):
    np.savez(path, inputs=np.zeros((4, 2)), kind=['ok', 'NG', 'ok', 'ok'])

  assert 'data.date_columns' in refused(write, 'my.npz', **FIELDS)


def test_a_scorer_reads_new_dates_as_the_training_did(tmp_path, load):
  text = 'when,x,kind\n31/1/2024 14:05,1,ok\n3/2/2024 0:00,2,NG\n'
  source = load(text, raw=True, **FIELDS)
  meta = {
    'columns': [column._asdict() for column in source.columns],
    'date_formats': source.notes['date_formats'],
    'missing': 'error',
    'unknown_category': 'error',
  }
  path = tmp_path / 'new.csv'
  # By itself it could begin with the month.
  path.write_text('x,when\n2,3/2/2024 0:00\n')
  _, x = table_files.unseen(path, meta)
  np.testing.assert_array_equal(x, np.asarray(source.inputs)[1:])
  path.write_text('x,when\n1,2024-02-03 0:00\n')
  with pytest.raises(errors.UserError, match='line 2: column "when" of dates'):
    table_files.unseen(path, meta)
