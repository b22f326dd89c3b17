import jax
import jax.numpy as jnp
import pytest

from memae_jax.methods.alone import double
from memae_jax.runtime import errors


def test_programs_are_of_float64_on_a_cpu_and_others_are_not():
  with double.on_cpu():
    inside = jax.jit(lambda x: x + 1)(jnp.ones(2))
  assert inside.dtype == jnp.float64
  assert {device.platform for device in inside.devices()} == {'cpu'}
  assert jnp.ones(2).dtype == jnp.float32


def test_without_a_cpu_there_is_a_line(monkeypatch):
  def none(backend):
    raise RuntimeError(f'unknown backend {backend}')

  monkeypatch.setattr(jax, 'local_devices', none)
  with pytest.raises(errors.UserError, match='add ",cpu" to it'):
    with double.on_cpu():
      pass
