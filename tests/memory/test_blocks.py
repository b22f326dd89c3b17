"""Slots taken block by block."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.memory import blocks


@pytest.mark.parametrize(
  'queries, slots, read_bytes, expected',
  [
    (4096, 2**20, 2**28, 4096),
    (4096, 2**20, 2**20, 128),
    (10**9, 2**20, 2**28, 128),
    (3, 2**20, 2**28, 2**20),
    (4096, 50, 2**28, 50),
    (1000, 2**20, 2**28, 16768),
  ],
)
def test_chunk_size(queries, slots, read_bytes, expected):
  assert blocks.chunk_size(queries, slots, read_bytes) == expected


_highest = jax.jit(blocks.highest, static_argnums=1)


@settings(max_examples=40, deadline=None)
@given(
  seed=st.integers(0, 999),
  k=st.sampled_from([1, 2, 5]),
  columns=st.sampled_from([7, 512, 2600, 2623]),
  values=st.sampled_from([2, 5, 1000]),
  exist=st.sampled_from([0.0, 0.002, 0.5, 1.0]),
)
def test_the_highest_are_those_of_top_k(seed, k, columns, values, exist):
  """Few values have many ties, and where few exist the others are -inf."""
  rng = np.random.default_rng(seed)
  score = rng.integers(0, values, (6, columns)).astype(np.float32)
  score[rng.random(score.shape) >= exist] = -np.inf
  for found, expected in zip(_highest(score, k), jax.lax.top_k(score, k)):
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype


def test_most_of_a_row_is_not_sorted():
  score = jax.ShapeDtypeStruct((6, 8192), jnp.float32)
  program = jax.jit(functools.partial(blocks.highest, k=5)).lower(score)
  sorted_ = re.findall(r'top_k\(.*?tensor<6x(\d+)x', program.as_text())
  assert sorted(map(int, sorted_)) == [5 * 32, 8192 // 32]
