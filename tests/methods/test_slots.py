"""Slots by themselves: what is chosen is read, and nothing else."""

import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import losses
from memae_jax.methods import selection, slots
from tests import helpers
from tests.methods import fitting


def _slots(**fields):
  config = helpers.digits(**{'fleet.variants': ('bank',), **fields})
  return slots.build(config, fitting.replicas(config))


@pytest.mark.parametrize('count', [6, 9])
def test_chosen_slots_are_read_and_no_others(count):
  """The replica of 6 slots stands in an array with room for 9."""
  rng = np.random.default_rng(0)
  collected = rng.normal(size=(40, 5, 3)).astype(np.float32)
  queries = rng.normal(size=(7, 4, 2, 3)).astype(np.float32)
  bank = _slots(**{'fleet.slots': (6, 9), 'methods.bank.neighbours': 2})
  empty = {'other': jnp.ones(2), **bank.empty(3)}
  filled = bank.chosen(empty, collected, count, np.random.default_rng(1))
  expected = selection.select(
    collected.reshape(-1, 3), 'k_means', count, np.random.default_rng(1)
  )
  found = filled['bank']['slots']
  np.testing.assert_array_equal(found[:count], expected)
  assert len(found) == 9 and not found[count:].any()
  assert filled['other'] is empty['other']
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
  bank = _slots()
  near = bank.predict(
    bank.empty(3), jnp.ones((4, 3)), jnp.ones(4, bool), (2, 2, 1)
  )
  assert near.scores[losses.MEMORY].tolist() == [0] * 4
  assert float(bank.no_reads()['bank'].queries) == 0
