"""The list of test samples, highest score first."""

import csv
import io

import numpy as np
import pytest

from memae_jax.data import types
from memae_jax.data.tables import contributions
from memae_jax.evaluation.results import top_samples
from memae_jax.evaluation.scoring import scores


def _network(name, variant, score, held=(0.0, 1.0, 2.0)):
  return scores.ReplicaScores(
    name=name,
    fields={'variant': variant},
    score=np.float32(score),
    anomalous=np.array([False, True, False]),
    sample=np.array([4, 1, 3]),
    validation_score=np.float32(held),
  )


@pytest.fixture
def source():
  return types.Source(
    'arrays',
    np.zeros((5, 2), np.float32),
    np.array([0, 1, 0, 0, 0], np.int32),
    ('fine', 'odd'),
    places={'file': np.array(['a'] * 3 + ['b'] * 2), 'row': np.arange(5) % 3},
  )


def test_samples_by_their_places_highest_first(source):
  networks = [
    _network('memae/seed=1', 'memae', [9, 9, 9]),
    _network('memae/seed=0', 'memae', [1, 2.5, 1.5]),
    _network('ae/seed=0', 'ae', [3, 2, 1], held=()),
  ]
  listed = top_samples.highest(source, networks, 0.5)
  assert list(listed) == ['memae', 'ae']
  assert listed['memae'] == {
    'network': 'memae/seed=0',
    'rows': [
      {'file': 'a', 'row': 1, 'label': 'odd', 'anomalous': True,
       'score': 2.5, 'flagged': True},
      {'file': 'b', 'row': 0, 'label': 'fine', 'anomalous': False,
       'score': 1.5, 'flagged': True},
      {'file': 'b', 'row': 1, 'label': 'fine', 'anomalous': False,
       'score': 1.0, 'flagged': False},
    ],
  }  # fmt: skip
  assert [row['flagged'] for row in listed['ae']['rows']] == [None] * 3
  text = ''.join(top_samples.as_csv(source, networks, 0.5))
  rows = list(csv.DictReader(io.StringIO(text)))
  assert [(r['network'], r['row'], r['score']) for r in rows[:3]] == [
    ('memae/seed=0', '1', '2.5'),
    ('memae/seed=0', '0', '1.5'),
    ('memae/seed=0', '1', '1.0'),
  ]
  assert len(rows) == 6


def test_without_labels_or_places(source):
  networks = [_network('memae', 'memae', [1, 2, 3])]
  unlabelled = source._replace(labelled=False)
  row = top_samples.highest(unlabelled, networks, 0.5)['memae']['rows'][0]
  assert list(row) == ['file', 'row', 'score', 'flagged']
  nowhere = source._replace(places={})
  assert top_samples.highest(nowhere, networks, 0.5) == {}
  assert not list(top_samples.as_csv(nowhere, networks, 0.5))


def test_clips_are_found_by_video_and_frame(source):
  videos = types.Videos(
    ('01', '02'), np.array([9, 9]), np.array([0, 0, 0, 1, 1]), np.arange(5)
  )
  networks = [_network('memae', 'memae', [1, 2, 3])]
  clips = source._replace(places={}, videos=videos)
  row = top_samples.highest(clips, networks, 0.5)['memae']['rows'][0]
  assert (row['video'], row['frame']) == ('02', 3)


def test_rows_have_the_columns_that_made_them_odd(source, monkeypatch):
  monkeypatch.setattr(top_samples, 'BLOCK', 2)
  table = source._replace(
    inputs=np.float32([[0, 0], [5, 1], [0, 0], [7, 0], [9, 1]]),
    columns=(types.Column('age'), types.Column('=city', ('Rome',))),
  )
  found = contributions.Strongest(
    np.int32([[0, 1], [1, 0], [0, 1]]),
    np.float32([[0.75, 0.25], [1, 0], [0, 0]]),
  )
  networks = [
    _network('ae', 'ae', [1, 3, 2])._replace(columns=found),
    _network('dagmm', 'dagmm', [1, 2, 3])._replace(no_columns='why'),
  ]
  listed = top_samples.highest(table, networks, 0.5)
  assert [row['strongest'] for row in listed['ae']['rows']] == [
    [{'column': '=city', 'share': 1.0, 'value': 'Rome'}],
    [],
    [
      {'column': 'age', 'share': 0.75, 'value': '9'},
      {'column': '=city', 'share': 0.25, 'value': 'Rome'},
    ],
  ]
  assert listed['dagmm']['no_columns'] == 'why'
  assert 'strongest' not in listed['dagmm']['rows'][0]
  flags = top_samples.flags(table, networks, 0.5)
  assert (
    flags['ae']['highest']['strongest']
    == (listed['ae']['rows'][0]['strongest'])
  )
  text = ''.join(top_samples.as_csv(table, networks, 0.5))
  rows = list(csv.DictReader(io.StringIO(text)))
  named = [[row[t] for t in contributions.titles(2)] for row in rows]
  assert named == [
    # A spreadsheet would compute a name that begins with "=".
    ["'=city", '1.0', '', ''],
    ['', '', '', ''],
    ['age', '0.75', "'=city", '0.25'],
    *[[''] * 4] * 3,
  ]
