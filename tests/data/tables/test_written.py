"""Values as they stood in the file, from inputs after the host stage."""

import pytest

from memae_jax.data.tables import written

TEXT = """when,x,meter,city,kind
2024-01-31 14:05,1.5,1700000000.5,Oslo,ok
2024-02-03 00:00,,1700000001.5,Rome,ok
2024-02-01 06:00,0.0001,1700000003.5,Oslo,NG
"""
FIELDS = {
  'date_columns': ('when',),
  'categorical_columns': ('city',),
  'missing': 'median',
}


@pytest.mark.parametrize('log1p', [False, True])
def test_values_come_back(load, log1p):
  source = load(TEXT, **FIELDS, log1p=log1p)
  rows = [
    [written.value(source, row, column) for column in range(4)]
    for row in range(3)
  ]
  assert rows == [
    ['2024-01-31 14:05', '1.5', '1700000000.5', 'Oslo'],
    ['2024-02-03 00:00', written.MISSING, '1700000001.5', 'Rome'],
    ['2024-02-01 06:00', '0.0001', '1700000003.5', 'Oslo'],
  ]


def test_a_category_that_no_column_has(load):
  source = load(TEXT, **FIELDS)
  source.inputs[0, -2:] = 0
  assert written.value(source, 0, 3) == 'another'
