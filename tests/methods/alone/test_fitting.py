"""Training climbs the likelihood of the visible pixels, whatever the others."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.methods.alone import double, fitting, grids, kernels

SIZE = 16, 14


@pytest.mark.parametrize('holes', [False, True])
def test_the_likelihood_rises(holes):
  rng = np.random.default_rng(0)
  rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
  wave = np.sin(2 * np.pi * rows / 4) * np.cos(2 * np.pi * columns / 7)
  picture = (1.4 * wave + 0.1 * rng.normal(size=SIZE))[None]
  at = np.array([[3, 4], [3, 5], [4, 4], [0, 0]])
  exists = np.array([True, True, True, False]) & holes
  with double.on_cpu():
    hidden = grids.Hidden(jnp.asarray(at), jnp.asarray(exists))
    periods = np.array([4.2]), np.array([6.6])
    model = fitting.init(rng, SIZE, periods, kernels.Layout())
    likelihood = jax.jit(
      lambda model: fitting.log_likelihood(
        fitting.state(model, picture, hidden), hidden
      )
    )
    before = likelihood(model)
    model = fitting.train(
      model, jnp.asarray(picture), hidden, jax.random.key(0),
      fitting.Budget(2, 20), draws=4 * holes,
    )  # fmt: skip
    assert likelihood(model) > before + 20
