"""The top-k read equals the dense one where it says so."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.memory import addressing, top_k
from memae_jax.memory.addressing import ReadOptions
from tests.memory.test_streaming import random


@functools.partial(jax.jit, static_argnames=('similarity', 'on_empty', 'k'))
def _both(
  query,
  slots,
  threshold,
  k,
  temperature=1.0,
  similarity='cosine',
  on_empty='zero',
  **masks,
):
  options = ReadOptions(similarity, temperature, on_empty, k=k, chunk=5)
  return [
    read(query, slots, threshold, options, **masks)
    for read in (top_k.read, addressing.read)
  ]


def _assert_same(one, two, queries):
  for name, actual, expected in zip(one._fields, one, two):
    if name != 'usage':
      actual, expected = np.asarray(actual)[queries], expected[queries]
    np.testing.assert_allclose(actual, expected, atol=1e-9, err_msg=name)


@given(
  st.integers(0, 10_000),
  st.floats(0.0, 6.0),
  st.sampled_from([(1, 'zero'), (6, 'top1'), (40, 'zero')]),
  st.sampled_from([0.1, 1.0]),
)
@settings(max_examples=60, deadline=None)
def test_equals_dense_where_at_most_k_survive(seed, multiple, how, temperature):
  k, on_empty = how
  with jax.enable_x64(True):
    query, slots, _ = random(seed, 6, 23, 4, np.float64)
    read, dense = _both(
      query,
      slots,
      multiple / 23,
      k,
      temperature=temperature,
      on_empty=on_empty,
      slot_mask=np.arange(23) != 7,
      query_mask=np.arange(6) != 2,
    )
    np.testing.assert_array_equal(read.kept, dense.kept)
    np.testing.assert_allclose(read.log_z, dense.log_z, atol=1e-9)
    whole = np.asarray(dense.kept) <= k
    if not np.all(whole):  # Usage sums over lost queries, too.
      read = read._replace(usage=dense.usage)
    _assert_same(read, dense, whole)
    lost = np.asarray(read.kept_mass) < np.asarray(dense.kept_mass) - 1e-12
    np.testing.assert_array_equal(lost, ~whole)


@pytest.mark.parametrize('similarity', ['cosine', 'dot'])
def test_ties_and_dead_reads(similarity):
  query, slots, _ = random(0, 6, 23)
  slots[[3, 11, 20]] = 2 * query[0]
  query[1] = 0
  read, dense = _both(
    query, slots, 0.999, 4, similarity=similarity, on_empty='top1'
  )
  np.testing.assert_array_equal(read.kept, dense.kept)
  np.testing.assert_allclose(read.value, dense.value, atol=1e-6)
  np.testing.assert_allclose(read.usage, dense.usage, atol=1e-6)
  np.testing.assert_array_equal(read.value[1], slots[0])


def test_no_gradient():
  query, slots, _ = random(0)
  options = ReadOptions(k=4, chunk=4)
  objective = lambda q: jnp.sum(top_k.read(q, slots, 0.1, options).value)
  assert not np.any(jax.jit(jax.grad(objective))(query))


def test_k_is_needed():
  with pytest.raises(ValueError, match='needs k'):
    top_k.read(*random(0)[:2], 0.1, ReadOptions())
