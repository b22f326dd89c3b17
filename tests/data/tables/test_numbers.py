"""Columns as people write them, beside pandas where pandas reads them."""

import io

import numpy as np
import pandas as pd
import pytest

from memae_jax.data.tables import numbers

# Cells of one column, how pandas is told to read it, and what is said.
PANDAS = [
  (['1', '2', '30'], {}, ''),
  (['0.5', '-1.25', '+3'], {}, ''),
  (['1e3', '2.5E-7', '-1E+05'], {}, ''),
  (['.5', '5.', '-.25'], {}, ''),
  (['007', '010', '1'], {}, ''),
  (['1.234', '5.678', '0.5'], {}, ''),
  (['123456789012345', '9007199254740993', '1'], {}, ''),
  (['0.1', '0.30000000000000004', '1e-320'], {}, ''),
  (['0,5', '-1,25', '3'], {'decimal': ','}, 'decimal comma'),
  (['1,5e3', '2,0E-2', '7'], {'decimal': ','}, 'decimal comma'),
  (['-0,31642', '0,125', '12,5'], {'decimal': ','}, 'decimal comma'),
  ([',5', '5,', '1,25'], {'decimal': ','}, 'decimal comma'),
  (
    ['1.234,5', '12.345.678,25', '9'],
    {'decimal': ',', 'thousands': '.'},
    'decimal comma and thousands point',
  ),
  (['1,234.5', '12', '3,164.25'], {'thousands': ','}, 'thousands comma'),
  (['12,345,678', '3,164', '9'], {'thousands': ','}, 'thousands comma'),
  (['-1,234.5', '1,000,000.0', '+2'], {'thousands': ','}, 'thousands comma'),
  (['1.234.567', '1.234', '5'], {'thousands': '.'}, 'thousands point'),
  (["1'234", "12'345'678.5", '9'], {'thousands': "'"}, 'apostrophe'),
  (['1 234', '12 345 678', '9'], {'thousands': ' '}, 'thousands blank'),
  (
    ['1 234,5', '12,25', '9'],
    {'decimal': ',', 'thousands': ' '},
    'decimal comma and thousands blank',
  ),
  (
    ['1\u00a0234,5', '12\u00a0345\u00a0678', '9,1'],
    {'decimal': ',', 'thousands': ' '},
    'decimal comma and thousands blank',
  ),
  (['1\u202f234', '5', '9'], {'thousands': ' '}, 'thousands blank'),
  (['1_000', '2_000_000', '5'], {'thousands': '_'}, 'underscore'),
  (['12,34,567', '1,00,000', '5'], {'thousands': ','}, 'thousands comma'),
]

# What pandas leaves as text, with the numbers that are meant.
WRITTEN_OUT = [
  (['12%', '5 %', '0%'], [0.12, 0.05, 0], 'percent, 12% as 0.12'),
  (['12,5%', '100,0 %', '0'], [0.125, 1, 0], 'decimal comma and percent'),
  (['$1,234.50', '$5', '-$3'], [1234.5, 5, -3], '"$" left out'),
  (['€ 1.234,50', '€ 5', '€ 7,1'], [1234.5, 5, 7.1], '"€" left out'),
  (['5,00 €', '1.234,00 €', '7'], [5, 1234, 7], '"€" left out'),
  (['USD 5', '1,234.5 USD', '7 USD'], [5, 1234.5, 7], '"USD" left out'),
  (['R$ 1.234,50', 'R$ 2,00'], [1234.5, 2], '"R$" left out'),
  (['CHF 1’234.50', 'CHF 5.00'], [1234.5, 5], '"CHF" left out'),
  (['₹12,34,567', '₹5'], [1234567, 5], '"₹" left out'),
  (['$1,234.', '$5,000'], [1234, 5000], '"$" left out'),
  (['12 kg', '13.5 kg', '7'], [12, 13.5, 7], '"kg" left out'),
  (['20°C', '-3.5°C', '21 °C'], [20, -3.5, 21], '"°C" left out'),
  (['3 m/s', '4.5 m/s'], [3, 4.5], '"m/s" left out'),
  (['(1,234.50)', '12.00', '(3)'], [-1234.5, 12, -3], 'thousands comma'),
  (['$(1,234.50)', '$12.00'], [-1234.5, 12], '"$" left out'),
  (['5-', '1,234.5-', '7'], [-5, -1234.5, 7], 'thousands comma'),
  (['\u22125', '\u22121.5', '2'], [-5, -1.5, 2], ''),
  (['\u20135', '- 7', '2'], [-5, -7, 2], ''),
  (['True', 'FALSE', 'true'], [1, 0, 1], '1 for true'),
  (['yes', 'No', 'YES'], [1, 0, 1], '1 for true'),
  (['Y', 'N', 'Y'], [1, 0, 1], '1 for true'),
  (['True', '0', '1'], [1, 0, 1], '1 for true'),
  (['="12"', '="1.5"'], [12, 1.5], ''),
  (["'12'", "'1.5'", "'7"], [12, 1.5, 7], ''),
  (['\u200e12', '1.5\ufeff'], [12, 1.5], ''),
  (['-1.234,5 €', '(2,00 €)'], [-1234.5, -2], '"€" left out'),
]


def _one(cells, **marks):
  way = numbers.ways(cells, **marks)
  return {'.': way.point, '': way.point, ',': way.comma}[way.decimal]


@pytest.mark.parametrize(('cells', 'told', 'said'), PANDAS)
def test_as_pandas_is_told(cells, told, said):
  text = 'x\n' + ''.join(f'"{cell}"\n' for cell in cells)
  for blank in '\u00a0\u202f':  # pandas takes marks of one byte.
    text = text.replace(blank, ' ')
  table = pd.read_csv(io.StringIO(text), **told)
  reading = _one(cells)
  assert reading.values.dtype == np.float64
  np.testing.assert_array_equal(reading.values, table['x'].to_numpy(float))
  assert said in reading.describe() and bool(said) == bool(reading.describe())


@pytest.mark.parametrize(('cells', 'values', 'said'), WRITTEN_OUT)
def test_as_people_mean(cells, values, said):
  reading = _one(cells)
  np.testing.assert_array_equal(reading.values, values)
  assert said in reading.describe() and bool(said) == bool(reading.describe())


@pytest.mark.parametrize(
  'cells',
  [
    ['a', '1'],
    ['1.2.3'],
    ['01.02.2024'],
    ['2024-01-05'],
    ['12:30'],
    ['10-20'],
    ['1/2'],
    ['A12', 'A13'],
    ['1,2,3'],
    ['1 23'],
    ['--5'],
    ['-(5)'],
    ['0x1F'],
    ['1_2'],
    ['5 kg', '5 g'],
    ['$5', '€5'],
    ['12%', '0.5'],
    ['1,234.5', '1.234,5'],
    ['0,5', '0.5'],
    ['True', '2'],
    ['yes', 'maybe'],
    ['12A', '15B'],
  ],
)
def test_what_is_no_number(cells):
  assert numbers.ways(cells).decimal is None


@pytest.mark.parametrize(
  ('cells', 'point', 'comma'),
  [
    (['1,234', '5,678'], [1234, 5678], [1.234, 5.678]),
    (['3,164', '950'], [3164, 950], [3.164, 950]),
    (['1.234', '5.678'], [1.234, 5.678], [1234, 5678]),
    (['1,234', '1.234'], [1234, 1.234], [1.234, 1234]),
    (['-3,164 €'], [-3164], [-3.164]),
  ],
)
def test_what_reads_two_ways(cells, point, comma):
  way = numbers.ways(cells)
  assert way.decimal == '?'
  np.testing.assert_array_equal(way.point.values, point)
  np.testing.assert_array_equal(way.comma.values, comma)
  got = numbers.ways(cells, '.')
  assert got.comma is None
  np.testing.assert_array_equal(got.point.values, point)
  np.testing.assert_array_equal(numbers.ways(cells, ',').comma.values, comma)


def test_a_thousands_mark_is_no_decimal_mark():
  way = numbers.ways(['1,234', '5'], thousands=',')
  assert way.comma is None and way.point.values.tolist() == [1234, 5]
  way = numbers.ways(['1.234', '5'], thousands='.')
  assert way.point is None and way.comma.values.tolist() == [1234, 5]
  assert numbers.ways(['1 234.5'], thousands=',').decimal is None


@pytest.mark.parametrize(
  ('known', 'cell', 'value'),
  [
    ({'decimal': ',', 'thousands': '.'}, '1.234', 1234),
    ({'decimal': ','}, '1.234', None),
    ({'decimal': ','}, '1.234,5', 1234.5),
    ({'decimal': ','}, '1,234', 1.234),
    ({'decimal': '.', 'thousands': ','}, '1,234', 1234),
    ({'decimal': '.'}, '1,234', None),
    ({'decimal': '.'}, '1,234.5', 1234.5),
    ({'decimal': '.'}, '1 234', 1234),
    ({'decimal': ','}, '0.5', None),
    ({'percent': True}, '12%', 0.12),
    ({'percent': True}, '0', 0),
    ({'percent': True}, '12', None),
    ({}, '12%', None),
    ({'affix': 'kg'}, '12 kg', 12),
    ({'affix': 'kg'}, '12', 12),
    ({'affix': 'kg'}, '12 g', None),
    ({}, '12 kg', None),
    ({'words': True}, 'no', 0),
    ({'words': True}, '1', 1),
    ({'words': True}, '7', None),
    ({}, 'yes', None),
  ],
)
def test_a_known_format_decides(known, cell, value):
  known = numbers.Format(**known)
  if value is None:
    with pytest.raises(numbers.Unreadable):
      numbers.read([cell], known.decimal, expected=known)
  else:
    reading = numbers.read([cell], known.decimal, expected=known)
    assert reading.values.tolist() == [value] and reading.format == known


@pytest.mark.parametrize(
  'cell',
  ['', 'NA', 'n/a', 'N.A.', '#N/A', '#DIV/0!', '?', '-', '--', '–', '.', '..',
   'NaN', '-nan', 'null', 'NULL', 'None', 'nil', '<NA>', 'NaT', 'missing',
   'Unknown', '*'],
)  # fmt: skip
def test_marks_of_missing_values(cell):
  assert numbers.is_missing(cell)
  assert not numbers.is_missing(cell + '0')


def test_missing_marks_of_pandas():
  text = '\n'.join(
    ['x', 'NA', '#N/A', '#N/A N/A', '#NA', '-1.#IND', '-1.#QNAN', '-NaN',
     '-nan', '1.#IND', '1.#QNAN', '<NA>', 'N/A', 'NULL', 'NaN', 'None', 'n/a',
     'nan', 'null']
  )  # fmt: skip
  assert pd.read_csv(io.StringIO(text))['x'].isna().all()
  assert all(map(numbers.is_missing, text.splitlines()[1:]))


def test_None_is_no_value():
  reading = _one(['1,5', None, '2,25'])
  np.testing.assert_array_equal(reading.values, [1.5, np.nan, 2.25])
