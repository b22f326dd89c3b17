"""Dates as people write them, against pandas; their inputs."""

import numpy as np
import pandas as pd
import pytest

from memae_jax.data.tables import dates

TIMES = pd.to_datetime(
  ['2024-01-31 14:05:06', '1999-12-01 00:00:00', '2024-02-29 23:59:59']
)
DAYS = (TIMES - pd.Timestamp(0)) / pd.Timedelta('1D')


@pytest.mark.parametrize(
  ('form', 'pattern'),
  [
    ('year', '%Y-%m-%d %H:%M:%S'),
    ('year', '%Y-%m-%dT%H:%M:%S'),
    ('year', '%Y/%m/%d %H:%M:%S'),
    ('year', '%Y%m%dT%H:%M:%S'),
    ('day', '%d.%m.%Y %H:%M:%S'),
    ('day', '%d/%m/%Y %H:%M:%S'),
    ('month', '%m/%d/%Y %I:%M:%S %p'),
    ('name', '%d %b %Y %H:%M:%S'),
    ('name', '%B %d, %Y %H:%M:%S'),
    ('name', '%d-%b-%Y %H:%M:%S'),
  ],
)
def test_the_same_as_pandas(form, pattern):
  days, format = dates.read([None, *TIMES.strftime(pattern)])
  assert np.isnan(days[0])
  np.testing.assert_allclose(days[1:], DAYS, rtol=0, atol=1e-8)
  assert format == (form, False, True)
  again, _ = dates.read(list(TIMES.strftime(pattern)), expected=format)
  np.testing.assert_array_equal(again, days[1:])


@pytest.mark.parametrize(
  ('cells', 'form', 'want'),
  [
    (['2024-01-31'], ('year', False, False), '2024-01-31'),
    (['20240131'], ('year', False, False), '2024-01-31'),
    (['05/05/2024'], ('day', False, False), '2024-05-05'),
    (['3.4.2024'], ('day', False, False), '2024-04-03'),
    (['sept 3rd 2024'], ('name', False, False), '2024-09-03'),
    (['1706709906'], ('seconds', False, True), '2024-01-31 14:05:06'),
    (['1706709906000'], ('milliseconds', False, True), '2024-01-31 14:05:06'),
    (['2024-01-31 16:05+02:00'], ('year', True, True), '2024-01-31 14:05'),
    (['2024-01-31T08:35:00-0530'], ('year', True, True), '2024-01-31 14:05'),
    (['2024-01-31 14:05Z'], ('year', True, True), '2024-01-31 14:05'),
    (['12/31/2024 12:00 am'], ('month', False, True), '2024-12-31 00:00'),
  ],
)
def test_other_forms(cells, form, want):
  days, format = dates.read(cells)
  assert format == form
  expected = (pd.Timestamp(want) - pd.Timestamp(0)) / pd.Timedelta('1D')
  np.testing.assert_allclose(days, [expected], rtol=0, atol=1e-8)


def test_the_order_of_day_and_month():
  with pytest.raises(dates.Ambiguous) as caught:
    dates.read(['05/05/2024', '3/4/2024'])
  error = caught.value
  assert (error.cell, error.day, error.month) == (
    '3/4/2024', '2024-04-03', '2024-03-04',
  )  # fmt: skip
  for order, want in (('day', '2024-04-03'), ('month', '2024-03-04')):
    days, format = dates.read(['3/4/2024'], order)
    assert format.form == order
    np.testing.assert_array_equal(days, dates.read([want])[0])
  # One cell settles the others.
  assert dates.read(['3/4/2024', '13/4/2024'])[1].form == 'day'


@pytest.mark.parametrize(
  ('cells', 'bad', 'why'),
  [
    (['2024-01-31', 'soon'], 'soon', 'before it have the year first'),
    (['2024-01-31', '31.1.2024'], '31.1.2024', 'the year first'),
    (['2024-02-30'], '2024-02-30', 'no such day'),
    (['2024-01-31 24:10'], '2024-01-31 24:10', 'no such day or time'),
    (['31/1/24'], '31/1/24', 'such as 2024-01-31 14:05'),
    (['14:05'], '14:05', 'such as'),
    (['1.5'], '1.5', 'such as'),
    (['2024-01-31Z'], '2024-01-31Z', 'no such day or time'),
    (['2024-01-31 1:00Z', '2024-01-31 1:00'], '2024-01-31 1:00', 'a time zone'),
    (['2024-01-31 1:00', '2024-01-31 1:00Z'], '2024-01-31 1:00Z', 'no time'),
    (['3 Foo 2024'], '3 Foo 2024', 'no such day'),
  ],
)
def test_what_is_no_date(cells, bad, why):
  with pytest.raises(dates.Unreadable) as caught:
    dates.read(cells)
  assert caught.value.cell == bad and why in caught.value.why


def test_new_files_have_the_form_of_the_training():
  format = dates.Format('day', False, False)
  assert dates.read(['3/4/2024'], expected=format)[1] == format
  with pytest.raises(dates.Unreadable, match='4/13/2024'):
    dates.read(['4/13/2024'], expected=format)
  with pytest.raises(dates.Unreadable, match='no time zone'):
    dates.read(['3/4/2024 1:00Z'], expected=format)


def test_inputs_are_days_and_turns():
  times = pd.date_range('2023-12-31 21:00', periods=40, freq='7h30min')
  days = np.array((times - pd.Timestamp(0)) / pd.Timedelta('1D'))
  names = dates.names(dates.PARTS, True)
  assert names == (
    'days', 'hour sin', 'hour cos', 'weekday sin', 'weekday cos',
    'season sin', 'season cos',
  )  # fmt: skip
  x = dates.inputs(days, names)
  np.testing.assert_array_equal(x[:, 0], days)
  turn = np.arctan2(x[:, 1::2], x[:, 2::2]) / (2 * np.pi) % 1
  hours = times.hour + times.minute / 60
  np.testing.assert_allclose(turn[:, 0] * 24 % 24, hours, atol=1e-6)
  np.testing.assert_allclose(turn[:, 1] * 7, times.day_of_week, atol=1e-9)
  day_of_year = (turn[:, 2] * 365.2425 - times.day_of_year) % 365
  assert np.all(np.minimum(day_of_year, 365 - day_of_year) < 2)
  # No time of day: no hour. A missing date is missing in all inputs.
  assert dates.names(('days', 'hour'), False) == ('days',)
  assert np.isnan(dates.inputs(np.array([np.nan]), names)).all()


@pytest.mark.parametrize(
  ('parts', 'want'),
  [
    (('days', 'hour'), '2024-01-31 14:05'),
    (('days',), '2024-01-31'),
    (('hour', 'weekday'), 'Wed 14:05'),
    (('season',), 'day 31 of the year'),
  ],
)
def test_written_as_float32_tells_them(parts, want):
  days, _ = dates.read(['2024-01-31 14:05:06'])
  names = dates.names(parts, True)
  values = np.float32(dates.inputs(days, names)[0])
  assert dates.written(values, names) == want
