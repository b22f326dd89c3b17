"""The order of samples is a keyed bijection, a pure function of position."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.data import order

_PADDED = 512


@jax.jit
def _epoch(seed, count, epoch):
  position = jnp.arange(_PADDED, dtype=jnp.uint32)
  inside = jnp.minimum(position, count - 1)
  return order.sample_at(epoch * count + inside, seed, count)


@given(
  st.integers(0, 2**32 - 1), st.integers(1, _PADDED), st.integers(0, 10_000)
)
@settings(max_examples=100, deadline=None)
def test_each_epoch_holds_every_sample_once(seed, count, epoch):
  indices = _epoch(np.uint32(seed), np.uint32(count), np.uint32(epoch))[:count]
  assert sorted(np.asarray(indices).tolist()) == list(range(count))


def test_epochs_and_seeds_differ_and_repeat():
  one = _epoch(np.uint32(1), np.uint32(300), np.uint32(0))
  assert np.array_equal(one, _epoch(np.uint32(1), np.uint32(300), np.uint32(0)))
  for seed, epoch in ((1, 1), (2, 0)):
    other = _epoch(np.uint32(seed), np.uint32(300), np.uint32(epoch))
    assert np.mean(np.asarray(one) == np.asarray(other)) < 0.3


@pytest.mark.parametrize('count', [10, 17])
def test_every_place_is_equally_likely(count):
  """Chi-square of (place, sample) over seeds stays below its 1e-6 tail."""
  seeds = 20_000
  places = jnp.arange(count, dtype=jnp.uint32)
  indices = jax.jit(
    jax.vmap(lambda s: order.sample_at(places, s, np.uint32(count)))
  )(jnp.arange(seeds, dtype=jnp.uint32))
  table = np.stack(
    [np.bincount(column, minlength=count) for column in np.asarray(indices).T]
  )
  expected = seeds / count
  freedom = (count - 1) ** 2
  statistic = np.sum((table - expected) ** 2 / expected)
  assert statistic < freedom + 5 * np.sqrt(2 * freedom)


def test_large_counts_stay_inside():
  count = 2**31 - 5
  indices = order.sample_at(
    jnp.arange(1000, dtype=jnp.uint32), np.uint32(3), np.uint32(count)
  )
  assert (
    np.all(np.asarray(indices) >= 0)
    and len(set(np.asarray(indices).tolist())) == 1000
  )
