"""The bank against brute force: features, distances, devices."""

import tracemalloc

import numpy as np
import pytest

from memae_jax import export, losses, scorer
from memae_jax.data import transforms
from memae_jax.features import pixels
from memae_jax.methods import selection
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop, step
from tests import helpers
from tests.methods import fitting


def _features(exp, rows):
  split = exp.splits[0]
  x = transforms.apply(exp.source.inputs[rows], split.transform)
  return np.asarray(pixels.blur_unit(x), np.float64)


@pytest.mark.parametrize('neighbours', [1, 5])
def test_with_room_for_all_it_is_nearest_neighbours(neighbours):
  exp, weights = fitting.fitted(
    **{'model.memory.slots': 500, 'methods.bank.neighbours': neighbours}
  )
  (split,) = exp.splits
  train, test = (_features(exp, rows) for rows in (split.train, split.test))
  far = np.linalg.norm(test[:, None] - train[None], axis=2)
  expected = np.sort(far, axis=1)[:, :neighbours].mean(axis=1)
  scored = fitting.scores(exp, weights)
  found = scored.scores[losses.MEMORY][0, : len(test)]
  np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
  totals = scored.totals['bank']
  assert int(totals.queries[0]) == len(test)
  assert float(totals.usage[0].sum()) == pytest.approx(len(test), rel=1e-5)
  assert not totals.usage[0, len(train) :].any()


@pytest.mark.parametrize('select', selection.SELECTIONS)
def test_devices_share_the_slots(select):
  fields = {'model.memory.slots': 21, 'methods.bank.select': select}
  alone = fitting.fitted(**fields)
  spread = fitting.fitted(**fields, **{'mesh.memory': 8})
  assert spread[0].mesh.shape['memory'] == 8
  one, other = (fitting.scores(*fitted) for fitted in (alone, spread))
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
  exp, weights = fitting.fitted(**fields)
  count = len(exp.splits[0].test)
  scored = fitting.scores(exp, weights, ('maps',))
  maps = scored.maps[losses.MEMORY][0, :count]
  assert maps.shape == (count, 8, 8)
  # Between patches the map is linear, so that none of it is above them.
  highest = scored.scores[losses.MEMORY][0, :count] - maps.max(axis=(1, 2))
  assert (highest > -1e-5).all() and (highest < 1).all()
  normal = ~exp.splits[0].anomalous
  score = scored.scores[losses.MEMORY][0, :count]
  assert np.median(score[normal]) < np.median(score[~normal])


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
  exp, weights = fitting.fitted(**{'model.memory.slots': 30})
  other, _ = fitting.fitted(**{'model.memory.slots': 30, 'eval.batch_size': 7})
  count = len(exp.splits[0].test)
  one, two = (
    fitting.scores(e, weights).scores[losses.MEMORY][0, :count]
    for e in (exp, other)
  )
  np.testing.assert_allclose(one, two, rtol=1e-5)


@pytest.mark.parametrize(
  ('select', 'slots'),
  [('random', 2**15), ('random', 2**17), ('k_centre', 32)],
)
def test_building_holds_few_copies_of_the_features(select, slots):
  """Those collected are none of the copies that are counted."""
  fields = {'fleet.variants': ('bank',), 'methods.bank.select': select}
  exp = experiment.build(helpers.digits(**fields))
  rows = np.random.default_rng(0).random((2**12, 2**4, 64), np.float32)
  bank = {'slots': np.zeros((slots, 64), np.float32), 'count': np.int32(0)}
  tracemalloc.start()
  new, done = exp.trainer.method.finish(
    {'bank': bank}, rows, slots, 0, 0, np.random.default_rng(1)
  )
  _, peak = tracemalloc.get_traced_memory()
  tracemalloc.stop()
  assert done and new['bank']['count'] == min(slots, 2**16)
  assert peak < 1.5 * rows.nbytes + bank['slots'].nbytes


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
  scored = fitting.scores(exp, weights, ('maps',))
  np.testing.assert_allclose(
    found['score'], scored.scores[losses.MEMORY][0, : len(test)], rtol=1e-6
  )
  if features == 'patches':
    np.testing.assert_allclose(
      found['errors'], scored.maps[losses.MEMORY][0, : len(test)], rtol=1e-5
    )
