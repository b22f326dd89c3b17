"""Table and sentence on what alarms catch."""

import pytest

from memae_jax.evaluation.report import money_table


def _caught(n, recall=0.5, amount=1234.5, share=0.25):
  return {
    'alarms_per_day': n,
    'precision': None if n == 0 else 0.125,
    'recall': recall,
    'amount': amount,
    'amount_share': share,
  }


@pytest.fixture
def results():
  numbers = [1.0, 10.0, 30.0, 100.0, 1000.0]
  curve = [_caught(n) for n in numbers]
  return {
    'headline': 'memae',
    'methods': {'memae': {}, 'ae': {}},
    'baselines': {'random': {}},
    'config': {'eval': {'alarms_per_day': 100}},
    'money': {
      'test': {'days': 1.0, 'payments': 9, 'frauds': 3, 'amount': 4938.0},
      'alarms_per_day': numbers,
      'quantiles': [0.99, 0.999, 0.9999],
      'methods': {
        'memae': {'curve': curve, 'quantiles': [_caught(0), *curve[3:]]},
        'random': {'curve': curve, 'quantiles': [None] * 3},
      },
      'references': {name: curve for name in money_table.REFERENCES},
    },
  }


def test_each_number_of_alarms_has_a_column(results):
  table = money_table.table(results)
  assert table['heads'] == [
    '10 alarms per day',
    '100 alarms per day',
    '1,000 alarms per day',
    'above 99% of normals',
    'above 99.9% of normals',
    'above 99.99% of normals',
  ]
  rows = {name: (kind, cells) for kind, name, cells in table['rows']}
  assert list(rows)[:3] == [
    'MemAE',
    'Random scores',
    'Frauds first, the largest of them first (a bound)',
  ]
  kind, cells = rows['MemAE']
  assert kind == 'methods' and len(cells) == 6
  assert cells[0] == ('1,234 (25%)', 'recall 50.0%', 'precision 12.5%')
  assert cells[3][2:] == ('precision —', '0 alarms per day')
  assert rows['Random scores'][1][5] == ('—', 'no held-out normals')
  assert all(len(cells) == 6 for _, cells in rows.values())


def test_the_sentence_of_the_headline(results):
  (line,) = money_table.sentences(results)
  assert line == (
    'With 100 alarms per day it catches 50.0% of the frauds and 25.0% of their'
    ' amount (1,234 of 4,938); as many of the largest payments hold 25.0%.'
  )
  results['config']['eval']['alarms_per_day'] = 1
  assert money_table.sentences(results)[0].startswith('With 1 alarm per day')
  for caught in results['money']['methods']['memae']['curve']:
    caught['amount_share'] = None
  assert money_table.sentences(results) == []


def test_without_payments_there_is_no_table():
  assert money_table.table({'money': None}) is None
  assert money_table.table({}) is None  # Of an earlier version.
  assert money_table.sentences({'headline': 'memae'}) == []
