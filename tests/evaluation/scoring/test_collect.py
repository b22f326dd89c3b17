import types

import jax
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.data import protocols, sources, transforms
from memae_jax.evaluation.results import measure
from memae_jax.evaluation.scoring import baselines, collect, scores
from memae_jax.methods import base, classical
from memae_jax.training import fleet, step

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
    fitting_rules=('mse', 'ssim'),
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
    'validation' in reason
    for reasons in measured['baseline_reasons'].values()
    for reason in reasons.values()
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


def test_all_calls_score_one_structure_of_weights():
  seen = []

  def score(weights, rows, wanted=(), label=''):
    seen.append(jax.tree.structure(weights))
    return base.Prediction({'mse': np.zeros((1, len(rows[0])))})

  best = step.Best({'w': np.ones(1)}, {}, np.array([7]), np.zeros(1))
  state = step.ReplicaState({'w': np.zeros(1)}, {}, {}, best)
  config = config_lib.resolve(
    {
      'data': {'name': 'digits'},
      'fleet': {'normal_classes': (0,), 'variants': ('ae',)},
      'eval': {'checkpoint': 'validation'},
    }
  )
  table = types.SimpleNamespace(
    inputs=np.zeros((9, 2)),
    labelled=True,
    masks=None,
    has_images=False,
    videos=None,
  )
  split = types.SimpleNamespace(
    train=np.arange(0),
    test=np.arange(4),
    validation=np.arange(2),
    anomalous=np.arange(4) > 2,
  )
  exp = types.SimpleNamespace(
    config=config,
    source=table,
    replicas=fleet.replicas(config),
    splits=[split],
    rule='mse',
    fitting_rules=('mse',),
    programs=types.SimpleNamespace(
      init=lambda: state,
      score=score,
      warm_up=lambda *_: None,
      to_host=jax.device_get,
      is_large=False,
    ),
  )
  collect.untrained(exp)
  scored, _, _ = collect.networks(exp, *collect.select_weights(exp, state, 9))
  assert len(seen) >= 4 and len(set(seen)) == 1
  assert scored[0].step == 7


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


def test_the_speed_of_scoring_is_after_a_warm_up_of_the_same_program():
  calls = []
  exp = types.SimpleNamespace(
    splits=[types.SimpleNamespace(test=np.arange(7))],
    programs=types.SimpleNamespace(
      warm_up=lambda *given: calls.append(('warm up', given)),
      score=lambda *given: calls.append(('score', given[:3])),
    ),
  )
  _, seconds = collect.score_tests(exp, 'weights', True)
  assert [name for name, _ in calls] == ['warm up'] + ['score'] * 5
  assert {id(given[1]) for _, given in calls} == {id(calls[0][1][1])}
  assert all(given[2] is True for _, given in calls)
  assert 0 <= seconds < 0.1
