import csv
import io

import numpy as np
import pytest
import scipy.stats

from memae_jax import config as config_lib
from memae_jax.evaluation.metrics import class_means
from memae_jax.evaluation.report import tables
from memae_jax.evaluation.results import measure
from memae_jax.evaluation.scoring import scores

CONFIG = config_lib.resolve(
  {'fleet': {'normal_classes': (0,)}, 'eval': {'bootstrap': 0}}
)


def _run(variant, kind, seed, wins):
  """A run of 10 normals and one anomaly that scores above `wins` of them."""
  score = np.r_[np.arange(10.0), wins - 0.5]
  return scores.ReplicaScores(
    name=f'{variant}/normal_class={kind}/seed={seed}',
    fields={'variant': variant, 'seed': seed, 'normal_class': kind},
    score=score,
    anomalous=np.arange(11) == 10,
    sample=np.arange(11),
    validation_score=np.zeros(2),
    step=1,
  )


WINS = {  # Of each variant and seed: those of the classes.
  'memae': [(9, 7, 8), (10, 8, 9), (8, 6, 7)],
  'ae': [(8, 5, 8), (8, 6, 7), (7, 5, 6)],
}


def _measured(seeds=3):
  runs = [
    _run(variant, kind, seed, wins)
    for variant, table in WINS.items()
    for seed, row in enumerate(table[:seeds])
    for kind, wins in enumerate(row)
  ]
  return measure.measure(
    runs, [], {}, CONFIG.eval, label_names=('cat', 'dog', 'bird')
  )


def test_the_mean_over_classes_is_the_unit_over_seeds():
  measured = _measured()
  assert measured['averaged_classes'] == 3
  means = {k: np.mean(v, axis=1) / 10 for k, v in WINS.items()}
  summary = measured['methods']['memae']['auroc']
  assert summary['n'] == 3
  assert summary['mean'] == pytest.approx(means['memae'].mean())
  assert summary['std'] == pytest.approx(means['memae'].std(ddof=1))
  difference = measured['differences']['memae - ae']['auroc']
  expected = scipy.stats.ttest_rel(means['memae'], means['ae'])
  assert difference['n'] == 3
  assert difference['ci95'] == pytest.approx(
    list(expected.confidence_interval(0.95))
  )


def test_every_class_has_its_row():
  measured = _measured()
  assert list(measured['classes']) == ['cat', 'dog', 'bird']
  dog = measured['classes']['dog']['ae']['auroc']
  assert dog['mean'] == pytest.approx(np.mean([5, 6, 5]) / 10)
  assert dog['std'] == pytest.approx(np.std([0.5, 0.6, 0.5], ddof=1))
  rows = list(csv.DictReader(io.StringIO(tables.classes_csv(measured))))
  assert [row['normal_class'] for row in rows] == ['cat', 'dog', 'bird', 'mean']
  assert float(rows[1]['ae']) == pytest.approx(dog['mean'])
  assert float(rows[1]['ae_std']) == pytest.approx(dog['std'])
  means = np.mean(WINS['memae'], axis=1) / 10
  assert float(rows[3]['memae']) == pytest.approx(means.mean())
  assert float(rows[3]['memae_std']) == pytest.approx(means.std(ddof=1))


def test_with_one_seed_the_run_is_the_unit():
  measured = _measured(seeds=1)
  assert measured['averaged_classes'] == 0
  assert measured['methods']['memae']['auroc']['n'] == 3
  assert measured['differences']['memae - ae']['auroc']['n'] == 3
  assert measured['classes']['cat']['memae']['auroc']['std'] is None


def test_an_undefined_class_leaves_no_mean():
  rows = [
    ({'variant': 'ae', 'seed': seed, 'normal_class': kind}, {'auroc': value})
    for seed, kind, value in ((0, 0, 0.5), (0, 1, None), (1, 0, 0.4), (1, 1, 1))
  ]
  assert class_means.units(rows) == [
    ({'variant': 'ae', 'seed': 0}, {'auroc': None}),
    ({'variant': 'ae', 'seed': 1}, {'auroc': pytest.approx(0.7)}),
  ]
  lone = [rows[0]]
  assert class_means.units(lone) == lone and class_means.by_class(lone) == {}
