"""Traced functions by onnxruntime, against JAX."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.exported import onnx_graph, onnx_model
from memae_jax.runtime import errors

runtime = pytest.importorskip('onnxruntime', reason='extra "onnx"')


def check(function, shape, arrays=None, dtype=np.float32, atol=1e-6):
  """Compares a function of samples and arrays for batches of two sizes."""
  arrays, rng = arrays or {}, np.random.default_rng(0)
  model = onnx_model.model(function, shape, dtype, arrays)
  session = runtime.InferenceSession(
    model.SerializeToString(), providers=['CPUExecutionProvider']
  )
  for count in 1, 6:
    x = rng.normal(size=(count, *shape)).astype(dtype)
    (found,) = session.run(None, {onnx_graph.INPUT: x})
    want = np.asarray(function(x, arrays))
    assert found.shape == want.shape == (count,)
    np.testing.assert_allclose(found, want, atol=atol, rtol=1e-5)


def test_a_size_of_the_batch_is_that_of_the_run():
  check(lambda x, _: jnp.sum(jnp.broadcast_to(x, (3, *x.shape)), (0, 2)), (4,))
  check(lambda x, _: jnp.sum(x.reshape(-1).reshape(-1, 4), axis=1), (2, 2))


@pytest.mark.parametrize(
  ('function', 'message'),
  [
    (lambda x, _: jax.lax.cumsum(x[:, 0]), 'the step "cumsum"'),
    (
      lambda x, _: jnp.stack([x[:, 0]] * onnx_graph.BATCH, 1)[:, 0],
      'multiple of',
    ),
  ],
)
def test_what_is_refused(function, message):
  shape = (onnx_graph.BATCH,) if message == 'multiple of' else (2,)
  with pytest.raises(errors.UserError, match=message):
    onnx_model.model(function, shape, np.float32, {})
