"""The head of the report: what it says, in extreme values too."""

import copy
import html
import re

import numpy as np
import pytest

from memae_jax.data import types as data_types
from memae_jax.evaluation import evaluate
from memae_jax.evaluation.report import figures, findings
from memae_jax.evaluation.report import page as report
from memae_jax.evaluation.report.plots import images
from memae_jax.evaluation.results import top_samples
from memae_jax.evaluation.scoring import scores


@pytest.fixture(scope='module')
def run(make_replica, make_run):
  return make_run([make_replica('memae', 'image', c) for c in (0, 8)])


def _text(page):
  return ' '.join(html.unescape(re.sub('<[^>]*>', ' ', page)).split())


def test_the_table_says_why_a_metric_is_undefined(make_replica, make_run):
  replica, train, test = make_replica('memae', 'table')
  good = make_replica('memae', 'table', seed=1)
  all_normal = replica._replace(anomalous=np.zeros_like(replica.anomalous))
  run = make_run([(all_normal, train, test)], with_baselines=False)
  said = evaluate.headline(run['results'])
  (line,) = [x for x in said.splitlines() if 'undefined' in x]
  assert line.startswith('undefined in 1 of 1 runs, because every one of the ')
  assert 'is normal' in line and 'AUROC' in line and 'Average prec' in line
  run = make_run([(all_normal, train, test), good], with_baselines=False)
  said = evaluate.headline(run['results'])
  assert 'undefined in 1 of 2 runs, because every one of' in said
  run = make_run([good], with_baselines=False)
  assert 'undefined' not in evaluate.headline(run['results'])
  first = findings.sentences(
    make_run([(all_normal, train, test)], with_baselines=False)['results']
  )
  assert first[0].startswith('AUROC of MemAE is undefined: every one of the')


def _source(**fields):
  return data_types.Source(
    'x', np.zeros((9, 2)), np.array([0] * 8 + [1]), ('fine', 'odd'), **fields
  )


def _scored(score, held=(1.0, 2.0, 3.0)):
  return scores.ReplicaScores(
    name='memae/seed=0',
    fields={'variant': 'memae'},
    score=np.float32(score),
    anomalous=np.zeros(3, bool),
    sample=np.array([4, 8, 2]),
    validation_score=np.float32(held),
  )


@pytest.mark.parametrize(
  'source,held,first',
  [
    (
      _source(places={'file': np.array([f'd/{i}.png' for i in range(9)])}),
      (1.0, 2.0, 3.0),
      [('Threshold', '2', '50% of held-out normals score lower'),
       ('Flagged', '2 of 3', '66.7% of the test samples'),
       ('Highest score', 'd/8.png', 'score 7, label odd, flagged')],
    ),
    (
      _source(places={'file': np.array(['/tmp/x/a.csv'] * 9),
                      'row': np.arange(9) * 10}),
      (8.0,),
      [('Threshold', '8', '50% of held-out normals score lower'),
       ('Flagged', '0 of 3', '0.0% of the test samples'),
       ('Highest score', 'a.csv, row 80', 'score 7, label odd, not flagged')],
    ),
    (
      _source(labelled=False),
      (),
      [('Threshold', '—', 'there are no held-out normals'),
       ('Flagged', '—', 'of the test samples'),
       ('Highest score', 'sample 8', 'score 7')],
    ),
    (
      _source(videos=data_types.Videos(
        ('01', '02'), np.array([9, 9]), np.arange(9) // 5, np.arange(9) + 3)),
      (1.0, 2.0, 3.0),
      [('Threshold', '2', '50% of held-out normals score lower'),
       ('Flagged', '2 of 3', '66.7% of the test samples'),
       ('Highest score', '02, frame 11', 'score 7, label odd, flagged')],
    ),
  ],
)  # fmt: skip
def test_threshold_count_and_the_highest(source, held, first):
  flags = top_samples.flags(source, [_scored([1.5, 7, 2.5], held)], 0.5)
  results = {
    'flags': flags,
    'headline': 'memae',
    'config': {'eval': {'normal_quantile': 0.5}},
  }
  assert report.first_look(results) == first


def test_the_first_screen_comes_before_all_tables(run):
  results = copy.deepcopy(run['results'])
  lead = run['replicas'][0]
  top = results['flags']['memae']['sample']
  gallery = lead.gallery._replace(sample=np.full(8, top))
  replicas = [lead._replace(gallery=gallery), *run['replicas'][1:]]
  results['warnings'] = ['take care']
  shown = figures.draw(**{**run, 'results': results, 'replicas': replicas})
  assert shown[0].name == 'worst'
  page = report.render(results, shown)
  page = re.sub('<style>.*?</style>|<nav.*?</nav>', '', page, flags=re.S)
  places = [
    page.index(words_)
    for words_ in (
      'take care', 'class="findings"', 'Threshold', 'Flagged', 'Highest score',
      'id="worst"', '<table', 'id="gallery_memae"', 'AUROC class by class',
      'Which samples have', 'id="replicas"',
    )
  ]  # fmt: skip
  assert places == sorted(places)
  text = _text(page)
  assert f'of {len(lead.score)} ' in text and 'the first by name' in text
  assert 'Two runs: no interval.' in text
  assert '95% Student-t interval' not in text
  images.one_sample(gallery, 0).canvas.draw()
