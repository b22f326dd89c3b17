"""The bank against brute force: features, distances, devices."""

import tracemalloc

import jax
import numpy as np
import pytest

from memae_jax import losses
from memae_jax.data import transforms
from memae_jax.features import pixels
from memae_jax.methods import bank, selection
from memae_jax.methods import slots as slots_lib
from memae_jax.runtime import errors
from memae_jax.training import experiment, loop
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


def test_the_nearest_slots_of_cells_rebuild_a_picture():
  fields = {
    'methods.bank.features': 'cells',
    'methods.bank.positions': 10,
    'methods.bank.slots': 30,
    'methods.bank.select': 'random',
    'methods.bank.blur': 0.0,
  }
  exp, weights = fitting.fitted(**fields)
  assert exp.replicas[0].slots == 30  # Whatever other memories have.
  slots = np.asarray(weights.collections['bank']['slots'][0], np.float64)
  assert slots.shape == (30, 1)
  (split,) = exp.splits
  x = transforms.apply(exp.source.inputs[split.test], split.transform)
  x = np.asarray(x, np.float64).reshape(len(x), -1)
  nearest = slots[np.abs(x[..., None] - slots[:, 0]).argmin(axis=-1), 0]
  found = fitting.scores(exp, weights).scores
  np.testing.assert_allclose(
    found['mse'][0, : len(x)],
    ((x - nearest) ** 2).mean(axis=1),
    rtol=1e-4,
    atol=1e-6,
  )
  for more in ({'neighbours': 3}, {'blur': 1.0}):  # No slot rebuilds a pixel.
    others = fields | {f'methods.bank.{k}': v for k, v in more.items()}
    assert 'mse' not in fitting.scores(*fitting.fitted(**others)).scores


def test_small_features_are_no_slots_and_at_no_distance():
  fields = {
    'methods.bank.features': 'cells',
    'methods.bank.least': 0.5,
    'methods.bank.select': 'random',
    'methods.bank.blur': 0.0,
    'model.memory.slots': 20,
  }
  exp, weights = fitting.fitted(**fields)
  slots = np.asarray(weights.collections['bank']['slots'][0])
  count = int(weights.collections['bank']['count'][0])
  assert count and (np.abs(slots[:count]) >= 0.5 - 1e-6).all()
  (split,) = exp.splits
  x = transforms.apply(exp.source.inputs[split.test], split.transform)
  (distances,) = (
    m[0, : len(x)]
    for k, m in fitting.scores(exp, weights, ('maps',)).maps.items()
    if k == losses.MEMORY
  )
  still = np.abs(np.asarray(x)[..., 0]) < 0.5
  assert 0.05 < still.mean() < 0.95
  assert (distances[still] == 0).all() and (distances[~still] > 0).any()
  exp, weights = fitting.fitted(**fields | {'methods.bank.least': 1e3})
  assert int(weights.collections['bank']['count'][0]) == 20  # None is large.


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
    ({'methods.bank.neighbours': 51}, 'neighbours" is 51, more than'),
    ({'methods.bank.reweight': 51}, 'reweight" is 51, more than model.memory'),
    (
      {'methods.bank.also': ('patches',), 'methods.bank.patch': 4},
      'also" has "patches", features of positions, beside "blur_unit", those of'
      ' whole',
    ),
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


PARTS = {
  'methods.bank.also': ('raw',),
  'methods.bank.shares': (1.0, 0.5),
}


def test_standardised_distances_are_added():
  """Where all are slots, less and over those that leave one out."""
  exp, weights = fitting.fitted(
    **PARTS, **{'model.memory.slots': 500, 'methods.bank.neighbours': 3}
  )
  (split,), total = exp.splits, 0
  inputs = [
    transforms.apply(exp.source.inputs[rows], split.transform)
    for rows in (split.train, split.test)
  ]
  kinds = pixels.blur_unit, pixels.raw
  for kind, share in zip(kinds, PARTS['methods.bank.shares'], strict=True):
    train, test = (np.asarray(kind(x), np.float64) for x in inputs)
    far = lambda x, slots=train: np.linalg.norm(x[:, None] - slots, axis=2)
    of_train = far(train) + np.diag(np.full(len(train), np.inf))
    usual, new = (
      np.sort(each, axis=1)[:, :3].mean(axis=1)
      for each in (of_train, far(test))
    )
    total = total + share * (new - usual.mean()) / usual.std()
  scored = fitting.scores(exp, weights)
  found = scored.scores[losses.MEMORY][0, : len(split.test)]
  np.testing.assert_allclose(found, total, rtol=1e-4, atol=1e-4)
  assert scored.totals.keys() == {'bank/blur_unit', 'bank/raw'}
  assert (scored.kept[0, : len(split.test)] == 6).all()


def test_maps_of_parts_are_added():
  make = lambda name, size, stride, share: bank.Part(
    slots_lib.Slots(('bank', name), count=4, is_standard=True),
    lambda x: pixels.patches(x, size, stride),
    share,
  )
  parts = make('one', 3, 1, 1.0), make('two', 2, 2, 0.5)
  rng = np.random.default_rng(0)
  variables = {
    name: {
      'slots': rng.normal(size=(4, width)).astype(np.float32),
      'count': np.int32(4),
      'mean': np.float32(width),
      'deviation': np.float32(0.5),
    }
    for name, width in (('one', 9), ('two', 4))
  }
  x, mask = rng.normal(size=(3, 6, 6, 1)).astype(np.float32), np.ones(3, bool)
  method = bank.Bank(parts, (6, 6, 1))
  found = method.predict({'bank': variables}, x, (), mask, ())
  first, second = (
    part.slots.predict(
      variables[part.slots.path[1]], part.extract(x), mask, (6, 6, 1)
    )
    for part in parts
  )
  for field in ('maps', 'scores'):
    one, two, both = (
      getattr(each, field)[losses.MEMORY] for each in (first, second, found)
    )
    np.testing.assert_allclose(both, one + 0.5 * two, rtol=1e-5, atol=1e-5)
  assert set(found.totals) == {'bank/one', 'bank/two'}


def test_parts_and_weights_over_devices_and_slot_counts():
  """A fleet of two memory sizes on a mesh equals single runs of each."""
  fields = {
    **PARTS,
    'methods.bank.weighted': True,
    'methods.bank.density': 0.3,
    'methods.bank.reweight': 4,
    'methods.bank.dropped': 0.1,
  }
  fleet = fitting.fitted(
    **fields, **{'fleet.slots': (21, 500), 'mesh.memory': 4, 'mesh.replica': 2}
  )
  assert fleet[0].mesh.shape['memory'] == 4
  both = fitting.scores(*fleet)
  for index, count in enumerate((21, 500)):
    alone = fitting.scores(
      *fitting.fitted(**fields, **{'model.memory.slots': count})
    )
    np.testing.assert_allclose(
      both.scores[losses.MEMORY][index],
      alone.scores[losses.MEMORY][0],
      rtol=1e-4,
      atol=1e-5,
    )
    for name, totals in alone.totals.items():
      np.testing.assert_array_equal(
        both.totals[name].usage[index, :count], totals.usage[0]
      )


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
    {'bank': bank}, (rows,), slots, 0, 0, np.random.default_rng(1)
  )
  _, peak = tracemalloc.get_traced_memory()
  tracemalloc.stop()
  assert done and new['bank']['count'] == min(slots, 2**16)
  assert peak < 1.5 * rows.nbytes + bank['slots'].nbytes


@pytest.mark.slow
@pytest.mark.parametrize('features', ['blur_unit', 'patches', 'parts'])
def test_the_exported_bank_scores_the_same(features, tmp_path):
  more = {}
  if features == 'parts':
    more = {
      **PARTS,
      'methods.bank.weighted': True,
      'methods.bank.reweight': 4,
    }
    features = 'blur_unit'
  fitting.check_export(
    tmp_path,
    **{
      'fleet.variants': ('bank',),
      'methods.bank.features': features,
      'methods.bank.patch': 3,
      'methods.bank.neighbours': 3,
      'model.memory.slots': 30,
      **more,
    },
  )


@pytest.mark.parametrize('method', ['bank', 'gaussian'])
def test_the_best_weights_are_those_after_the_pass(method, tmp_path):
  """Before it all distances are 0, which no memory is better than."""
  fields = {'fleet.variants': (method,), 'eval.checkpoint': 'validation'}
  exp = experiment.build(helpers.digits(**fields))
  best = jax.device_get(loop.train(exp, tmp_path).best)
  assert (best.error > 0).all() and best.step.tolist() == [1, 1]
  for name, tree in best.collections.items():
    assert all(np.any(leaf) for leaf in jax.tree.leaves(tree)), name
