"""Slots by themselves against brute force: what is chosen is what is read."""

import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import losses
from memae_jax.methods import selection, slots
from tests import helpers
from tests.methods import fitting

SHAPE = 6, 4, 3  # Positions, and their features.


def _built(**fields):
  config = helpers.digits(**{'fleet.variants': ('bank',), **fields})
  (one,) = slots.build(config, fitting.replicas(config))
  return one


def _slots(**fields):
  options = {'count': 60, 'rule': selection.Rule('random'), **fields}
  return slots.Slots(('bank',), **options)


def _filled(one, features):
  """Returns the variables of slots that are chosen among features."""
  collected = np.asarray(one.collect(jnp.asarray(features, jnp.float32)))
  empty = {k: np.asarray(v) for k, v in one.empty(SHAPE[-1]).items()}
  filled = one.chosen(empty, collected, one.count, np.random.default_rng(1))
  assert {k: np.shape(v) for k, v in filled.items()} == {
    k: v.shape for k, v in empty.items()
  }
  return filled


def _expected(one, variables, features):
  """Returns score and distances of the features [P, C] of a sample."""
  chosen = variables['slots'][: variables['count']].astype(np.float64)
  weights = variables.get('weights', np.ones(one.count))[: len(chosen)]
  far = np.linalg.norm(features[:, None] - chosen[None], axis=2) * weights
  distance = np.sort(far, axis=1)[:, : one.neighbours].mean(axis=1)
  place = distance.argmax()
  score = distance[place]
  if one.reweight:
    own = far[place].argmin()
    around = np.argsort(np.linalg.norm(chosen - chosen[own], axis=1))
    around = around[: one.reweight]
    to = lambda which: np.linalg.norm(chosen[which] - features[place], axis=-1)
    score *= 1 - np.exp(to(own)) / np.exp(to(around)).sum()
  if one.is_standard:
    score, distance = (
      (x - variables['mean']) / variables['deviation']
      for x in (score, distance)
    )
  return score, distance


@pytest.mark.parametrize('whole', [False, True])
@pytest.mark.parametrize(
  ('weighted', 'reweight', 'is_standard'),
  [(False, 0, False), (False, 5, False), (True, 5, True)],
)
def test_scores_and_maps(whole, weighted, reweight, is_standard):
  one = _slots(
    rule=selection.Rule('random', weighted=weighted, density=9),
    neighbours=3,
    reweight=reweight,
    is_standard=is_standard,
  )
  of = lambda x: x.mean(axis=(1, 2)) if whole else x
  rng = np.random.default_rng(0)
  variables = _filled(one, of(rng.normal(size=(80, *SHAPE))))
  x = of(1.5 * rng.normal(size=(7, *SHAPE))).astype(np.float32)
  found = one.predict(variables, x, np.ones(7, bool), SHAPE)
  features = x.reshape(7, -1, SHAPE[-1]).astype(np.float64)
  score, distance = zip(*(_expected(one, variables, f) for f in features))
  close = {'rtol': 1e-5, 'atol': 1e-5}
  np.testing.assert_allclose(found.scores[losses.MEMORY], score, **close)
  assert found.kept.tolist() == [3 * features.shape[1]] * 7
  assert found.totals['bank'].queries == 7 * features.shape[1]
  if whole:
    assert found.maps == {}
  else:
    flat = found.maps[losses.MEMORY].reshape(7, -1)
    np.testing.assert_allclose(flat, distance, **close)


@pytest.mark.parametrize('count', [6, 9])
def test_chosen_slots_are_read_and_no_others(count):
  """The replica of 6 slots stands in an array with room for 9."""
  rng = np.random.default_rng(0)
  collected = rng.normal(size=(40, 5, 3)).astype(np.float32)
  queries = rng.normal(size=(7, 4, 2, 3)).astype(np.float32)
  bank = _built(**{'fleet.slots': (6, 9), 'methods.bank.neighbours': 2})
  filled = bank.chosen(
    bank.empty(3), collected, count, np.random.default_rng(1)
  )
  expected, _ = selection.select(
    collected.reshape(-1, 3), 'k_means', count, np.random.default_rng(1)
  )
  found = filled['slots']
  np.testing.assert_array_equal(found[:count], expected)
  assert len(found) == 9 and not found[count:].any()
  near = bank.predict(filled, queries, jnp.ones(7, bool), (16, 8, 1))
  far = np.linalg.norm(queries[..., None, :] - expected, axis=-1)
  far = np.sort(far, axis=-1)[..., :2].mean(axis=-1)
  np.testing.assert_allclose(
    near.scores[losses.MEMORY], far.max(axis=(1, 2)), rtol=1e-5
  )
  assert near.maps[losses.MEMORY].shape == (7, 16, 8)
  assert near.kept.tolist() == [16] * 7
  used = near.totals['bank'].usage
  assert used.sum() == pytest.approx(56) and not used[count:].any()


def test_an_empty_memory_has_no_distance():
  for bank in (_built(), _slots(reweight=3, is_standard=True)):
    near = bank.predict(
      bank.empty(3), jnp.ones((4, 3)), jnp.ones(4, bool), (2, 2, 1)
    )
    assert near.scores[losses.MEMORY].tolist() == [0] * 4
    assert float(bank.no_reads()['bank'].queries) == 0


def test_each_kind_has_a_place_of_its_own():
  config = helpers.digits(**{'fleet.variants': ('bank',)})
  both = slots.build(config, fitting.replicas(config), ('raw', 'patches'))
  assert [one.path for one in both] == [('bank', 'raw'), ('bank', 'patches')]
  assert [one.name for one in both] == ['bank/raw', 'bank/patches']
  assert all(one.is_standard for one in both)
