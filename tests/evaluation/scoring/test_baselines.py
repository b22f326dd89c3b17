"""Baselines of a run: scores, notes and what is measured of them."""

import types

import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax import losses
from memae_jax.data import protocols, sources, transforms
from memae_jax.evaluation.results import measure
from memae_jax.evaluation.scoring import baselines
from memae_jax.methods import classical, frame_scores
from memae_jax.training import fleet

NAMES = ('random', 'pca', 'untrained')


CONFIG = {'data': {'name': 'digits'}, 'fleet': {'normal_classes': (0,)}}


@pytest.fixture(scope='module')
def exp():
  """Stand-in for an experiment without a network, for `baselines.run`."""
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
    config=config,
    source=source,
    replicas=replicas,
    splits=splits,
    rule='mse',
    map_rule='mse',
    fitting_rules=('mse', 'ssim'),
    trainer=types.SimpleNamespace(frames=frame_scores.Rules(losses.IMAGE, 1)),
  )


@pytest.fixture(scope='module')
def before(exp):
  rng = np.random.default_rng(0)
  return [
    baselines.Scored(rng.random(len(s.test)), rng.random(len(s.validation)))
    for s in exp.splits
  ]


def test_baselines_score_test_and_validation_once_a_split(exp, before):
  scored, notes = baselines.run(exp, before)
  assert set(notes) == set(NAMES)
  kinds = [(r.fields['variant'], r.fields['normal_class']) for r in scored]
  assert kinds == [(name, c) for c in (0, 3) for name in NAMES]
  for replica in scored:
    split = exp.splits[(0, 3).index(replica.fields['normal_class'])]
    assert replica.score.shape == split.test.shape
    assert replica.validation_score.shape == split.validation.shape
    np.testing.assert_array_equal(replica.anomalous, split.anomalous)


def test_validation_rows_do_not_change_test_scores(exp, before):
  scored, _ = baselines.run(exp, before)
  split = exp.splits[0]
  inputs = lambda rows: transforms.apply(
    exp.source.inputs[rows], split.transform
  ).reshape(len(rows), -1)
  for replica, name in zip(scored, NAMES[:2]):
    fields = replica.fields
    stream = np.random.SeedSequence([fields['seed'], fields['normal_class']])
    alone, _ = classical.run(
      name,
      inputs(split.train),
      inputs(split.test),
      int(stream.generate_state(1)[0]),
    )
    np.testing.assert_allclose(replica.score, alone, rtol=1e-5)
  np.testing.assert_allclose(scored[2].score, before[0][0], rtol=1e-6)
  np.testing.assert_allclose(
    scored[2].validation_score, before[0][1], rtol=1e-6
  )


def test_quantile_metrics_of_baselines_are_defined(exp, before):
  scored, _ = baselines.run(exp, before)
  measured = measure.measure(scored, scored, {}, exp.config.eval)
  for name in NAMES:
    rate = measured['baselines'][name]['false_positive_rate_at_normal_quantile']
    assert rate['n'] == 2 and 0 <= rate['mean'] <= 1
    assert measured['baselines'][name]['f1_at_normal_quantile']['n'] == 2
  assert not any(
    name.endswith('_at_normal_quantile')
    for reasons in measured['baseline_reasons'].values()
    for name in reasons
  )
  assert measured['baselines']['pca']['recall_at_normal_quantile']['mean'] > 0.5


def test_the_variance_that_reconstructions_explain(exp, before):
  config = config_lib.resolve(
    {**CONFIG, 'eval': {'baselines': ('random', 'mean', 'pca')}}
  )
  scored, _ = baselines.run(
    types.SimpleNamespace(**{**vars(exp), 'config': config}), before
  )
  split = exp.splits[0]
  train, held_out = (
    transforms.apply(exp.source.inputs[rows], split.transform)
    for rows in (split.train, split.validation)
  )
  spread = np.square(held_out - train.mean(axis=0)).mean()
  np.testing.assert_allclose(scored[1].mean_error, spread, rtol=1e-5)
  measured = measure.measure(scored, scored, {}, exp.config.eval)['baselines']
  assert 'variance_explained' not in measured['random']
  assert abs(measured['mean']['variance_explained']['mean']) < 1e-6
  assert 0.85 < measured['pca']['variance_explained']['mean'] < 1


def test_notes_of_baselines_tell_how_many_rows_fit(exp, before):
  config = config_lib.resolve(
    {**CONFIG, 'eval': {'baselines': NAMES, 'baseline_samples': 50}}
  )
  few = types.SimpleNamespace(**{**vars(exp), 'config': config})
  _, notes = baselines.run(few, before)
  total = len(exp.splits[0].train)
  assert f'fitted on 50 of {total:,} training normals' in notes['pca']
