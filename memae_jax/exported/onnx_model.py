"""A function of samples as a model of ONNX."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

# The others fill the rules of the graph.
from memae_jax.exported import onnx_graph, onnx_parts, onnx_rules  # noqa: F401
from memae_jax.runtime import errors

OPSET, _IR = 18, 10  # Versions of ONNX.
_LARGEST = 2**31 - 2**24  # Bytes of weights, below those of a protobuf.
OUTPUT = 'score'


def model(
  function: Callable[..., jax.Array],
  shape: tuple[int, ...],
  dtype: Any,
  arrays: Mapping[str, np.ndarray],
  before: Callable[[onnx_graph.Graph, str], str] | None = None,
) -> Any:
  """Returns a model of ONNX that takes samples and returns their scores.

  Args:
    function: (samples [B, ...], arrays) -> scores [B].
    shape: of one sample.
    dtype: of samples.
    arrays: second argument of the function, constants of the model.
    before: adds nodes that make samples of float64 ready; None: it takes
      samples of `dtype`.

  Raises:
    UserError: it has something that this writer does not know.
  """
  samples = np.zeros((onnx_graph.BATCH, *shape), dtype)
  traced = jax.make_jaxpr(function)(samples, dict(arrays))
  leaves = jax.tree.leaves(dict(arrays))
  if onnx_graph.depends(shape) or any(
    onnx_graph.depends(x.shape) for x in leaves
  ):
    raise errors.UserError(f'a size of it is a multiple of {onnx_graph.BATCH}')
  graph = onnx_graph.Graph()
  name = before(graph, onnx_graph.INPUT) if before else onnx_graph.INPUT
  given = onnx_graph.Value(samples.shape, samples.dtype, samples.shape, name)
  inputs = [given, *map(onnx_graph.constant, leaves)]
  (score,) = graph.run(traced.jaxpr, traced.consts, inputs)
  graph.node('Identity', graph.whole(score))
  return _as_model(graph, shape, np.float64 if before else dtype)


def _as_model(
  graph: onnx_graph.Graph, shape: tuple[int, ...], dtype: Any
) -> Any:
  """Returns a model whose result is that of the last node."""
  import onnx

  graph.nodes[-1].output[0] = OUTPUT

  used = {name for node in graph.nodes for name in node.input}
  held = {name: x for name, x in graph.initial.items() if name in used}
  if sum(x.nbytes for x in held.values()) > _LARGEST:
    raise errors.UserError('its weights exceed 2 GB, the most that ONNX holds')
  of = onnx.helper.make_tensor_value_info
  made = onnx.helper.make_graph(
    graph.nodes,
    'memae_jax',
    [of(onnx_graph.INPUT, graph.dtype(dtype), ['batch', *shape])],
    [of(OUTPUT, graph.dtype(np.float32), ['batch'])],
    [onnx.numpy_helper.from_array(x, name) for name, x in held.items()],
  )
  return onnx.helper.make_model(
    made,
    opset_imports=[onnx.helper.make_opsetid('', OPSET)],
    ir_version=_IR,
    producer_name='memae_jax',
  )
