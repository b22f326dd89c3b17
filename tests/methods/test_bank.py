"""The bank against brute force: features, selection, distances, devices."""

import numpy as np
import pytest
import sklearn.covariance

from memae_jax import export, losses, scorer
from memae_jax.data import transforms
from memae_jax.features import pixels
from memae_jax.methods import selection
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop, step
from tests import helpers


def _fitted(**fields):
  config = helpers.digits(
    **{'fleet.variants': ('bank',), 'fleet.normal_classes': (3,), **fields}
  )
  exp = experiment.build(config)
  state, now = exp.programs.init(), 0
  while now < exp.steps:
    state, now, _ = loop.advance(exp, state, now)
  return exp, step.weights(state)


def _scores(exp, weights, wanted=()):
  rows = [split.test for split in exp.splits]
  return exp.programs.score(weights, rows, wanted)


def _features(exp, rows):
  split = exp.splits[0]
  x = transforms.apply(exp.source.inputs[rows], split.transform)
  return np.asarray(pixels.blur_unit(x), np.float64)


@pytest.mark.parametrize('neighbours', [1, 5])
def test_with_room_for_all_it_is_nearest_neighbours(neighbours):
  exp, weights = _fitted(
    **{'model.memory.slots': 500, 'methods.bank.neighbours': neighbours}
  )
  (split,) = exp.splits
  train, test = (_features(exp, rows) for rows in (split.train, split.test))
  far = np.linalg.norm(test[:, None] - train[None], axis=2)
  expected = np.sort(far, axis=1)[:, :neighbours].mean(axis=1)
  scored = _scores(exp, weights)
  found = scored.scores[losses.MEMORY][0, : len(test)]
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
  totals = scored.totals['bank']
  assert int(totals.queries[0]) == len(test)
  assert float(totals.usage[0].sum()) == pytest.approx(len(test), rel=1e-5)
  assert not totals.usage[0, len(train) :].any()


@pytest.mark.parametrize('select', selection.SELECTIONS)
def test_devices_share_the_slots(select):
  fields = {'model.memory.slots': 21, 'methods.bank.select': select}
  alone = _fitted(**fields)
  spread = _fitted(**fields, **{'mesh.memory': 8})
  assert spread[0].mesh.shape['memory'] == 8
  one, other = (_scores(*fitted) for fitted in (alone, spread))
  np.testing.assert_allclose(
    one.scores[losses.MEMORY], other.scores[losses.MEMORY], rtol=1e-5
  )
  np.testing.assert_array_equal(
    one.totals['bank'].usage, other.totals['bank'].usage[:, :21]
  )
  assert np.count_nonzero(one.totals['bank'].usage) <= 21


def test_patches_have_maps_and_the_farthest_one_is_the_score():
  fields = {
    'methods.bank.features': 'patches',
    'methods.bank.patch': 4,
    'methods.bank.stride': 2,
    'methods.bank.blur': 0.0,
    'model.memory.slots': 40,
  }
  exp, weights = _fitted(**fields)
  count = len(exp.splits[0].test)
  scored = _scores(exp, weights, ('maps',))
  maps = scored.maps[losses.MEMORY][0, :count]
  assert maps.shape == (count, 8, 8)
  # Between patches the map is linear, so that none of it is above them.
  highest = scored.scores[losses.MEMORY][0, :count] - maps.max(axis=(1, 2))
  assert (highest > -1e-5).all() and (highest < 1).all()
  normal = ~exp.splits[0].anomalous
  score = scored.scores[losses.MEMORY][0, :count]
  assert np.median(score[normal]) < np.median(score[~normal])


def test_patches_are_windows_less_their_means():
  x = np.random.default_rng(0).normal(size=(2, 7, 9, 3)).astype(np.float32)
  found = pixels.patches(x, 3, 2)
  assert found.shape == (2, 3, 4, 27)
  window = x[1, 2:5, 4:7]
  window = window - window.mean(axis=(0, 1))
  np.testing.assert_allclose(found[1, 1, 2], window.ravel(), atol=1e-5)


def test_greedy_order_is_that_of_brute_force():
  rows = np.random.default_rng(0).normal(size=(60, 5))
  rows[40:50] = rows[:10]  # Ties.
  order = [7]
  while len(order) < 30:
    far = np.linalg.norm(rows[:, None] - rows[order][None], axis=2).min(axis=1)
    order.append(int(far.argmax()))
  assert selection.greedy_order(rows, 30, first=7).tolist() == order
  everything = selection.greedy_order(rows, 60, first=7)
  assert sorted(everything.tolist()) == list(range(60))


@pytest.mark.parametrize('select', selection.SELECTIONS)
def test_selections(select):
  rows = np.random.default_rng(0).normal(size=(90, 100)).astype(np.float32)
  chosen, again = (
    selection.select(rows, select, 12, np.random.default_rng(1))
    for _ in range(2)
  )
  assert chosen.shape == (12, 100) and chosen.dtype == np.float32
  np.testing.assert_array_equal(chosen, again)
  if select != 'k_means':
    of_rows = (chosen[:, None] == rows[None]).all(axis=2)
    assert (of_rows.sum(axis=1) == 1).all()
    assert len(np.unique(of_rows.argmax(axis=1))) == 12
  few = selection.select(rows[:5], select, 12, np.random.default_rng(1))
  np.testing.assert_array_equal(few, rows[:5])


@pytest.mark.parametrize(
  ('fields', 'message'),
  [
    (
      {'methods.bank.patch': 9, 'methods.bank.features': 'patches'},
      'patch" is',
    ),
    ({'data.scaling': 'contrast'}, 'needs data.scaling "fixed"'),
    ({'methods.bank.neighbours': 51}, 'more than model.memory.slots'),
  ],
)
def test_what_does_not_fit_is_refused(fields, message):
  fields = {'fleet.variants': ('bank',), 'model.memory.slots': 50, **fields}
  with pytest.raises(errors.UserError, match=message):
    experiment.build(helpers.digits(**fields)).programs.init()


def test_it_scores_the_same_in_pieces():
  exp, weights = _fitted(**{'model.memory.slots': 30})
  other, _ = _fitted(**{'model.memory.slots': 30, 'eval.batch_size': 7})
  count = len(exp.splits[0].test)
  one, two = (
    _scores(e, weights).scores[losses.MEMORY][0, :count] for e in (exp, other)
  )
  np.testing.assert_allclose(one, two, rtol=1e-5)


def test_the_gaussian_is_a_mahalanobis_distance():
  exp, weights = _fitted(
    **{'fleet.variants': ('gaussian',), 'methods.bank.features': 'raw'}
  )
  (split,) = exp.splits
  train, test = (
    transforms.apply(exp.source.inputs[rows], split.transform)
    .reshape(len(rows), -1)
    .astype(np.float64)
    for rows in (split.train, split.test)
  )
  fit = sklearn.covariance.LedoitWolf().fit(train)
  found = _scores(exp, weights).scores['mahalanobis'][0, : len(test)]
  np.testing.assert_allclose(found**2, fit.mahalanobis(test), rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize('features', ['blur_unit', 'patches'])
def test_the_exported_bank_scores_the_same(features, tmp_path):
  pytest.importorskip('flatbuffers', reason='extra "export"')
  config = helpers.digits(
    **{
      'fleet.variants': ('bank',),
      'fleet.normal_classes': (3,),
      'methods.bank.features': features,
      'methods.bank.patch': 3,
      'methods.bank.neighbours': 3,
      'model.memory.slots': 30,
    }
  )
  exp = experiment.build(config)
  run = tmp_path / 'run'
  weights = step.weights(loop.train(exp, run))
  export.to_file(run, tmp_path / 'a.scorer')
  test = exp.splits[0].test
  found = scorer.load(tmp_path / 'a.scorer').explain(exp.source.inputs[test])
  scored = _scores(exp, weights, ('maps',))
  np.testing.assert_allclose(
    found['score'], scored.scores[losses.MEMORY][0, : len(test)], rtol=1e-6
  )
  if features == 'patches':
    np.testing.assert_allclose(
      found['errors'], scored.maps[losses.MEMORY][0, : len(test)], rtol=1e-5
    )
