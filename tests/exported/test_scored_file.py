"""Scores of a file, and what columns add to them, as csv."""

import csv
import io

import numpy as np
import pytest

from memae_jax.exported import scored_file
from memae_jax.runtime import errors


class _Scorer:
  """Stands in for a scorer of two columns; the score is their mean."""

  columns = ['age', 'city']

  def __init__(self, why=''):
    self.meta = {
      'threshold': 2.5,
      'normal_scores': [1.0, 1.5, 2.0, 2.5],
      'score': {'no_columns': why},
      'input': {
        'columns': [{'name': n, 'categories': []} for n in self.columns]
      },
    }

  def read_places(self, path):
    return {'row': [0, 1]}, np.float32([[4, 2], [1, 3]])

  def score(self, samples):
    return samples.mean(axis=1)

  def explain(self, samples):
    return {'score': self.score(samples), 'errors': samples}


def _rows(text):
  return list(csv.reader(io.StringIO(text)))


def test_scores_alone():
  found = scored_file.score(_Scorer('no'), 'a.csv')
  assert found[1:] == (1, 2, '', 0)
  assert _rows(found.text) == [
    ['row', 'score', 'flagged'], ['0', '3.0', '1'], ['1', '2.0', '0'],
  ]  # fmt: skip


def test_columns_beside_them():
  found = scored_file.score(_Scorer(), 'a.csv', columns=1, each=True)
  assert _rows(found.text) == [
    ['row', 'score', 'flagged', 'column_1', 'share_1'],
    ['0', '3.0', '1', 'age', '0.6667'],
    ['1', '2.0', '0', 'city', '0.75'],
  ]
  assert _rows(found.columns) == [
    ['row', 'score', 'age', 'city'],
    ['0', '3.0', '2.0', '1.0'],
    ['1', '2.0', '0.5', '1.5'],
  ]
  assert scored_file.score(_Scorer(), 'a.csv', each=True).text == (
    scored_file.score(_Scorer(), 'a.csv').text
  )


@pytest.mark.parametrize('options', [{'columns': 2}, {'each': True}])
def test_a_score_without_columns_is_refused(options):
  with pytest.raises(errors.UserError, match='its score "energy"'):
    scored_file.score(_Scorer('its score "energy" is none'), 'a', **options)


def test_p_values_and_alarms_at_a_rate():
  rates = scored_file.Rates(false_alarm=0.2)
  found = scored_file.score(_Scorer(), 'a.csv', rates=rates)
  assert _rows(found.text) == [
    ['row', 'score', 'p_value', 'flagged'],
    ['0', '3.0', '0.2', '1'],
    ['1', '2.0', '0.6', '0'],
  ]
  assert found.flagged == 1
  few = scored_file.Rates(fdr=0.3)
  assert scored_file.score(_Scorer(), 'a.csv', rates=few).flagged == 0
