"""CSV cells: text that a spreadsheet would compute stays text."""

import csv
import io

import numpy as np
import pytest

from memae_jax.runtime import spreadsheet


@pytest.mark.parametrize(
  'text',
  [
    '=1+1',
    '=cmd|"/C calc"!A0',
    '+SUM(A1:A9)',
    '-1+cmd',
    '-inf',
    '@SUM(A1)',
    '\t=1+1',
    '\r=1+1',
    '\n=1+1',
    '＝1+1',
    '-',
    '=',
    '-good-',
    '@eaDir/a.png',
    '+49 171 123',
  ],
)
def test_formulas_become_text(text):
  assert spreadsheet.cell(text) == f"'{text}"
  assert spreadsheet.cell(np.str_(text)) == f"'{text}"


@pytest.mark.parametrize(
  'value',
  [
    -0.5,
    -3,
    float('-inf'),
    np.float32(-2.5),
    None,
    True,
    '',
    '-0.5',
    '+3',
    '-0,31642',
    '-1e-5',
    '-1.5E+03',
    '-3%',
    '3,164',
    'good',
    'a=b',
    'a-b.png',
    "'=1",
    ' =1',
    'größe',
  ],
)
def test_numbers_and_names_stay(value):
  assert spreadsheet.cell(value) is value


def test_text_is_read_back():
  rows = [
    ('file', 'score', '=label'),
    ('=a,"b".png', -0.25, None),
    ('two\nlines', -3, '-0.5'),
  ]
  text = spreadsheet.text(rows)
  assert list(csv.reader(io.StringIO(text))) == [
    ['file', 'score', "'=label"],
    ['\'=a,"b".png', '-0.25', ''],
    ['two\nlines', '-3', '-0.5'],
  ]
  assert '\r\n' not in text and text.endswith('-3,-0.5\n')
