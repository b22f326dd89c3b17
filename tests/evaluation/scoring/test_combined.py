"""Sums and products of scores: by hand, in results, in an exported scorer."""

import hypothesis
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies as st

from memae_jax import export, losses, scorer
from memae_jax.evaluation.results import describe
from memae_jax.evaluation.scoring import baselines, collect, combined
from memae_jax.runtime import errors
from memae_jax.training import experiment
from tests import exports, helpers

_PARTS = {
  'eval.parts': ('mse', 'memory_distance'),
  'eval.shares': (1.0, 0.5),
  'model.memory.similarity': 'cosine',
  'fleet.normal_classes': (3,),
  'fleet.variants': ('memae', 'ae'),
}


def _options(parts, shares=(), score='sum'):
  fields = {'eval.parts': parts, 'eval.shares': shares, 'eval.score': score}
  return helpers.digits(**fields).eval


@hypothesis.settings(deadline=None, max_examples=30)
@hypothesis.given(st.integers(0, 2**31), st.floats(0.1, 3), st.floats(0.1, 3))
def test_both_are_what_they_say(seed, first, second):
  rng = np.random.default_rng(seed)
  normals, tested = (
    {name: rng.gamma(2, size=n) for name in ('mse', 'ssim')} for n in (7, 4)
  )
  parts = combined.fit(_options(('mse', 'ssim'), (first, second)), normals)
  found = combined.scores(parts, tested)
  shares = {'mse': first, 'ssim': second}
  total = sum(
    share * (tested[k] - normals[k].mean()) / normals[k].std()
    for k, share in shares.items()
  )
  product = np.prod(
    [(tested[k] / normals[k].mean()) ** share for k, share in shares.items()],
    axis=0,
  )
  np.testing.assert_allclose(found['sum'], total, rtol=1e-9, atol=1e-9)
  np.testing.assert_allclose(np.exp(found['product']), product, rtol=1e-9)
  traced = combined.scores(
    parts, {k: jnp.asarray(v) for k, v in tested.items()}
  )
  for name, values in found.items():
    np.testing.assert_allclose(traced[name], values, rtol=1e-4, atol=1e-4)


def test_parts_that_are_lacking_are_left_out():
  normals = {'mse': np.array([1.0, 3.0])}
  parts = combined.fit(_options(('mse', 'memory_distance')), normals)
  assert [part.rule for part in parts] == ['mse']
  found = combined.scores(parts, {'mse': np.array([4.0])})
  assert found['sum'] == [2.0] and found['product'] == np.log([2.0])
  assert combined.scores((), normals) == {}


def test_there_is_no_product_of_negative_scores():
  normals = {'mse': np.array([-1.0, 3.0])}
  assert list(
    combined.scores(combined.fit(_options(('mse',)), normals), normals)
  ) == ['sum']
  with pytest.raises(errors.UserError, match='"mse" of a validation normal'):
    combined.fit(_options(('mse',), score='product'), normals)


def test_one_normal_is_too_few():
  with pytest.raises(errors.UserError, match='data.validation_fraction'):
    combined.fit(_options(('mse',)), {'mse': np.ones(1)})


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    ({'eval.score': 'sum'}, 'eval.parts is empty'),
    ({'eval.parts': ('mse', 'sum')}, 'holds a combination'),
    ({'eval.parts': ('mse',), 'eval.shares': (1.0, 2.0)}, '2 weights for 1'),
    ({'eval.parts': ('mse', 'mse')}, 'eval.parts".*repeats'),
    ({'eval.parts': ('release2019',)}, 'do not have under'),
  ],
)
def test_what_is_refused(fields, message):
  with pytest.raises(errors.UserError, match=message):
    experiment.build(helpers.digits(**fields))


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  folder = tmp_path_factory.mktemp('sum')
  config = helpers.digits(**_PARTS, **{'eval.score': 'sum'})
  return exports.train(config, folder / 'run')


def test_a_run_is_scored_by_the_sum(run):
  exp, networks, _ = run
  memae, ae = networks.values()
  assert exp.rule == 'sum' and exp.map_rule == 'mse'
  for replica in (memae, ae):
    np.testing.assert_array_equal(replica.score, replica.rules['sum'])
    assert {'sum', 'product', 'mse'} <= set(replica.rules)
    assert replica.mean_error is None and replica.beyond_contrast is None
  # By one part alone the samples are ranked as by that part.
  order = lambda values: np.argsort(values, kind='stable')
  np.testing.assert_array_equal(order(ae.rules['mse']), order(ae.score))
  assert (order(memae.rules['mse']) != order(memae.score)).any()
  facts = describe.score(exp)
  assert facts['parts'] == {'mse': 1.0, 'memory_distance': 0.5}
  assert facts['name'] == losses.SUM


def test_pca_is_scored_by_the_parts_it_has(run):
  exp, _, _ = run
  config = {**_PARTS, 'eval.score': 'sum', 'eval.baselines': ('pca', 'mean')}
  other = experiment.build(helpers.digits(**config), source=exp.source)
  rivals, notes = baselines.run(other, [])
  for rival in rivals:
    np.testing.assert_allclose(rival.score, rival.rules['sum'], rtol=1e-5)
    assert rival.mean_error is None
  assert 'standardised' in notes['pca']


def test_a_scorer_holds_the_sum(run):
  exp, networks, folder = run
  for index, replica in enumerate(networks.values()):
    path = folder / f'{index}.scorer'
    export.to_file(folder, path, replica.name)
    found = scorer.load(path)
    np.testing.assert_allclose(
      found.score(exp.source.inputs[replica.sample]),
      replica.score,
      rtol=1e-4,
      atol=1e-5,
    )
    assert found.threshold == pytest.approx(replica.threshold(0.95), abs=1e-4)
    assert found.meta['score']['parts'] == {'mse': 1.0, 'memory_distance': 0.5}


def test_pseudo_anomalies_are_ranked_by_candidates():
  fields = {**_PARTS, 'eval.candidates': ('mse', 'ssim', 'sum', 'mahalanobis')}
  exp = experiment.build(helpers.digits(**fields))
  weights = collect.select_weights(exp, exp.programs.init(), 0)[0]
  for replica in collect.networks(exp, weights, [0, 0])[0]:
    assert set(replica.pseudo_rules) == {'mse', 'ssim', 'sum'}
    mean = np.mean(list(replica.pseudo.values()))
    assert replica.pseudo_rules['mse'] == pytest.approx(mean)
