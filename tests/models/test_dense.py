"""Fully connected networks."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.models import dense, memae
from tests import helpers
from tests.models import variant


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
  params = model.init(jax.random.key(0), jnp.zeros((1, 120)), variant.knobs())
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
  variables = model.init(jax.random.key(1), x, variant.knobs())
  assert ('batch_stats' in variables) == batch_norm
  out = model.apply(variables, x, variant.knobs())
  assert np.isfinite(out.reconstruction).all()


@pytest.mark.parametrize('output', ['none', 'sigmoid'])
def test_ends_of_code_and_output(output):
  config = helpers.digits(
    **{'model.code_activation': 'relu', 'model.output_activation': output}
  ).model
  x = 9 * jax.random.normal(jax.random.key(0), (64, 6))
  model = memae.build(config, (6,), 7)
  init = jax.jit(model.init_with_output)
  out, _ = init(jax.random.key(1), x, variant.knobs(use_memory=False))
  assert float(out.code.min()) == 0 < float(out.code.max())
  low, high = float(out.reconstruction.min()), float(out.reconstruction.max())
  assert (low >= 0 and high <= 1) == (output == 'sigmoid')


def test_a_decoder_may_have_widths_of_its_own_and_an_output_without_signs():
  """The network of the card fraud tutorials: 30-14-7-7-30."""
  config = helpers.digits(
    **{
      'model.widths': (14,),
      'model.code': 7,
      'model.code_activation': 'relu',
      'model.decoder_widths': (7,),
      'model.output_activation': 'relu',
    }
  ).model
  x = jax.random.normal(jax.random.key(0), (16, 30))
  model = memae.build(config, (30,), None)
  kept = 'params', dense.INTERMEDIATES
  init = jax.jit(functools.partial(model.init_with_output, mutable=kept))
  out, variables = init(jax.random.key(1), x, variant.knobs())
  leaves = jax.tree.leaves(variables['params'])
  shapes = {tuple(leaf.shape) for leaf in leaves if leaf.ndim == 2}
  assert shapes == {(30, 14), (14, 7), (7, 7), (7, 30)}
  assert sum(leaf.size for leaf in leaves) == 835
  assert float(out.reconstruction.min()) == 0 < float(out.reconstruction.max())
  layer = variables['params']['encoder']['_Hidden_0']['Dense_0']
  expected = np.tanh(x @ layer['kernel'] + layer['bias'][None])
  np.testing.assert_allclose(dense.first_layer(variables), expected, rtol=1e-5)
