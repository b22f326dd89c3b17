"""The modules are thin: they hand the memory what it needs, unchanged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import memory
from memae_jax.models import memae, memory_bank
from tests import helpers


def _knobs(use_memory=True, threshold=1.0, slots=7):
  return memae.Knobs(
    jnp.asarray(use_memory),
    jnp.asarray(False),
    jnp.float32(threshold),
    jnp.int32(slots),
  )


def _model(slots=7, shape=(6,)):
  config = helpers.digits(**{'model.widths': (5,), 'model.code': 4}).model
  return memae.build(config, shape, slots)


@pytest.mark.parametrize('shape', [(3, 4), (3, 2, 5, 4), (3, 2, 2, 5, 4)])
@pytest.mark.parametrize('per_position', [True, False])
def test_bank_reads_any_leading_dimensions(shape, per_position):
  encoding = jax.random.normal(jax.random.key(0), shape)
  bank = memory_bank.MemoryBank(slots=7, per_position=per_position)
  variables = bank.init(jax.random.key(1), encoding, 1 / 7)
  value, read = bank.apply(variables, encoding, 1 / 7)
  width = 4 if per_position else int(np.prod(shape[1:]))
  slots = variables['params']['slots']
  assert slots.shape == (7, width)
  assert np.abs(slots).max() <= width**-0.5
  expected = memory.read(encoding.reshape(-1, width), slots, 1 / 7)
  assert value.shape == shape
  np.testing.assert_allclose(value.reshape(-1, width), expected.value)
  assert read.kept.shape == (encoding.size // width,)


def test_padding_does_not_count_as_usage():
  encoding = jax.random.normal(jax.random.key(0), (4, 3, 5))
  bank = memory_bank.MemoryBank(slots=6, per_position=True)
  variables = bank.init(jax.random.key(1), encoding, 0.1)
  mask = jnp.asarray([True, True, False, True])
  _, masked = bank.apply(variables, encoding, 0.1, sample_mask=mask)
  _, real = bank.apply(variables, encoding[mask], 0.1)
  np.testing.assert_allclose(masked.usage, real.usage, rtol=1e-6)


def test_half_precision_encodings_are_addressed_in_float32():
  encoding = jax.random.normal(jax.random.key(0), (4, 5), jnp.bfloat16)
  bank = memory_bank.MemoryBank(slots=6)
  variables = bank.init(jax.random.key(1), encoding, 0.1)
  value, read = bank.apply(variables, encoding, 0.1)
  assert value.dtype == jnp.bfloat16
  assert read.value.dtype == read.entropy.dtype == jnp.float32


def test_the_paper_network_for_kddcup99():
  config = helpers.digits(
    **{
      'model.widths': (60, 30, 10),
      'model.code': 3,
      'model.activation': 'tanh',
      'model.memory.slots': 50,
    }
  ).model
  model = memae.build(config, (120,), 50)
  params = model.init(jax.random.key(0), jnp.zeros((1, 120)), _knobs())
  kernels = {
    tuple(leaf.shape)
    for leaf in jax.tree.leaves(params['params'])
    if leaf.ndim == 2
  }
  assert kernels == {
    (120, 60),
    (60, 30),
    (30, 10),
    (10, 3),
    (50, 3),
    (3, 10),
    (10, 30),
    (30, 60),
    (60, 120),
  }


def test_variants_are_one_network():
  x = jax.random.normal(jax.random.key(0), (9, 6))
  model = _model()
  variables = model.init(jax.random.key(1), x, _knobs())
  plain = _model(slots=None)
  encoder = {k: v for k, v in variables['params'].items() if k != 'bank'}
  code = model.apply(variables, x, method=memae.MemAE.encode)

  out = model.apply(variables, x, _knobs(use_memory=False))
  alone = plain.apply({'params': encoder}, x, _knobs())
  np.testing.assert_allclose(out.reconstruction, alone.reconstruction)
  np.testing.assert_allclose(out.code, code)

  out = model.apply(variables, x, _knobs(threshold=0.0))
  slots = variables['params']['bank']['slots']
  value = memory.read(code, slots, 0.0).value
  decoded = model.apply(variables, value, method=memae.MemAE.decode)
  np.testing.assert_allclose(out.reconstruction, decoded, rtol=1e-5, atol=1e-6)
  assert np.all(np.asarray(out.read.kept) == 7)


def test_threshold_is_a_multiple_of_one_over_n():
  x = jax.random.normal(jax.random.key(0), (9, 6))
  model = _model()
  variables = model.init(jax.random.key(1), x, _knobs())
  code = model.apply(variables, x, method=memae.MemAE.encode)
  slots = variables['params']['bank']['slots']
  for n in (4, 7):
    out = model.apply(variables, x, _knobs(threshold=1.1, slots=n))
    expected = memory.read(code, slots[:n], 1.1 / n)
    np.testing.assert_array_equal(out.read.kept, expected.kept)


def test_images_keep_their_shape():
  x = jnp.zeros((2, 8, 8, 1))
  model = _model(shape=(8, 8, 1))
  variables = model.init(jax.random.key(1), x, _knobs())
  assert model.apply(variables, x, _knobs()).reconstruction.shape == x.shape


@pytest.mark.parametrize('activation', ['tanh', 'relu', 'leaky_relu'])
@pytest.mark.parametrize('batch_norm', [True, False])
def test_dense_options(activation, batch_norm):
  config = helpers.digits(
    **{
      'model.activation': activation,
      'model.batch_norm': batch_norm,
    }
  ).model
  x = jax.random.normal(jax.random.key(0), (16, 6))
  model = memae.build(config, (6,), 7)
  variables = model.init(jax.random.key(1), x, _knobs())
  assert ('batch_stats' in variables) == batch_norm
  out = model.apply(variables, x, _knobs())
  assert np.isfinite(out.reconstruction).all()
