"""The streaming read equals the dense one, without its [Q, N] arrays."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from memae_jax.memory import addressing, streaming
from memae_jax.memory.addressing import ReadOptions


def _objective(read, query, slots, weight):
  """A smooth function of value and entropy."""
  loss = jnp.sum(jnp.sin(read.value) * weight)
  return loss + jnp.sum(read.entropy * weight[:, 0])


def outcome(read, query, slots, weight):
  """The read and its gradients in queries and slots."""

  def both(query, slots):
    out = read(query, slots)
    return _objective(out, query, slots, weight), out

  return jax.grad(both, (0, 1), has_aux=True)(query, slots)


@functools.partial(jax.jit, static_argnames=('similarity', 'on_empty', 'chunk'))
def _dense_and_streaming(
  query,
  slots,
  weight,
  threshold,
  chunk,
  temperature=1.0,
  similarity='cosine',
  on_empty='zero',
  **masks,
):
  options = ReadOptions(similarity, temperature, on_empty, chunk=chunk)
  return [
    outcome(
      lambda q, m, read=read: read(q, m, threshold, options, **masks),
      query,
      slots,
      weight,
    )
    for read in (addressing.read, streaming.read)
  ]


def random(seed, queries=7, slots=11, width=5, dtype=np.float32):
  """Queries, slots and weights of the objective."""
  rng = np.random.default_rng(seed)
  draw = lambda *shape: rng.normal(size=shape).astype(dtype)
  return 2 * draw(queries, width), draw(slots, width), draw(queries, width)


def assert_same(actual, expected, value=1e-5, gradient=1e-4):
  """Compares (gradients, read) by the largest number of each array."""
  for name, limit, ones, twos in (
    ('gradient', gradient, actual[0], expected[0]),
    ('read', value, actual[1], expected[1]),
  ):
    for i, (one, two) in enumerate(zip(ones, twos, strict=True)):
      assert one.shape == two.shape and one.dtype == two.dtype
      error = np.max(np.abs(np.asarray(one) - np.asarray(two)))
      scale = max(np.max(np.abs(two)), 0.1)
      assert error <= limit * scale, f'{name} {i}: {error:.2e} of {scale:.2e}'


# Few programs, many seeds: shape, chunk and options are compiled in.
_PROGRAMS = [
  ((7, 11, 5), 4, 'cosine', 'zero'),
  ((7, 11, 5), 4, 'dot', 'top1'),
  ((4, 17, 2), 17, 'cosine', 'top1'),
  ((3, 12, 4), 3, 'dot', 'zero'),
  ((1, 1, 1), 8, 'cosine', 'zero'),
]


@given(
  st.sampled_from(_PROGRAMS),
  st.integers(0, 10_000),
  st.floats(0.0, 6.0),
  st.floats(0.05, 4.0),
  st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(max_examples=80, deadline=None)
def test_equals_dense(program, seed, multiple, temperature, masked):
  shape, chunk, similarity, on_empty = program
  rng = np.random.default_rng(seed)
  slot_mask = rng.random(shape[1]) >= masked * 0.5
  slot_mask[rng.integers(shape[1])] = True
  with jax.enable_x64(True):  # Rounding does not move slots over the threshold.
    dense, streamed = _dense_and_streaming(
      *random(seed, *shape, np.float64),
      multiple / shape[1],
      chunk,
      temperature,
      similarity=similarity,
      on_empty=on_empty,
      slot_mask=slot_mask,
      query_mask=rng.random(shape[0]) >= masked,
    )
    assert streamed[1].value.dtype == np.float64
    assert_same(streamed, dense, 1e-10, 1e-9)


@pytest.mark.parametrize('similarity', ['cosine', 'dot'])
@pytest.mark.parametrize('multiple', [0.0, 1.0, 2.0])
def test_equals_dense_in_float32(similarity, multiple):
  dense, streamed = _dense_and_streaming(
    *random(0, 33, 200, 16),
    multiple / 200,
    64,
    similarity=similarity,
    on_empty='zero',
  )
  assert_same(streamed, dense)


@pytest.mark.parametrize('on_empty', ['zero', 'top1'])
def test_dead_reads(on_empty):
  query, slots, weight = random(1)
  query[2] = 0  # Equally similar to all: dead at any threshold from 1 / N on.
  slots[9] = slots[4] = 3 * query[0]
  options = dict(similarity='cosine', on_empty=on_empty)
  for threshold in (1 / 11, 0.999):
    dense, (gradients, read) = _dense_and_streaming(
      query, slots, weight, threshold, 4, **options
    )
    assert_same((gradients, read), dense)
    dead = np.asarray(read.kept) == 0
    assert dead[2] and (threshold < 0.9 or np.all(dead))
    assert not np.any(np.asarray(read.kept_mass)[dead])
    assert not np.any(np.asarray(read.entropy)[dead])
    assert not np.any(np.asarray(gradients[0])[dead])
    if on_empty == 'zero':
      assert not np.any(np.asarray(read.value)[dead])
    else:
      np.testing.assert_array_equal(read.value[2], slots[0])
  if on_empty == 'zero':
    assert not np.any(gradients[1]) and not np.any(read.usage)
  else:
    np.testing.assert_array_equal(read.value[0], slots[4])
    assert np.any(gradients[1][4]) and not np.any(gradients[1][9])


def test_no_slot_exists():
  _, (gradients, read) = _dense_and_streaming(
    *random(0),
    0.1,
    4,
    similarity='cosine',
    on_empty='zero',
    slot_mask=np.zeros(11, bool),
  )
  assert not np.any(read.value) and not np.any(read.kept)
  assert all(not np.any(g) for g in gradients)


def test_everything_stays_finite():
  for query, slots in (
    (np.zeros((2, 3)), np.zeros((4, 3))),
    (np.zeros((2, 3)), np.ones((4, 3))),
    (np.full((2, 3), 1e4), np.full((4, 3), -1e4)),
    (np.full((2, 3), 1e-30), np.eye(4, 3)),
  ):
    arrays = [x.astype(np.float32) for x in (query, slots, query + 1)]
    for threshold in (0.0, 0.25, 1.0):
      for similarity in ('cosine', 'dot'):
        dense, streamed = _dense_and_streaming(
          *arrays, threshold, 3, similarity=similarity, on_empty='zero'
        )
        assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(streamed))
        np.testing.assert_allclose(
          streamed[1].value, dense[1].value, rtol=1e-5, atol=1e-6
        )


def test_gradient_agrees_with_finite_differences():
  with jax.enable_x64(True):
    query, slots, weight = random(3, dtype=np.float64)

    def objective(query, slots):
      read = streaming.read(
        query, slots, 1 / 11, ReadOptions(temperature=0.5, chunk=4)
      )
      return _objective(read, query, slots, weight)

    check_grads(
      jax.jit(objective), (query, slots), order=1, modes=['rev'], rtol=1e-5
    )


def test_types():
  query, slots, weight = random(0)
  query, slots = query.astype(jnp.bfloat16), slots.astype(jnp.bfloat16)
  dense, streamed = _dense_and_streaming(
    query, slots, weight, 0.0, 4, similarity='cosine', on_empty='zero'
  )
  assert streamed[1].value.dtype == np.float32
  assert streamed[0][0].dtype == streamed[0][1].dtype == jnp.bfloat16
  assert_same(streamed, dense, gradient=1e-2)


def test_only_queries_and_slots_have_gradients():
  query, slots, weight = random(0)

  def objective(threshold, query):
    read = streaming.read(query, slots, threshold, ReadOptions(chunk=4))
    return jnp.sum(read.log_z) + jnp.sum(read.kept_mass) + jnp.sum(read.usage)

  for gradient in jax.jit(jax.grad(objective, (0, 1)))(0.1, query):
    assert not np.any(gradient)


def test_maps_over_replicas():
  """Each replica has its own queries, slots, mask and threshold."""
  parts = [random(seed) for seed in range(3)]
  masks = np.arange(11) < np.asarray([[11], [8], [3]])
  thresholds = np.asarray([0, 1 / 8, 0.9], np.float32)

  def one(query, slots, weight, mask, threshold):
    return outcome(
      lambda q, m: streaming.read(
        q, m, threshold, ReadOptions(chunk=4, on_empty='top1'), slot_mask=mask
      ),
      query,
      slots,
      weight,
    )

  arrays = [np.stack(x) for x in zip(*parts)] + [masks, thresholds]
  single = jax.jit(one)
  expected = [single(*[x[i] for x in arrays]) for i in range(3)]
  for mapped in (
    jax.jit(jax.vmap(one))(*arrays),
    jax.jit(lambda x: jax.lax.map(lambda y: one(*y), x))(arrays),
  ):
    for i in range(3):
      assert_same(jax.tree.map(lambda x, i=i: x[i], mapped), expected[i])


def _gradient_step(queries, slots, width, chunk):
  """value_and_grad of a read with all its results, and abstract arguments."""

  def objective(query, memory):
    read = streaming.read(query, memory, 1 / slots, ReadOptions(chunk=chunk))
    return jnp.sum(read.value) + jnp.sum(read.entropy), read

  shape = lambda *sizes: jax.ShapeDtypeStruct(sizes, jnp.float32)
  return (
    jax.value_and_grad(objective, (0, 1), has_aux=True),
    (shape(queries, width), shape(slots, width)),
  )


def test_nothing_is_as_large_as_all_weights():
  queries, slots, chunk = 64, 1024, 96
  step, args = _gradient_step(queries, slots, 8, chunk)
  text = str(jax.make_jaxpr(step)(*args))
  sizes = [
    np.prod([int(n) for n in shape.split(',')])
    for shape in re.findall(r'\b[a-z]+\d*\[([\d,]+)\]', text)
  ]
  assert queries * chunk in sizes
  assert max(sizes) <= max(queries * chunk, slots * 8)


def test_compiled_memory():
  queries, slots = 512, 8192
  step, args = _gradient_step(queries, slots, 16, 256)
  compiled = jax.jit(step).lower(*args).compile()
  temporary = compiled.memory_analysis().temp_size_in_bytes
  assert temporary < queries * slots * 4 / 4


def test_unknown_similarity_is_named():
  with pytest.raises(ValueError, match='manhattan'):
    streaming.read(*random(0)[:2], 0.1, ReadOptions('manhattan'))
