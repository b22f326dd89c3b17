"""Sums over reads, and slots that point the same way."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.memory import addressing, usage


def test_usage_summary():
  weights = jnp.asarray([[1.0, 0, 0, 0], [0.5, 0.5, 0, 0], [0, 0, 0, 0]])
  read = addressing.MemoryRead(
    value=weights,
    entropy=weights[:, 0],
    log_z=weights[:, 0],
    highest=weights[:, 0],
    kept_mass=weights[:, 0],
    kept=jnp.asarray([1, 2, 0]),
    usage=jnp.sum(weights, axis=0),
  )
  out = usage.summary(usage.totals(read))
  assert out['dead_read_rate'] == pytest.approx(1 / 3)
  assert out['mean_kept'] == pytest.approx(1.0)
  assert out['slots_used'] == 2
  share = np.asarray([0.75, 0.25])
  assert out['usage_perplexity'] == pytest.approx(
    np.exp(-np.sum(share * np.log(share))), rel=1e-6
  )


def test_duplicate_slots():
  slots = np.asarray([[1, 0], [2, 0], [0, 1], [-1, 0]], np.float32)
  count = functools.partial(usage.duplicate_slots, slots)
  assert count() == 2
  assert count(np.asarray([True, False, True, True])) == 0
