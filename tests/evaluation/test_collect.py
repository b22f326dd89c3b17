import types

import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.data import protocols, sources, transforms
from memae_jax.evaluation import baselines, collect, outcome
from memae_jax.training import fleet

NAMES = ('random', 'pca', 'untrained')


@pytest.fixture(scope='module')
def exp():
  """What `collect.baselines` reads of an experiment: no network."""
  config = config_lib.resolve(
    {
      'data': {'name': 'digits'},
      'fleet': {'normal_classes': (0, 3), 'variants': ('memae', 'ae')},
      'eval': {'baselines': NAMES, 'bootstrap': 0},
    }
  )
  source = sources.load(config.data)
  replicas = fleet.replicas(config)
  splits = [
    protocols.split(source, config.data, r.seed, r.normal_class)
    for r in replicas
  ]
  return types.SimpleNamespace(
    config=config, source=source, replicas=replicas, splits=splits
  )


@pytest.fixture(scope='module')
def before(exp):
  rng = np.random.default_rng(0)
  return [
    (rng.random(len(s.test)), rng.random(len(s.validation))) for s in exp.splits
  ]


def test_baselines_score_test_and_validation_once_a_split(exp, before):
  found, notes = collect.baselines(exp, before)
  assert set(notes) == set(NAMES)
  kinds = [(r.fields['variant'], r.fields['normal_class']) for r in found]
  assert kinds == [(name, c) for c in (0, 3) for name in NAMES]
  for replica in found:
    split = exp.splits[(0, 3).index(replica.fields['normal_class'])]
    assert replica.score.shape == split.test.shape
    assert replica.validation_score.shape == split.validation.shape
    np.testing.assert_array_equal(replica.anomalous, split.anomalous)


def test_validation_rows_do_not_change_test_scores(exp, before):
  found, _ = collect.baselines(exp, before)
  split = exp.splits[0]
  inputs = lambda rows: transforms.apply(
    exp.source.inputs[rows], split.transform
  )
  for replica, name in zip(found, NAMES[:2]):
    alone, _ = baselines.run(
      name, inputs(split.train), inputs(split.test), replica.fields['seed']
    )
    np.testing.assert_allclose(replica.score, alone, rtol=1e-5)
  np.testing.assert_allclose(found[2].score, before[0][0], rtol=1e-6)
  np.testing.assert_allclose(found[2].validation_score, before[0][1], rtol=1e-6)


def test_quantile_metrics_of_baselines_are_defined(exp, before):
  found, _ = collect.baselines(exp, before)
  measured = outcome.measure(found, found, {}, exp.config.eval)
  for name in NAMES:
    rate = measured['baselines'][name]['false_positive_rate_at_normal_quantile']
    assert rate['n'] == 2 and 0 <= rate['mean'] <= 1
    assert measured['baselines'][name]['f1_at_normal_quantile']['n'] == 2
  assert not any(
    'validation' in reason
    for reasons in measured['baseline_reasons'].values()
    for reason in reasons.values()
  )
  assert measured['baselines']['pca']['recall_at_normal_quantile']['mean'] > 0.5
