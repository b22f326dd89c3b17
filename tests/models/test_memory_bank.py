"""The bank hands the memory what it needs, unchanged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax import memory
from memae_jax.models import memory_bank


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
