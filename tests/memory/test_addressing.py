"""Parity with the published formulation, and properties of the read."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from memae_jax.memory import addressing
from tests import helpers

_STATIC = ('similarity', 'on_empty', 'shrink_gradient')


@functools.partial(jax.jit, static_argnames=_STATIC)
def _read(query, slots, threshold, slot_mask=None, **options):
  how = addressing.ReadOptions(**options)
  return addressing.read(query, slots, threshold, how, slot_mask=slot_mask)


_similarities = jax.jit(addressing.similarities, static_argnums=2)
_address = jax.jit(addressing.address)


@functools.partial(jax.jit, static_argnames=_STATIC)
def _gradients(query, slots, threshold, slot_mask=None, **options):
  """Gradients of a smooth function of value and entropy, and the read."""

  def objective(query, slots):
    out = _read(query, slots, threshold, slot_mask, **options)
    return jnp.sum(jnp.sin(out.value)) + jnp.sum(out.entropy), out

  return jax.grad(objective, (0, 1), has_aux=True)(query, slots)


def _random(seed, queries=7, slots=11, width=5, scale=2.0):
  rng = np.random.default_rng(seed)
  return (
    (scale * rng.normal(size=(queries, width))).astype(np.float32),
    rng.normal(size=(slots, width)).astype(np.float32),
  )


# Few shapes, so that few programs are compiled; many seeds.
_SHAPES = [(7, 11, 5), (1, 1, 1), (4, 17, 2)]
cases = st.builds(
  lambda seed, shape: dict(
    zip(('seed', 'queries', 'slots', 'width'), (seed, *shape))
  ),
  st.integers(0, 10_000),
  st.sampled_from(_SHAPES),
)
multiples = st.floats(0.0, 6.0).map(lambda k: round(k, 3))
kinds = st.sampled_from(['cosine', 'dot'])


@pytest.fixture(scope='module')
def golden():
  return np.load(helpers.GOLDEN / 'addressing.npz')


@pytest.mark.parametrize('gradient', ['exact', 'published'])
def test_golden(golden, gradient):
  num_cases = int(golden['num_cases'])
  assert num_cases >= 10
  for i in range(num_cases):
    case = {
      key.removeprefix(f'case{i}_'): golden[key]
      for key in golden.files
      if key.startswith(f'case{i}_')
    }
    query = jnp.asarray(case['query'], jnp.float32)
    slots = jnp.asarray(case['memory'], jnp.float32)
    kind, threshold = str(case['similarity']), float(case['threshold'])

    def objective(query, slots, case=case, kind=kind, threshold=threshold):
      out = _read(
        query, slots, threshold, similarity=kind, shrink_gradient=gradient
      )
      cotangent = jnp.asarray(case['value_cotangent'], jnp.float32)
      return jnp.sum(out.value * cotangent) + jnp.float32(
        case['entropy_cotangent']
      ) * jnp.sum(out.entropy), out

    (_, out), grads = jax.jit(
      jax.value_and_grad(objective, (0, 1), has_aux=True)
    )(query, slots)
    weights = addressing.address(
      addressing.similarities(query, slots, kind),
      threshold,
      shrink_gradient=gradient,
    ).weights
    _close(weights, case['weights'], 1e-5, f'case {i} weights')
    _close(out.value, case['value'], 1e-5, f'case {i} value')
    _close(out.entropy, case['entropy'], 1e-5, f'case {i} entropy')
    np.testing.assert_array_equal(weights > 0, case['weights'] > 0)
    _close(grads[0], case['grad_query'], 1e-4, f'case {i} grad_query')
    _close(grads[1], case['grad_memory'], 1e-4, f'case {i} grad_memory')


def _close(actual, expected, relative, name):
  scale = max(np.max(np.abs(expected)), 1e-3)
  error = np.max(np.abs(np.asarray(actual, np.float64) - expected)) / scale
  assert error <= relative, f'{name}: relative error {error:.2e}'


@given(cases, multiples, kinds)
@settings(max_examples=60, deadline=None)
def test_rows_sum_to_one_or_zero_and_survivors_are_over_lambda(
  case, multiple, kind
):
  query, slots = _random(**case)
  threshold = np.float32(multiple / case['slots'])
  scores = _similarities(query, slots, kind)
  shrunk = _address(scores, threshold)
  total = np.sum(np.asarray(shrunk.weights), axis=-1)
  dead = np.asarray(shrunk.kept) == 0
  np.testing.assert_allclose(total, np.where(dead, 0, 1), atol=1e-5)
  soft = np.asarray(jax.nn.softmax(scores.astype(jnp.float32), axis=-1))
  clear = np.abs(soft - threshold) > 1e-6  # Ties within rounding may go
  np.testing.assert_array_equal(  # either way.
    (np.asarray(shrunk.weights) > 0)[clear], (soft > threshold)[clear]
  )
  np.testing.assert_allclose(
    shrunk.kept_mass,
    np.sum(np.where(np.asarray(shrunk.weights) > 0, soft, 0), axis=-1),
    atol=1e-5,
  )


@given(cases, multiples, kinds)
@settings(max_examples=40, deadline=None)
def test_order_of_slots_does_not_matter(case, multiple, kind):
  query, slots = _random(**case)
  order = np.random.default_rng(case['seed']).permutation(case['slots'])
  threshold = multiple / case['slots']
  one = _read(query, slots, threshold, similarity=kind)
  two = _read(query, slots[order], threshold, similarity=kind)
  same = np.asarray(one.kept) == np.asarray(two.kept)  # Rounding ties apart.
  assert same.mean() > 0.8
  np.testing.assert_allclose(
    np.asarray(one.value)[same], np.asarray(two.value)[same], atol=2e-5
  )
  np.testing.assert_allclose(
    np.asarray(one.entropy)[same], np.asarray(two.entropy)[same], atol=2e-5
  )


@given(cases, multiples, kinds, st.sampled_from([1, 5]))
@settings(max_examples=40, deadline=None)
def test_masked_slots_equal_a_smaller_memory(case, multiple, kind, extra):
  query, slots = _random(**case)
  padded = np.concatenate([slots, np.full((extra, slots.shape[1]), 3.0)])
  mask = np.arange(len(padded)) < len(slots)
  threshold = multiple / len(slots)

  small, out_small = _gradients(query, slots, threshold, similarity=kind)
  large, out_large = _gradients(
    query, padded.astype(np.float32), threshold, mask, similarity=kind
  )
  np.testing.assert_allclose(out_small.value, out_large.value, atol=1e-5)
  np.testing.assert_allclose(out_small.entropy, out_large.entropy, atol=1e-5)
  np.testing.assert_array_equal(out_small.kept, out_large.kept)
  np.testing.assert_allclose(small[0], large[0], atol=1e-4)
  np.testing.assert_allclose(small[1], large[1][: len(slots)], atol=1e-4)
  assert not np.any(large[1][len(slots) :])


@given(cases, multiples, kinds)
@settings(max_examples=40, deadline=None)
def test_published_and_exact_agree_away_from_the_threshold(
  case, multiple, kind
):
  with jax.enable_x64(True):
    query, slots = (x.astype(np.float64) for x in _random(**case))
    threshold = multiple / case['slots']
    soft = jax.nn.softmax(_similarities(query, slots, kind), axis=-1)
    distance = np.min(np.abs(soft - threshold))
    if threshold > 0 and distance < 1e-5:
      return

    exact, _ = _gradients(query, slots, threshold, similarity=kind)
    published, _ = _gradients(
      query, slots, threshold, similarity=kind, shrink_gradient='published'
    )
    # The 1e-12 in the published denominator moves its gradient so far.
    atol = 1e-6 + (1e-12 / distance**2 if threshold > 0 else 0)
    for one, two in zip(exact, published):
      np.testing.assert_allclose(one, two, rtol=1e-5, atol=atol)


@pytest.mark.parametrize('kind', ['cosine', 'dot'])
@pytest.mark.parametrize('on_empty', ['zero', 'top1'])
@pytest.mark.parametrize(
  'query, slots',
  [
    (np.zeros((2, 3)), np.zeros((4, 3))),
    (np.zeros((2, 3)), np.ones((4, 3))),
    (np.full((2, 3), 1e4), np.full((4, 3), -1e4)),
    (np.full((2, 3), 1e-30), np.eye(3)),
    (np.ones((1, 3)), np.ones((1, 3))),
  ],
)
def test_gradients_are_finite_everywhere(query, slots, kind, on_empty):
  for threshold in (0.0, 0.1, 0.25, 0.9, 1.0):
    grads, out = _gradients(
      query.astype(np.float32),
      slots.astype(np.float32),
      threshold,
      similarity=kind,
      on_empty=on_empty,
    )
    assert np.all(np.isfinite(out.value)) and np.all(np.isfinite(out.entropy))
    assert all(np.all(np.isfinite(g)) for g in grads)


def test_gradient_agrees_with_finite_differences():
  with jax.enable_x64(True):
    query, slots = (x.astype(np.float64) for x in _random(3))

    def objective(query, slots):
      out = _read(query, slots, 1.0 / 11)
      return jnp.sum(jnp.sin(out.value)) + jnp.sum(out.entropy)

    check_grads(objective, (query, slots), order=1, modes=['rev'], rtol=1e-5)


def test_dead_reads():
  query, slots = _random(0)
  zero = _read(query, slots, 0.999, similarity='cosine')
  assert np.all(np.asarray(zero.kept) == 0)
  assert not np.any(zero.value) and not np.any(zero.entropy)
  assert not np.any(zero.kept_mass)
  grad = jax.grad(lambda q: jnp.sum(_read(q, slots, 0.999).value))(query)
  assert not np.any(grad)

  top = _read(query, slots, 0.999, on_empty='top1')
  nearest = np.argmax(addressing.similarities(query, slots), axis=-1)
  np.testing.assert_allclose(top.value, slots[nearest], rtol=1e-6)
  assert np.all(np.asarray(top.kept) == 0) and not np.any(top.entropy)
  slot_grad = jax.grad(
    lambda m: jnp.sum(_read(query, m, 0.999, on_empty='top1').value)
  )(slots)
  assert set(np.flatnonzero(np.any(slot_grad, axis=1))) == set(nearest.tolist())


def test_released_defaults_start_dead():
  """N = 2000 with lambda = 5/N: the published set-up reads almost nothing."""
  rng = np.random.default_rng(0)
  slots = rng.uniform(-1 / 16, 1 / 16, (2000, 256)).astype(np.float32)
  normal = rng.normal(size=(400, 256))
  query = np.where(normal > 0, normal, 0.2 * normal).astype(np.float32)
  rate = lambda kind: float(
    np.mean(np.asarray(_read(query, slots, 0.0025, similarity=kind).kept) == 0)
  )
  assert rate('dot') > 0.9
  assert rate('cosine') == 1.0


def test_unknown_similarity_is_named():
  with pytest.raises(ValueError, match='manhattan'):
    addressing.similarities(*_random(0), similarity='manhattan')
