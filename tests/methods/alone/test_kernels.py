"""Kernels of an axis: those of the paper, and kernels whatever the weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.methods.alone import double, kernels

PLACES = np.arange(14) / 14


def _init(seed=0, **layout):
  rng = np.random.default_rng(seed)
  layout = kernels.Layout(**layout)
  return kernels.init(rng, PLACES, np.full(layout.periodic, 0.3), layout)


def test_an_axis_has_the_parameters_of_the_authors_network():
  count = sum(np.size(leaf) for leaf in jax.tree.leaves(_init()))
  assert 2 * count + 1 == 145  # Both axes, and the noise.


def test_kernels_are_those_of_their_formulas():
  with double.on_cpu():
    params = _init(widths=())
    layer = params['layers'][0]
    layer['weights'] = np.log(np.expm1(np.array([[1.0, 2.0, 3.0, 4.0]])))
    found = np.asarray(kernels.kernel(params, jnp.asarray(PLACES)))
  far = PLACES[:, None] - PLACES
  length = np.median(np.abs(far))
  wave = np.sin(np.pi * far / 0.3) / length
  units = (
    np.exp(-0.5 * (far / length) ** 2),
    PLACES[:, None] * PLACES,
    1 / (1 + far**2 / (2 * length**2)),
    np.exp(-0.5 * wave**2),
  )
  wanted = 0.01 + sum(0.1 * w * unit for w, unit in zip((1, 2, 3, 4), units))
  np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize('periodic', [1, 3])
def test_every_setting_is_a_kernel(periodic):
  with double.on_cpu():
    like = _init(periodic=periodic)
    rng, kernel = np.random.default_rng(0), jax.jit(kernels.kernel)
    for _ in range(50):
      params = jax.tree.map(lambda leaf: rng.normal(0, 2, leaf.shape), like)
      found = np.asarray(kernel(params, jnp.asarray(PLACES)))
      np.testing.assert_allclose(found, found.T, rtol=1e-12)
      least, *_, most = np.linalg.eigvalsh(found)
      assert least > -1e-10 * most
