"""Steps element by element, sums and products."""

import jax
import jax.numpy as jnp
import pytest

from tests.exported import test_onnx_model

_MEAN = lambda x: jnp.mean(x, axis=tuple(range(1, x.ndim)))


@pytest.mark.parametrize(
  'function',
  [
    lambda x: jnp.tanh(x) + jnp.exp(-x) * jax.nn.sigmoid(x),
    lambda x: jnp.where(jnp.isfinite(jnp.log(x)), jnp.log1p(x**2), x**3),
    lambda x: jnp.clip(x, -0.5, 0.5) / (1 + jax.lax.rsqrt(x * x + 1)),
    lambda x: jax.nn.softmax(x, axis=-1) * jnp.sign(x) + jnp.expm1(x / 9),
    lambda x: jnp.where(x != jnp.max(x, axis=2, keepdims=True), x, 0),
    lambda x: jnp.argmax(x, axis=1).astype(jnp.float32),
    lambda x: jnp.any(x > 1, axis=2).astype(jnp.float32),
    lambda x: jnp.einsum('bij,bkj->bik', x, x),
    lambda x: jnp.swapaxes(x, 1, 2) @ jnp.ones((3, 2)),
  ],
)
def test_steps(function):
  test_onnx_model.check(lambda x, _: _MEAN(function(x)), (3, 4))
