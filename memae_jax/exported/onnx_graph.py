"""A traced function as a graph of ONNX, for runtimes without JAX.

A function is traced for batches of a prime number of samples; a size that is a
multiple of it is that of the batch, whatever it is when the graph runs. What
depends on no sample is computed here and becomes a constant. Values that are
repeated along an axis stay of size 1 there until something needs them whole.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from memae_jax.runtime import errors

BATCH = 1009  # Samples of the trace; no other size may be a multiple of it.
INPUT = 'samples'  # Name of what a graph takes.
_CALLS = {'jit': 'jaxpr', 'pjit': 'jaxpr', 'closed_call': 'call_jaxpr'}
_CALLS |= {'custom_jvp_call': 'call_jaxpr', 'custom_vjp_call': 'call_jaxpr'}
_CALLS |= {'checkpoint': 'jaxpr', 'remat2': 'jaxpr', 'core_call': 'call_jaxpr'}


class Value(NamedTuple):
  """A value of the trace.

  shape, dtype: in the trace. real: sizes that the graph holds, 1 where it is
  repeated. name: in the graph; '' for constants. array: of constants, of the
  real sizes; else None.
  """

  shape: tuple[int, ...]
  dtype: Any
  real: tuple[int, ...]
  name: str = ''
  array: np.ndarray | None = None


Rule = Callable[['Graph', Any, list[Value]], list[Value]]
RULES: dict[str, Rule] = {}  # By the name of a primitive.


def rule(*names: str) -> Callable[[Rule], Rule]:
  """Makes a function known as that of primitives.

  Args:
    names: of the primitives.
  """

  def known(function: Rule) -> Rule:
    RULES.update(dict.fromkeys(names, function))
    return function

  return known


def constant(array: Any) -> Value:
  """Returns a constant.

  Args:
    array: of NumPy or JAX.
  """
  array = np.asarray(array)
  return Value(array.shape, array.dtype, array.shape, array=array)


def made(eqn: Any, name: str, real: Any, index: int = 0) -> Value:
  """Returns the result of a step.

  Args:
    eqn: the step.
    name: of the result in the graph.
    real: sizes that the graph holds.
    index: of the result among those of the step.
  """
  aval = eqn.outvars[index].aval
  return Value(aval.shape, aval.dtype, tuple(real), name)


class Graph:
  """A graph that grows by its nodes."""

  def __init__(self):
    """Begins an empty one."""
    import onnx  # An extra, and slow to import.

    self._onnx = onnx
    self.nodes: list[Any] = []
    self.initial: dict[str, np.ndarray] = {}
    self._count = 0

  def dtype(self, dtype: Any) -> int:
    """Returns the number of a type in ONNX.

    Args:
      dtype: of NumPy.
    """
    return self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))

  def given(self, value: Value) -> str:
    """Returns the name of a value; a constant becomes an initial one.

    Args:
      value: any.
    """
    if value.array is None:
      return value.name
    return self.held(value.array)

  def held(self, array: Any) -> str:
    """Returns the name of a constant.

    Args:
      array: of NumPy.
    """
    self._count += 1
    name = f'c{self._count}'
    self.initial[name] = np.ascontiguousarray(array).reshape(np.shape(array))
    return name

  def node(self, kind: str, *inputs: Any, outputs: int = 1, **fields) -> Any:
    """Adds a node; returns the name of its result, or a list of several.

    Args:
      kind: of ONNX.
      inputs: names or values.
      outputs: number of results.
      fields: attributes of the node.
    """
    names = [self.given(x) if isinstance(x, Value) else x for x in inputs]
    results = []
    for _ in range(outputs):
      self._count += 1
      results.append(f'v{self._count}')
    self.nodes.append(
      self._onnx.helper.make_node(kind, names, results, **fields)
    )
    return results[0] if outputs == 1 else results

  def cast(self, x: Any, dtype: Any) -> str:
    """Returns the name of a value as another type.

    Args:
      x: a value, or its name.
      dtype: of NumPy.
    """
    return self.node('Cast', x, to=self.dtype(dtype))

  def sizes(self, shape: tuple[int, ...]) -> str:
    """Returns the name of a shape as int64, by the batch that there is.

    Args:
      shape: of the trace.
    """
    if sum(n % BATCH == 0 and n > 0 for n in shape) == 0:
      return self.held(np.asarray(shape, np.int64))
    batch = self.node('Shape', INPUT, start=0, end=1)
    parts = []
    for size in shape:
      if size % BATCH or not size:
        parts.append(self.held(np.asarray([size], np.int64)))
      else:
        times = self.held(np.asarray([size // BATCH], np.int64))
        parts.append(self.node('Mul', batch, times))
    return self.node('Concat', *parts, axis=0)

  def whole(self, value: Value) -> Value:
    """Returns a value without repetition left out.

    Args:
      value: any.
    """
    if value.real == value.shape:
      return value
    if value.array is not None and not depends(value.shape):
      return constant(np.broadcast_to(value.array, value.shape))
    name = self.node('Expand', value, self.sizes(value.shape))
    return value._replace(real=value.shape, name=name, array=None)

  def run(self, jaxpr: Any, consts: Any, inputs: list[Value]) -> list[Value]:
    """Adds the nodes of a traced function; returns its results.

    Args:
      jaxpr: of the function.
      consts: of it.
      inputs: its arguments.

    Raises:
      UserError: it has something that this writer does not know.
    """
    values = dict(zip(jaxpr.constvars, map(constant, consts)))
    values |= dict(zip(jaxpr.invars, inputs))
    read = lambda v: constant(v.val) if hasattr(v, 'val') else values[v]
    for eqn in _needed(jaxpr):
      found = self._apply(eqn, [read(v) for v in eqn.invars])
      values |= dict(zip(eqn.outvars, found))
    return [read(v) for v in jaxpr.outvars]

  def _apply(self, eqn: Any, inputs: list[Value]) -> list[Value]:
    """Returns the results of one step of a trace."""
    name = eqn.primitive.name
    if name in _CALLS:
      inner = eqn.params[_CALLS[name]]
      if hasattr(inner, 'consts'):
        return self.run(inner.jaxpr, inner.consts, inputs)
      return self.run(inner, (), inputs)
    results = [v.aval.shape for v in eqn.outvars]
    known = all(x.array is not None and x.real == x.shape for x in inputs)
    if known and not any(map(depends, results)) and name not in _KEPT:
      out = eqn.primitive.bind(*(x.array for x in inputs), **eqn.params)
      out = out if eqn.primitive.multiple_results else [out]
      return [constant(x) for x in out]
    if name not in RULES:
      raise errors.UserError(
        f'it takes the step "{name}", which this writer of ONNX does not know'
      )
    return RULES[name](self, eqn, inputs)


_KEPT = ('scan', 'cond', 'platform_index')


def depends(shape: tuple[int, ...]) -> bool:
  """Returns whether a shape depends on the batch.

  Args:
    shape: of the trace.
  """
  return any(n and n % BATCH == 0 for n in shape)


def _needed(jaxpr: Any) -> list[Any]:
  """Returns the steps that results depend on, in order."""
  wanted, kept = {v for v in jaxpr.outvars if not hasattr(v, 'val')}, []
  for eqn in reversed(jaxpr.eqns):
    if wanted & set(eqn.outvars):
      kept.append(eqn)
      wanted |= {v for v in eqn.invars if not hasattr(v, 'val')}
  return kept[::-1]
