"""What a graph leaves out or computes before it runs."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.exported import onnx_model
from tests.exported import test_onnx_model

pytest.importorskip('onnxruntime', reason='extra "onnx"')


def test_what_depends_on_no_sample_is_a_constant():
  arrays = {'a': np.arange(6, dtype=np.float32).reshape(2, 3)}
  function = lambda x, held: jnp.sum(x * jnp.exp(held['a'])[None], (1, 2))
  test_onnx_model.check(function, (2, 3), arrays)
  model = onnx_model.model(function, (2, 3), np.float32, arrays)
  assert 'Exp' not in [node.op_type for node in model.graph.node]


def test_what_nothing_needs_is_left_out():
  def function(x, _):
    jax.random.split(jax.random.key(0), len(x))
    return x[:, 0]

  model = onnx_model.model(function, (2,), np.float32, {})
  assert len(model.graph.node) < 5
