"""How numbers are written, as all columns together say it."""

import numpy as np
import pytest

from tests.data.tables import examples


def test_what_reads_two_ways(load, refused):
  message = refused(examples.AMBIGUOUS)
  for words in (
    'line 2',
    '"x" can be read in two ways',
    '"1,234" is 1234 with a thousands comma',
    '1.234 with a decimal comma',
    'data.decimal',
  ):
    assert words in message
  comma, point = np.c_[[1.234, 5.678, 3.164]], np.c_[[1234, 5678, 3164]]
  for fields, numbers in (
    ({'decimal': 'comma'}, comma),
    ({'decimal': ','}, comma),
    ({'decimal': 'point'}, point),
    ({'decimal': '.'}, point),
    ({'thousands': 'comma'}, point),
    ({'thousands': ','}, point),
  ):
    source = load(examples.AMBIGUOUS, raw=True, **fields)
    np.testing.assert_array_equal(source.inputs, numbers)


@pytest.mark.parametrize(
  ('other', 'mark', 'value'),
  [
    ('0.5', ',', 1234),
    ('"0,5"', ',', 1.234),
    ('"1,234.5"', ',', 1234),
    ('12.25', ',', 1234),
    ('-3', ',', None),
    ('"0,5"', '.', 1234),
    ('0.5', '.', 1.234),
    ('-3', '.', 1.234),
  ],
)
def test_other_columns_settle_the_mark(load, refused, other, mark, value):
  content = f'x,y,kind\n"1{mark}234",{other},ok\n"5{mark}678",{other},NG\n'
  if value is None:
    assert 'two ways' in refused(content)
  else:
    assert load(content, raw=True).inputs[0, 0] == value


def test_a_semicolon_speaks_for_the_decimal_comma(load, refused):
  source = load('x;kind\n1,234;ok\n5,678;NG\n', raw=True)
  assert source.inputs[:, 0].tolist() == [1.234, 5.678]
  assert 'two ways' in refused('x;kind\n1.234;ok\n5.678;NG\n')
  source = load('x;kind\n0.234;ok\n5.678;NG\n', raw=True)
  assert source.inputs[:, 0].tolist() == [0.234, 5.678]


def test_missing_marks_are_said(load, refused):
  content = 'x,y,kind\n1,2,ok\n?,4,ok\nn/a,-999,NG\n5,#N/A,ok\n,3,ok\n'
  source = load(content, missing='median', missing_marks=('-999',))
  assert np.isnan(source.inputs[:, 0]).tolist() == [0, 1, 1, 0, 1]
  assert np.isnan(source.inputs[:, 1]).tolist() == [0, 0, 1, 1, 0]
  remarks = ' '.join(source.remarks)
  for words in ('"?" as a missing value: 1 in x', '"n/a"', '1 in y', '"-999"'):
    assert words in remarks
  assert 'line 3: column "x" has no value' in refused(content)


def test_some_text_among_numbers(refused):
  cells = [f'{i}.5' for i in range(20)]
  cells[7] = 'broken'
  content = 'x,kind\n' + ''.join(f'{cell},ok\n' for cell in cells)
  message = refused(content)
  assert 'line 9' in message and '"broken"' in message
  assert '19 of its 20 cells' in message and 'missing_marks' in message
  assert 'categorical' not in message
  message = refused(content.replace('broken', '"3,5"'))
  assert '"3,5"' in message and 'decimal point' in message
  message = refused(content.replace('broken', '12%'))
  assert '"12%"' in message
