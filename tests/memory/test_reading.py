"""The read that is taken is the one that the options ask for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import memory
from memae_jax.memory import addressing
from tests.memory.test_streaming import random


def _streams(queries, slots, **options):
  """Returns whether the program of a read has a loop over blocks of slots."""
  shape = lambda *sizes: jax.ShapeDtypeStruct(sizes, jnp.float32)
  read = lambda q, m: memory.read(q, m, 0.1, memory.ReadOptions(**options))
  program = jax.make_jaxpr(read)(shape(queries, 8), shape(slots, 8))
  return 'dynamic_slice' in str(program)


def test_auto_streams_what_does_not_fit():
  assert not _streams(4096, 2000)
  assert _streams(4096, 65536)
  assert not _streams(4096, 65536, read_bytes=2**33)
  assert not _streams(4096, 65536, shrink_gradient='published')
  assert _streams(4, 5, kind='streaming')
  assert not _streams(4096, 65536, kind='dense')
  assert _streams(4096, 65536, kind='top_k', k=4)


@pytest.mark.parametrize(
  'options',
  [
    {},
    {'kind': 'dense'},
    {'kind': 'streaming', 'read_bytes': 1},
    {'read_bytes': 1},
    {'kind': 'top_k', 'k': 200},
    {'shrink_gradient': 'published', 'read_bytes': 1},
  ],
)
def test_all_give_the_same(options):
  query, slots, _ = random(0, 5, 200, 8)
  usual = memory.ReadOptions(similarity='dot', temperature=2.0)
  masked = dict(slot_mask=np.arange(200) < 150)
  run = lambda read: jax.jit(read)(query, slots)
  dense = run(lambda q, m: addressing.read(q, m, 1 / 150, usual, **masked))
  options = usual._replace(**options)
  read = run(lambda q, m: memory.read(q, m, 1 / 150, options, **masked))
  for one, two in zip(read, dense, strict=True):
    np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
  'options, message',
  [
    ({'kind': 'sparse'}, '"sparse".*"streaming"'),
    ({'kind': 'streaming', 'shrink_gradient': 'published'}, 'kind "dense"'),
    ({'axis': 'memory', 'shrink_gradient': 'published'}, 'no mesh axis'),
    ({'axis': 'memory', 'kind': 'dense'}, '"memory".*"streaming"'),
    ({'kind': 'top_k'}, 'k is None'),
    ({'k': 3}, 'k is 3'),
  ],
)
def test_what_does_not_go_together_is_named(options, message):
  with pytest.raises(ValueError, match=message):
    memory.read(*random(0)[:2], 0.1, memory.ReadOptions(**options))
