"""Slots over a mesh: equal to the dense read, and only sums cross devices."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from memae_jax.memory import addressing, sharded, streaming
from tests.memory.test_streaming import assert_same, outcome, random

BOTH = ('data', 'memory')


def _mesh(shape, names=BOTH):
  return jax.make_mesh(shape, names, axis_types=(AxisType.Auto,) * len(names))


def _outcome(read, arrays):
  return jax.jit(functools.partial(outcome, read))(*arrays)


@pytest.mark.parametrize(
  'shape, names',
  [((1, 8), BOTH), ((2, 4), BOTH), ((8, 1), BOTH), ((8,), ('memory',))],
)
def test_equals_dense(shape, names):
  """Neither 13 queries nor 37 slots divide by a mesh or by 3."""
  arrays = random(0, 13, 37)
  options = dict(
    threshold=1 / 37,
    slot_mask=np.arange(37) % 9 != 5,
    query_mask=np.arange(13) < 9,
  )
  dense = _outcome(functools.partial(addressing.read, **options), arrays)
  read = functools.partial(
    sharded.read, _mesh(shape, names), chunk=3, **options
  )
  assert_same(_outcome(read, arrays), dense)


@pytest.mark.parametrize('threshold', [0.5, 0.999])
def test_top1_of_dead_reads(threshold):
  """Of equal slots on several devices the first one is read."""
  query, slots, weight = random(0, 13, 37)
  slots[3] = slots[20] = slots[33] = 2 * query[0]
  options = dict(threshold=threshold, similarity='dot', on_empty='top1')
  options['temperature'] = 4.0
  dense = _outcome(
    functools.partial(addressing.read, **options), (query, slots, weight)
  )
  assert np.any(np.asarray(dense[1].kept) == 0)
  assert np.any(dense[1].usage[3]) and not np.any(dense[1].usage[20])
  read = functools.partial(sharded.read, _mesh((2, 4)), chunk=4, **options)
  assert_same(_outcome(read, (query, slots, weight)), dense)


def test_fewer_slots_than_devices():
  arrays = random(0, 4, 5)
  dense = _outcome(functools.partial(addressing.read, threshold=0.2), arrays)
  read = functools.partial(sharded.read, _mesh((1, 8)), threshold=0.2)
  assert_same(_outcome(read, arrays), dense)


def test_inside_a_sharded_step():
  """Gradients are whole where each device differentiates its own copy."""
  arrays = random(0, 6, 32)
  mesh = _mesh((8,), ('memory',))
  read = functools.partial(
    streaming.read, threshold=1 / 32, chunk=3, axis='memory'
  )
  step = jax.shard_map(
    functools.partial(outcome, read),
    mesh=mesh,
    in_specs=(P(), P('memory'), P()),
    out_specs=(
      (P(), P('memory')),
      addressing.MemoryRead(*[P()] * 5, usage=P('memory')),
    ),
    check_vma=False,
  )
  dense = _outcome(functools.partial(addressing.read, threshold=1 / 32), arrays)
  assert_same(jax.jit(step)(*arrays), dense)


def _collectives(shape, queries, slots, width):
  """[(name, bytes)] in the compiled value and gradient of a read."""
  mesh = _mesh(shape)

  def step(query, memory, value_bar, entropy_bar):
    read, pull = jax.vjp(
      lambda q, m: sharded.read(mesh, q, m, 1 / slots, chunk=8), query, memory
    )
    zero = lambda x: np.zeros(x.shape, jax.dtypes.float0)
    bars = jax.tree.map(jnp.zeros_like, read)._replace(
      value=value_bar, entropy=entropy_bar, kept=zero(read.kept)
    )
    return read, pull(bars)

  struct = lambda axis, *sizes: jax.ShapeDtypeStruct(
    sizes, jnp.float32, sharding=NamedSharding(mesh, P(axis))
  )
  query = struct('data', queries, width)
  text = (
    jax.jit(step)
    .lower(
      query, struct('memory', slots, width), query, struct('data', queries)
    )
    .compile()
    .as_text()
  )
  found = re.findall(
    r'= (.*?) (all-\w+|collective-\w+|reduce-scatter|ragged-all-\w+)'
    r'(?:-start)?\(',
    text,
  )
  return [
    (
      name,
      sum(
        4 * int(np.prod([int(n) for n in sizes.split(',') if n]))
        for sizes in re.findall(r'\b[fsu]32\[([\d,]*)\]', kind)
      ),
    )
    for kind, name in found
  ]


def test_only_sums_of_the_queries_cross_the_memory_axis():
  queries, width = 16, 8
  small = _collectives((1, 8), queries, 64, width)
  assert [name for name, _ in small] == ['all-reduce'] * 4
  row, whole = 4 * queries, 4 * queries * width
  # Peak; total; sums over the survivors; gradient of the queries.
  assert sorted(size for _, size in small) == sorted(
    [row, row, whole + 3 * row, whole]
  )
  assert _collectives((1, 8), queries, 1024, width) == small


def test_only_sums_over_queries_cross_the_data_axis():
  queries, slots, width = 16, 64, 8
  found = _collectives((2, 4), queries, slots, width)
  assert [name for name, _ in found] == ['all-reduce'] * 5
  row, whole = 4 * queries // 2, 4 * queries // 2 * width
  by_slot = 4 * slots // 4 * (1 + width)  # Usage and gradient of the slots.
  assert sorted(size for _, size in found) == sorted(
    [row, row, whole + 3 * row, whole, by_slot]
  )


def test_mesh_without_memory_is_named():
  with pytest.raises(ValueError, match='\'data\'.*needs "memory"'):
    sharded.read(_mesh((8,), ('data',)), *random(0)[:2], 0.1)
