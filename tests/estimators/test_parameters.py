import inspect

import pytest

import memae_jax


def test_parameters_have_names_that_are_known():
  with pytest.raises(TypeError, match=r'MemAE has .* mean "epochs"'):
    memae_jax.MemAE(epoch=3)
  with pytest.raises(TypeError, match='takes parameters by name'):
    memae_jax.MemAE(50)


def test_help_shows_the_parameters():
  shown = inspect.signature(memae_jax.MemAE).parameters
  assert list(shown) == list(inspect.signature(memae_jax.Bank).parameters)
  assert set(shown) == set(memae_jax.MemAE().get_params())
