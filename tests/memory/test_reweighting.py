"""Factors of distances against all pairs in float64."""

import functools

import jax
import numpy as np
import pytest

from memae_jax.memory import nearest, reweighting


def _expected(query, slots, index, count, mask):
  """Returns equation 7 of Roth et al. (2022), with m* in its neighbourhood."""
  query, slots = query.astype(np.float64), slots.astype(np.float64)
  out = []
  for q, own in zip(query, index):
    far = np.linalg.norm(slots - slots[own], axis=1)
    far[~mask] = np.inf
    around = np.argsort(far, kind='stable')[: min(count, mask.sum())]
    each = np.exp(np.linalg.norm(slots[around] - q, axis=1))
    own = np.exp(np.linalg.norm(slots[own] - q))
    out.append(1 - own / each.sum())
  return np.array(out)


@pytest.mark.parametrize(('count', 'read_bytes'), [(2, 1), (9, 2**28)])
def test_equals_the_equation(count, read_bytes):
  rng = np.random.default_rng(count)
  query = rng.normal(size=(11, 5)).astype(np.float32)
  slots = rng.normal(size=(300, 5)).astype(np.float32)
  slots[200:] = slots[:100]  # Ties.
  mask = rng.random(300) < 0.9
  index = nearest.nearest(query, slots, slot_mask=mask).index[:, 0]
  found = jax.jit(
    functools.partial(reweighting.factors, count=count, read_bytes=read_bytes)
  )(query, slots, index, slot_mask=mask)
  expected = _expected(query, slots, np.asarray(index), count, mask)
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_it_is_the_same_over_devices():
  rng = np.random.default_rng(0)
  query = rng.normal(size=(6, 4)).astype(np.float32)
  slots = rng.normal(size=(64, 4)).astype(np.float32)
  mask = np.arange(64) < 61
  index = nearest.nearest(query, slots, slot_mask=mask).index[:, 0]
  auto = (jax.sharding.AxisType.Auto,)
  mesh = jax.make_mesh((8,), ('memory',), axis_types=auto)
  on_slots = jax.sharding.PartitionSpec('memory')
  everywhere = jax.sharding.PartitionSpec()
  spread = jax.shard_map(
    lambda query, slots, index, mask: reweighting.factors(
      query, slots, index, 5, slot_mask=mask, axis='memory'
    ),
    mesh=mesh,
    in_specs=(everywhere, on_slots, everywhere, on_slots),
    out_specs=everywhere,
    check_vma=False,
  )
  found = jax.jit(spread)(query, slots, index, mask)
  expected = _expected(query, slots, np.asarray(index), 5, mask)
  np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize('there', [0, 1])
def test_without_another_slot_nothing_changes(there):
  slots = np.eye(4, dtype=np.float32)
  index = np.zeros(2, np.int32)
  mask = np.arange(4) < there
  found = reweighting.factors(slots[1:3], slots, index, 3, slot_mask=mask)
  assert found.tolist() == [1, 1]
