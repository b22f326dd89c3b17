"""Which variants are compared in pairs."""

import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.evaluation.results import measure
from memae_jax.evaluation.scoring import scores

CONFIG = {'data': {'name': 'digits'}, 'fleet': {'normal_classes': (0,)}}


def _scored(variant, value, **fields):
  anomalous = np.arange(10) >= 5
  score = np.where(anomalous, value, 0.5) + np.arange(10) / 100
  return scores.ReplicaScores(
    name=f'{variant}/{fields}',
    fields={'variant': variant, 'normal_class': 0, **fields},
    score=score,
    anomalous=anomalous,
    sample=np.arange(10),
    validation_score=np.zeros(3),
    step=1,
  )


def _differences(replicas):
  config = config_lib.resolve(CONFIG)
  return measure.measure(replicas, [], {}, config.eval)['differences']


def test_a_swept_variant_is_compared_once_for_each_setting():
  memae = [
    _scored('memae', s, slots=n, threshold=t, alpha=1.0, seed=s)
    for n in (3, 6)
    for t in (1.0, 2.0)
    for s in (0, 1)
  ]
  nonspar = [
    _scored('nonspar', 1, slots=n, threshold=0.0, alpha=0.0, seed=s)
    for n in (3, 6)
    for s in (0, 1)
  ]
  ae = [
    _scored('ae', 1, slots=6, threshold=0.0, alpha=0.0, seed=s) for s in (0, 1)
  ]
  differences = _differences([*memae, *nonspar, *ae])
  settings = [f'slots={n}, threshold={t}' for n in (3, 6) for t in (1.0, 2.0)]
  assert list(differences) == [
    *(f'memae ({s}) - ae' for s in settings),
    *(f'memae ({s}) - nonspar' for s in settings),
    'nonspar (slots=3) - ae',
    'nonspar (slots=6) - ae',
  ]
  for name, difference in differences.items():
    assert difference['auroc']['n'] == 2, name
    mean = -0.5 if name.startswith('memae') else 0
    assert difference['auroc']['mean'] == pytest.approx(mean)


def test_what_does_not_vary_is_not_named():
  pair = [
    _scored(v, 1, slots=n, threshold=t, alpha=t, seed=s)
    for v, n, t in (('memae', 3, 1.0), ('nonspar', 3, 0.0), ('ae', 3, 0.0))
    for s in (0, 1)
  ]
  assert list(_differences(pair)) == [
    'memae - ae',
    'memae - nonspar',
    'nonspar - ae',
  ]


def test_a_run_alone_has_an_interval_for_each_score():
  rng = np.random.default_rng(0)
  one, *others = [
    _scored(variant, 0.52, seed=seed)._replace(
      rules={'good': np.arange(10.0), 'chance': rng.normal(size=10)}
    )
    for variant, seed in (('nkn', 0), ('ae', 0), ('ae', 1))
  ]
  config = config_lib.resolve(CONFIG)
  rules = measure.measure([one, *others], [], {}, config.eval)['rules']
  assert rules['nkn']['good']['auroc']['interval'] == [1.0, 1.0]
  low, high = rules['nkn']['chance']['auroc']['interval']
  assert low < rules['nkn']['chance']['auroc']['mean'] < high
  assert 'interval' not in rules['ae']['good']['auroc']  # It has two seeds.
