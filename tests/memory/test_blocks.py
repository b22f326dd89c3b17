"""Slots taken block by block."""

import pytest

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
