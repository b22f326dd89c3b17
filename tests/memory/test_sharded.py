"""Slots over a mesh: equal to the dense read, and only sums cross devices."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from memae_jax.memory import addressing, streaming
from memae_jax.memory.addressing import ReadOptions
from tests.memory.test_streaming import assert_same, outcome, random


def _mesh(devices):
  return jax.make_mesh((devices,), ('memory',), axis_types=(AxisType.Auto,))


def _dense(arrays, threshold, options, slot_mask=None, query_mask=None):
  """The read and its gradients on one device."""
  read = functools.partial(
    addressing.read,
    threshold=threshold,
    options=options,
    slot_mask=slot_mask,
    query_mask=query_mask,
  )
  return jax.jit(functools.partial(outcome, read))(*arrays)


def _spread(devices, threshold, options, query_mask=None):
  """Returns `_dense` over devices, each of which differentiates its own sums.

  Returns:
    A function of query, slots, weight and mask of slots; the number of devices
    divides that of the slots.
  """
  options = options._replace(axis='memory')

  def local(query, slots, weight, slot_mask):
    read = functools.partial(
      streaming.read,
      threshold=threshold,
      options=options,
      slot_mask=slot_mask,
      query_mask=query_mask,
    )
    return outcome(read, query, slots, weight)

  return jax.shard_map(
    local,
    mesh=_mesh(devices),
    in_specs=(P(), P('memory'), P(), P('memory')),
    out_specs=(
      (P(), P('memory')),
      addressing.MemoryRead(*[P()] * 6, usage=P('memory')),
    ),
    check_vma=False,
  )


def _padded(devices, arrays, slot_mask=None):
  """Returns the arrays and a mask, with slots that fill up the last device."""
  query, slots, weight = arrays
  count = len(slots)
  more = -count % devices
  if slot_mask is None:
    slot_mask = np.ones(count, bool)
  return (
    query,
    np.pad(slots, ((0, more), (0, 0))),
    weight,
    np.pad(slot_mask, (0, more)),
  )


def _cut(outcomes, count):
  """Returns gradients and read of the first `count` slots, which exist."""
  (query, slots), read = outcomes
  return (query, slots[:count]), read._replace(usage=read.usage[:count])


@pytest.mark.parametrize('devices', [1, 4, 8])
def test_equals_dense(devices):
  """Neither 4 nor 8 devices, nor blocks of 3, divide 37 slots."""
  arrays = random(0, 13, 37)
  mask, seen = np.arange(37) % 9 != 5, np.arange(13) < 9
  options = ReadOptions(chunk=3)
  dense = _dense(arrays, 1 / 37, options, mask, seen)
  sharded = jax.jit(_spread(devices, 1 / 37, options, seen))(
    *_padded(devices, arrays, mask)
  )
  assert_same(_cut(sharded, 37), dense)


@pytest.mark.parametrize('threshold', [0.5, 0.999])
def test_top1_of_dead_reads(threshold):
  """The first of equal slots on several devices is read."""
  query, slots, weight = random(0, 13, 37)
  slots[3] = slots[20] = slots[33] = 2 * query[0]
  options = ReadOptions('dot', 4.0, 'top1', chunk=4)
  arrays = query, slots, weight
  dense = _dense(arrays, threshold, options)
  assert np.any(np.asarray(dense[1].kept) == 0)
  assert np.any(dense[1].usage[3]) and not np.any(dense[1].usage[20])
  sharded = jax.jit(_spread(4, threshold, options))(*_padded(4, arrays))
  assert_same(_cut(sharded, 37), dense)


def test_fewer_slots_than_devices():
  arrays, options = random(0, 4, 5), ReadOptions()
  sharded = jax.jit(_spread(8, 0.2, options))(*_padded(8, arrays))
  assert_same(_cut(sharded, 5), _dense(arrays, 0.2, options))


def _collectives(devices, queries, slots, width):
  """Returns [(name, bytes)] of the collectives of a read and its gradient."""
  mesh, options = _mesh(devices), ReadOptions(chunk=8, axis='memory')

  def local(query, memory, value_bar, entropy_bar):
    read, pull = jax.vjp(
      lambda q, m: streaming.read(q, m, 1 / slots, options), query, memory
    )
    zero = lambda x: np.zeros(x.shape, jax.dtypes.float0)
    bars = jax.tree.map(jnp.zeros_like, read)._replace(
      value=value_bar, entropy=entropy_bar, kept=zero(read.kept)
    )
    return read, pull(bars)

  step = jax.shard_map(
    local,
    mesh=mesh,
    in_specs=(P(), P('memory'), P(), P()),
    out_specs=(
      addressing.MemoryRead(*[P()] * 6, usage=P('memory')),
      (P(), P('memory')),
    ),
    check_vma=False,
  )
  struct = lambda spec, *sizes: jax.ShapeDtypeStruct(
    sizes, jnp.float32, sharding=NamedSharding(mesh, spec)
  )
  query = struct(P(), queries, width)
  text = (
    jax.jit(step)
    .lower(
      query, struct(P('memory'), slots, width), query, struct(P(), queries)
    )
    .compile()
    .as_text()
  )
  operations = re.findall(
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
    for kind, name in operations
  ]


def test_only_sums_of_the_queries_cross_the_memory_axis():
  queries, width = 16, 8
  small = _collectives(8, queries, 64, width)
  assert [name for name, _ in small] == ['all-reduce'] * 4
  row, whole = 4 * queries, 4 * queries * width
  # Peak; total; sums over the survivors; gradient of the queries.
  assert sorted(size for _, size in small) == sorted(
    [row, row, whole + 3 * row, whole]
  )
  assert _collectives(8, queries, 1024, width) == small
