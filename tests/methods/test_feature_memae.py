"""MemAE of features: what it standardises, rebuilds and scores, by hand."""

import jax
import numpy as np
import pytest
import sklearn.metrics

from memae_jax import losses
from memae_jax.data import transforms
from memae_jax.features import pixels
from memae_jax.methods import feature_memae, selection
from memae_jax.models import memae
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop, step
from tests import helpers
from tests.methods import fitting

FIELDS = {
  'fleet.variants': ('feature_memae', 'feature_nonspar', 'feature_ae'),
  'model.memory.temperature': 0.1,
  'model.memory.slots': 12,
  'methods.feature_memae.code': 4,
  'train.epochs': 30.0,
  'eval.batch_size': 50,
}
PATCHES = {
  'methods.bank.features': 'patches',
  'methods.bank.patch': 4,
  'methods.bank.stride': 2,
  'methods.bank.blur': 0.0,
}


def _features(exp, rows, extract=pixels.blur_unit):
  x = transforms.apply(exp.source.inputs[rows], exp.splits[0].transform)
  return np.asarray(extract(x), np.float64)


def _rebuilt(exp, weights, index, rows):
  """What the network makes of standardised rows [n, D]."""
  network = exp.trainer.method.network.model
  hyper = exp.programs.method_hyper(index)
  variables = exp.programs.one(weights, index).variables
  out = network.apply(variables, np.float32(rows), hyper.knobs)
  return np.asarray(out.reconstruction, np.float64)


def _moments(weights, index=0):
  moments = jax.device_get(weights.collections['features'])
  return moments['mean'][index], moments['deviation'][index]


@pytest.fixture(scope='module')
def fleet():
  return fitting.fitted(**FIELDS)


def test_two_passes_standardise_the_features(fleet):
  exp, weights = fleet
  train = _features(exp, exp.splits[0].train)
  assert len(train) % 50, 'the last block has padding'
  mean, deviation = _moments(weights)
  np.testing.assert_allclose(mean, train.mean(axis=0), atol=1e-6)
  expected = np.sqrt(train.var(axis=0).mean())
  assert deviation == pytest.approx(expected, rel=1e-5)
  assert set(weights.params) == {'encoder', 'decoder', 'bank'}


def test_the_score_is_the_error_of_standardised_features(fleet):
  exp, weights = fleet
  scored, (mean, deviation) = fitting.scores(exp, weights), _moments(weights)
  rows = (_features(exp, exp.splits[0].test) - mean) / deviation
  assert exp.rule == feature_memae.RULE
  for i, replica in enumerate(exp.replicas):
    error = ((rows - _rebuilt(exp, weights, i, rows)) ** 2).mean(axis=1)
    found = scored.scores[feature_memae.RULE][i, : len(rows)]
    np.testing.assert_allclose(found, error, rtol=1e-3, err_msg=replica.name)


def test_they_find_anomalies_and_learn(fleet):
  exp, weights = fleet
  scored, split = fitting.scores(exp, weights), exp.splits[0]
  held_out = exp.programs.score(weights, [s.validation for s in exp.splits])
  normal = held_out.scores[feature_memae.RULE][:, : len(split.validation)]
  assert normal.mean(axis=1).max() < 0.7, 'the mean alone has 1'
  for score in scored.scores[feature_memae.RULE]:
    auroc = sklearn.metrics.roc_auc_score(
      split.anomalous, score[: len(split.test)]
    )
    assert auroc > 0.93
  kept = scored.kept[:, : len(split.test)]
  assert (kept[1] == 12).all() and kept[0].mean() < 12


def _after_passes(**fields):
  """An experiment before its first gradient step, and its weights."""
  config = helpers.digits(
    **{**FIELDS, 'fleet.normal_classes': (3,), 'train.epochs': 0.1, **fields}
  )
  exp = experiment.build(config)
  passes = exp.steps - exp.gradient_steps
  state, now = exp.programs.init(), 0
  while now < passes:
    state, now, _ = loop.advance(exp, state, now)
  return exp, step.weights(state)


@pytest.mark.parametrize(
  ('init', 'select'), [('k_means', 'k_means'), ('encodings', 'random')]
)
def test_slots_start_as_selected_encodings_of_positions(init, select):
  fields = {'fleet.variants': ('feature_memae', 'feature_ae')}
  exp, weights = _after_passes(
    **fields, **PATCHES, **{'model.memory.init': init, 'fleet.slots': (5, 9)}
  )
  patches = _features(
    exp, exp.splits[0].train, lambda x: pixels.patches(x, 4, 2)
  )
  mean, deviation = _moments(weights)
  rows = np.float32((patches.reshape(-1, 16) - mean) / deviation)
  one = exp.programs.one(weights, 0)
  codes = exp.trainer.method.network.model.apply(
    one.variables, rows, method=memae.MemAE.encode
  )
  for i, replica in enumerate(exp.replicas):
    slots = exp.programs.one(weights, i).params['bank']['slots']
    if not replica.has_memory:
      assert replica.variant == 'feature_ae'
      continue
    rng = np.random.default_rng([0, 1, 0])
    expected, _ = selection.select(
      np.asarray(codes), select, replica.slots, rng
    )
    np.testing.assert_allclose(slots[: replica.slots], expected, atol=1e-5)


@pytest.mark.slow  # Positions are many rows.
def test_positions_have_maps_and_the_worst_is_the_score():
  exp, weights = fitting.fitted(**FIELDS | PATCHES | {'train.epochs': 3.0})
  (mean, deviation), split = _moments(weights), exp.splits[0]
  scored = fitting.scores(exp, weights, ('maps',))
  assert set(scored.maps) == {feature_memae.RULE, losses.MEMORY}
  rows = _features(exp, split.test, lambda x: pixels.patches(x, 4, 2))
  rows = (rows - mean) / deviation
  assert rows.shape[1:] == (3, 3, 16)
  rebuilt = _rebuilt(exp, weights, 2, rows.reshape(-1, 16))
  error = ((rows - rebuilt.reshape(rows.shape)) ** 2).mean(axis=-1)
  count = len(split.test)
  np.testing.assert_allclose(
    scored.scores[feature_memae.RULE][2, :count],
    error.max(axis=(1, 2)),
    rtol=1e-3,
  )
  maps = scored.maps[feature_memae.RULE][2, :count]
  np.testing.assert_allclose(maps[:, 0, 0], error[:, 0, 0], rtol=1e-3)
  assert maps.shape == (count, 8, 8)
  assert scored.totals['bank'].queries.tolist() == [9 * count] * 3


@pytest.mark.slow  # Two fleets compile.
def test_devices_share_samples_and_slots():
  fields = PATCHES | {'train.epochs': 0.5, 'model.memory.init': 'k_means'}
  alone = fitting.fitted(**FIELDS | fields)
  spread = fitting.fitted(
    **FIELDS | fields | {'mesh.data': 2, 'mesh.memory': 4}
  )
  assert tuple(spread[0].mesh.shape.values()) == (1, 2, 4)
  one, other = (fitting.scores(*fitted) for fitted in (alone, spread))
  count = len(alone[0].splits[0].test)
  for rule in one.scores:
    np.testing.assert_allclose(
      one.scores[rule][:, :count],
      other.scores[rule][:, :count],
      rtol=2e-3,
      atol=1e-4,
    )


@pytest.mark.slow  # It trains and exports.
@pytest.mark.parametrize('features', ['blur_unit', 'patches'])
def test_the_exported_one_scores_the_same(features, tmp_path):
  fitting.check_export(
    tmp_path,
    **FIELDS
    | PATCHES
    | {'methods.bank.features': features, 'train.epochs': 1.0},
  )


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    ({'data.scaling': 'contrast'}, 'needs data.scaling "fixed"'),
    ({'methods.feature_memae.widths': (0,)}, 'must be at least 1'),
    (
      {'model.memory.init': 'k_centre', 'model.memory.slots': 500},
      'lower model.memory.slots',
    ),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  with pytest.raises(errors.UserError, match=message) as caught:
    experiment.build(helpers.digits(**FIELDS | fields))
  assert '\n' not in str(caught.value)
