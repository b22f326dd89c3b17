"""Distances and neighbours against all pairs in float64."""

import functools

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.memory import nearest


def _all_pairs(query, slots, k, metric='euclidean', mask=None, weights=1.0):
  query, slots = query.astype(np.float64), slots.astype(np.float64)
  if metric == 'cosine':
    query, slots = (
      x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300)
      for x in (query, slots)
    )
  far = weights * np.linalg.norm(query[:, None] - slots[None], axis=2)
  if mask is not None:
    far[:, ~mask] = np.inf
  index = np.argsort(far, axis=1, kind='stable')[:, :k]
  return np.take_along_axis(far, index, axis=1), index


@functools.partial(jax.jit, static_argnums=(2, 3, 5))
def _compiled(query, slots, k, metric, mask, read_bytes):
  return nearest.nearest(
    query, slots, k, metric, slot_mask=mask, read_bytes=read_bytes
  )


@settings(max_examples=12, deadline=None)
@given(
  seed=st.integers(0, 999),
  metric=st.sampled_from(nearest.METRICS),
  k=st.sampled_from([1, 3, 9]),
  read_bytes=st.sampled_from([1, 2**28]),
)
def test_equals_all_pairs(seed, metric, k, read_bytes):
  rng = np.random.default_rng(seed)
  query = rng.normal(size=(7, 5)).astype(np.float32)
  slots = rng.normal(size=(300, 5)).astype(np.float32)
  mask = rng.random(300) < 0.9
  found = _compiled(query, slots, k, metric, mask, read_bytes)
  distance, index = _all_pairs(query, slots, k, metric, mask)
  np.testing.assert_allclose(found.distance, distance, rtol=1e-5, atol=1e-5)
  np.testing.assert_array_equal(found.index, index)


@settings(max_examples=12, deadline=None)
@given(
  seed=st.integers(0, 999),
  k=st.sampled_from([1, 5]),
  read_bytes=st.sampled_from([1, 2**21, 2**28]),
  exist=st.sampled_from([0.01, 1.0]),
)
def test_ties_over_blocks_groups_and_tiles(seed, k, read_bytes, exist):
  """Of whole numbers all distances are exact, and most of them are equal."""
  rng = np.random.default_rng(seed)
  query = rng.integers(0, 3, (1100, 2)).astype(np.float32)
  slots = rng.integers(0, 3, (5000, 2)).astype(np.float32)
  mask = rng.random(5000) < exist
  found = _compiled(query, slots, k, 'euclidean', mask, read_bytes)
  some = np.unique(rng.integers(0, 1100, 40))
  distance, index = _all_pairs(query[some], slots, k, mask=mask)
  np.testing.assert_array_equal(np.asarray(found.index)[some], index)
  np.testing.assert_allclose(np.asarray(found.distance)[some], distance)


@pytest.mark.parametrize('metric', nearest.METRICS)
def test_in_float64(metric):
  rng = np.random.default_rng(2)
  slots = 1e6 + rng.normal(size=(4000, 3))
  query = slots[:700] + 1e-6 * rng.normal(size=(700, 3))
  with jax.enable_x64(True):
    found = nearest.nearest(query, slots, 2, metric)
  distance, index = _all_pairs(query[:50], slots, 2, metric)
  np.testing.assert_array_equal(found.index[:50], index)
  scale = 1e-9 if metric == 'euclidean' else 1e-15
  np.testing.assert_allclose(found.distance[:50], distance, atol=scale)


def test_memory_does_not_grow_with_queries_times_slots():
  shape = lambda count: jax.ShapeDtypeStruct((count, 4), np.float32)
  read = jax.jit(functools.partial(nearest.nearest, k=5, read_bytes=2**24))
  compiled = read.lower(shape(2**14), shape(2**16)).compile()
  assert compiled.memory_analysis().temp_size_in_bytes < 2 * 2**24


def test_of_equal_slots_the_first_come_first():
  slots = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
  found = nearest.nearest(np.eye(3, dtype=np.float32), slots, 5)
  np.testing.assert_array_equal(found.index[:, :4], np.arange(12).reshape(3, 4))
  np.testing.assert_allclose(found.distance[:, :4], 0)
  np.testing.assert_allclose(found.distance[:, 4], np.sqrt(2), rtol=1e-6)


def test_small_distances_far_from_zero_keep_their_digits():
  """By |q|^2 + |m|^2 - 2 q.m nothing would be left of them."""
  rng = np.random.default_rng(0)
  slots = (1000 + rng.normal(size=(50, 8))).astype(np.float32)
  query = slots[:5] + np.float32(0.01)
  found = nearest.nearest(query, slots, 1)
  distance, _ = _all_pairs(query, slots, 1)
  np.testing.assert_allclose(found.distance, distance, rtol=1e-4)


def test_fewer_slots_than_neighbours_are_infinitely_far():
  slots = np.eye(4, dtype=np.float32)
  mask = np.array([False, True, False, True])
  found = nearest.nearest(slots[:1], slots, 3, slot_mask=mask)
  assert np.isfinite(found.distance[0]).tolist() == [True, True, False]
  assert found.index[0, :2].tolist() == [1, 3]


@pytest.mark.parametrize('k', [0, 5])
def test_k_is_checked(k):
  with pytest.raises(ValueError, match=f'k is {k}'):
    nearest.nearest(np.eye(4), np.eye(4), k)
  with pytest.raises(ValueError, match='metric is "l1"'):
    nearest.nearest(np.eye(4), np.eye(4), 1, 'l1')


@functools.partial(jax.jit, static_argnums=(3, 5))
def _compiled_weighted(query, slots, weights, k, mask, read_bytes):
  return nearest.weighted(
    query, slots, weights, k, slot_mask=mask, read_bytes=read_bytes
  )


@settings(max_examples=12, deadline=None)
@given(
  seed=st.integers(0, 999),
  k=st.sampled_from([1, 3, 9]),
  read_bytes=st.sampled_from([1, 2**28]),
)
def test_weighted_distances_equal_those_of_all_pairs(seed, k, read_bytes):
  rng = np.random.default_rng(seed)
  query = (5 + rng.normal(size=(7, 5))).astype(np.float32)
  slots = (5 + rng.normal(size=(300, 5))).astype(np.float32)
  weights = rng.lognormal(0, 1, 300).astype(np.float32)
  mask = rng.random(300) < 0.9
  found = _compiled_weighted(query, slots, weights, k, mask, read_bytes)
  distance, index = _all_pairs(
    query, slots, k, mask=mask, weights=weights.astype(np.float64)
  )
  np.testing.assert_allclose(found.distance, distance, rtol=1e-5, atol=1e-5)
  np.testing.assert_array_equal(found.index, index)


def test_of_equal_weighted_distances_the_first_come_first():
  slots = np.array([[4], [2], [1], [-4], [-1], [9]], np.float32)
  weights = np.array([1, 2, 4, 1, 5, 0.5], np.float32)
  query = np.zeros((1, 1), np.float32)
  mask = np.array([True, True, True, False, True, True])
  found = nearest.weighted(query, slots, weights, 6, slot_mask=mask)
  assert found.distance[0].tolist() == [4, 4, 4, 4.5, 5, np.inf]
  assert found.index[0, :5].tolist() == [0, 1, 2, 5, 4]
  with pytest.raises(ValueError, match='k is 7'):
    nearest.weighted(query, slots, weights, 7)


def _over_devices(function, *of_slots, query):
  """Calls function(query, *of_slots) with the slots over eight devices."""
  auto = (jax.sharding.AxisType.Auto,)
  mesh = jax.make_mesh((8,), ('memory',), axis_types=auto)
  on_slots = jax.sharding.PartitionSpec('memory')
  everywhere = jax.sharding.PartitionSpec()
  spread = jax.shard_map(
    function,
    mesh=mesh,
    in_specs=(everywhere, *[on_slots] * len(of_slots)),
    out_specs=everywhere,
    check_vma=False,
  )
  return jax.jit(spread)(query, *of_slots)


@pytest.mark.parametrize('count', [64, 8 * 4200])
@pytest.mark.parametrize('metric', nearest.METRICS)
def test_slots_over_devices(metric, count):
  rng = np.random.default_rng(1)
  query = rng.normal(size=(6, 4)).astype(np.float32)
  slots = rng.normal(size=(count, 4)).astype(np.float32)
  slots[count - 24 :] = slots[:24]  # Equal ones on other devices.
  query[:3] = slots[[0, 9, 23]]
  mask = np.arange(count) < count - 3
  read = functools.partial(nearest.nearest, k=3, metric=metric, axis='memory')
  found = _over_devices(
    lambda query, slots, mask: read(query, slots, slot_mask=mask),
    slots,
    mask,
    query=query,
  )
  whole = nearest.nearest(query, slots, 3, metric, slot_mask=mask)
  # Unit vectors of two programs may differ by their last bit.
  np.testing.assert_allclose(
    found.distance, whole.distance, rtol=1e-6, atol=1e-6
  )
  np.testing.assert_array_equal(found.index, whole.index)


def test_weighted_slots_over_devices():
  rng = np.random.default_rng(1)
  query = rng.normal(size=(6, 4)).astype(np.float32)
  slots = rng.normal(size=(64, 4)).astype(np.float32)
  weights = rng.lognormal(0, 1, 64).astype(np.float32)
  slots[40:], weights[40:] = slots[:24], weights[:24]
  mask = np.arange(64) < 61
  read = functools.partial(nearest.weighted, k=5, axis='memory')
  found = _over_devices(
    lambda query, slots, weights, mask: read(
      query, slots, weights, slot_mask=mask
    ),
    slots,
    weights,
    mask,
    query=query,
  )
  distance, index = _all_pairs(
    query, slots, 5, mask=mask, weights=weights.astype(np.float64)
  )
  np.testing.assert_allclose(found.distance, distance, rtol=1e-5)
  np.testing.assert_array_equal(found.index, index)


def test_slots_by_their_numbers():
  rng = np.random.default_rng(2)
  query = rng.normal(size=(6, 4)).astype(np.float32)
  slots = rng.normal(size=(64, 4)).astype(np.float32)
  index = rng.integers(0, 64, (6, 3)).astype(np.int32)
  far = np.linalg.norm(query[:, None] - slots[index], axis=2)

  def both(query, slots, axis=None):
    one = nearest.at(slots, index[:, 0], axis)
    return one, nearest.distances(query, slots, index, axis)

  spread = functools.partial(both, axis='memory')
  for one, distance in (
    both(query, slots),
    _over_devices(spread, slots, query=query),
  ):
    np.testing.assert_array_equal(one, slots[index[:, 0]])
    np.testing.assert_allclose(distance, far, rtol=1e-5)
