"""Steps of traced functions as nodes of ONNX, see `onnx_graph`."""

import string
from typing import Any

import numpy as np

from memae_jax.exported.onnx_graph import Graph, Value, made, rule
from memae_jax.runtime import errors

# {primitive: node} of those that are the same, element by element.
_SAME = {
  'add': 'Add',
  'add_any': 'Add',
  'sub': 'Sub',
  'mul': 'Mul',
  'div': 'Div',
  'max': 'Max',
  'min': 'Min',
  'tanh': 'Tanh',
  'logistic': 'Sigmoid',
  'exp': 'Exp',
  'log': 'Log',
  'sqrt': 'Sqrt',
  'neg': 'Neg',
  'abs': 'Abs',
  'sign': 'Sign',
  'floor': 'Floor',
  'erf': 'Erf',
  'pow': 'Pow',
  'and': 'And',
  'or': 'Or',
  'not': 'Not',
  'eq': 'Equal',
  'gt': 'Greater',
  'ge': 'GreaterOrEqual',
  'lt': 'Less',
  'le': 'LessOrEqual',
}


def _together(inputs: list[Value]) -> tuple[int, ...]:
  return np.broadcast_shapes(*(x.real for x in inputs))


def _same(graph: Graph, eqn: Any, inputs: list[Value]) -> list[Value]:
  name = graph.node(_SAME[eqn.primitive.name], *inputs)
  return [made(eqn, name, _together(inputs))]


for _name in _SAME:
  rule(_name)(_same)


@rule('stop_gradient', 'copy', 'copy_p', 'name', 'optimization_barrier')
def _unchanged(graph, eqn, inputs):
  del graph, eqn
  return inputs


@rule('square', 'integer_pow')
def _power(graph, eqn, inputs):
  (x,) = inputs
  power = eqn.params.get('y', 2)
  if power == 2:
    return [made(eqn, graph.node('Mul', x, x), x.real)]
  name = graph.node('Pow', x, graph.held(np.asarray(power, x.dtype)))
  return [made(eqn, name, x.real)]


@rule('rsqrt')
def _rsqrt(graph, eqn, inputs):
  name = graph.node('Reciprocal', graph.node('Sqrt', *inputs))
  return [made(eqn, name, inputs[0].real)]


@rule('log1p', 'expm1')
def _near_one(graph, eqn, inputs):
  one = graph.held(np.asarray(1, inputs[0].dtype))
  if eqn.primitive.name == 'log1p':
    name = graph.node('Log', graph.node('Add', *inputs, one))
  else:
    name = graph.node('Sub', graph.node('Exp', *inputs), one)
  return [made(eqn, name, inputs[0].real)]


@rule('ne')
def _unequal(graph, eqn, inputs):
  name = graph.node('Not', graph.node('Equal', *inputs))
  return [made(eqn, name, _together(inputs))]


@rule('is_finite')
def _finite(graph, eqn, inputs):
  either = graph.node(
    'Or', graph.node('IsNaN', *inputs), graph.node('IsInf', *inputs)
  )
  return [made(eqn, graph.node('Not', either), inputs[0].real)]


@rule('convert_element_type')
def _cast(graph, eqn, inputs):
  to = graph.dtype(eqn.params['new_dtype'])
  return [made(eqn, graph.node('Cast', *inputs, to=to), inputs[0].real)]


@rule('select_n')
def _select(graph, eqn, inputs):
  which, *cases = inputs
  if len(cases) != 2 or which.dtype != bool:
    raise errors.UserError('it chooses among more than two values')
  no, yes = cases
  is_bool = no.dtype == bool
  if is_bool:
    no, yes = (graph.cast(x, np.int32) for x in (no, yes))
  name = graph.node('Where', which, yes, no)
  if is_bool:
    name = graph.cast(name, bool)
  return [made(eqn, name, _together(inputs))]


@rule('clamp')
def _clamp(graph, eqn, inputs):
  low, x, high = inputs
  name = graph.node('Min', graph.node('Max', x, low), high)
  return [made(eqn, name, _together(inputs))]


@rule('broadcast_in_dim')
def _broadcast(graph, eqn, inputs):
  (x,), rank = inputs[:1], len(eqn.params['shape'])
  places = eqn.params['broadcast_dimensions']
  real = [1] * rank
  for place, size in zip(places, x.real):
    real[place] = size
  out = eqn.outvars[0].aval
  if x.array is not None:
    array = x.array.reshape(real)
    return [Value(out.shape, out.dtype, tuple(real), array=array)]
  axes = np.asarray([i for i in range(rank) if i not in places], np.int64)
  name = graph.node('Unsqueeze', x, graph.held(axes)) if len(axes) else x.name
  return [made(eqn, name, real)]


@rule('reshape')
def _reshape(graph, eqn, inputs):
  shape = eqn.outvars[0].aval.shape
  x = graph.whole(inputs[0])
  return [made(eqn, graph.node('Reshape', x, graph.sizes(shape)), shape)]


@rule('squeeze')
def _squeeze(graph, eqn, inputs):
  (x,), axes = inputs, eqn.params['dimensions']
  real = [n for i, n in enumerate(x.real) if i not in axes]
  held = graph.held(np.asarray(axes, np.int64))
  return [made(eqn, graph.node('Squeeze', x, held), real)]


@rule('transpose')
def _transpose(graph, eqn, inputs):
  (x,), order = inputs, eqn.params['permutation']
  name = graph.node('Transpose', x, perm=list(order))
  return [made(eqn, name, [x.real[i] for i in order])]


def _reduce(graph, eqn, inputs):
  x, axes = graph.whole(inputs[0]), eqn.params['axes']
  if not axes:  # Which means all of them to ONNX.
    return [x]
  kinds = {'reduce_sum': 'ReduceSum', 'reduce_min': 'ReduceMin'}
  kind = kinds.get(eqn.primitive.name, 'ReduceMax')
  is_bool = x.dtype == bool
  given = graph.cast(x, np.int32) if is_bool else x
  held = graph.held(np.asarray(axes, np.int64))
  name = graph.node(kind, given, held, keepdims=0)
  if is_bool:
    name = graph.cast(name, bool)
  return [made(eqn, name, eqn.outvars[0].aval.shape)]


for _name in ('reduce_sum', 'reduce_max', 'reduce_min', 'reduce_or'):
  rule(_name)(_reduce)


@rule('argmax')
def _argmax(graph, eqn, inputs):
  x = graph.whole(inputs[0])
  (axis,) = eqn.params['axes']
  name = graph.node('ArgMax', x, axis=axis, keepdims=0)
  name = graph.cast(name, eqn.params['index_dtype'])
  return [made(eqn, name, eqn.outvars[0].aval.shape)]


@rule('dot_general')
def _dot(graph, eqn, inputs):
  left, right = (graph.whole(x) for x in inputs)
  (of_left, of_right), (batch_left, batch_right) = eqn.params[
    'dimension_numbers'
  ]
  letters = iter(string.ascii_lowercase)
  first = [next(letters) for _ in left.shape]
  second = [''] * len(right.shape)
  for i, k in zip((*of_left, *batch_left), (*of_right, *batch_right)):
    second[k] = first[i]
  second = [name or next(letters) for name in second]
  used = {*of_left, *batch_left}
  out = [first[i] for i in batch_left]
  out += [name for i, name in enumerate(first) if i not in used]
  used = {*of_right, *batch_right}
  out += [name for i, name in enumerate(second) if i not in used]
  shape = eqn.outvars[0].aval.shape
  if (first, second, out) == (['a', 'b'], ['b', 'c'], ['a', 'c']):
    return [made(eqn, graph.node('MatMul', left, right), shape)]
  equation = f'{"".join(first)},{"".join(second)}->{"".join(out)}'
  name = graph.node('Einsum', left, right, equation=equation)
  return [made(eqn, name, shape)]
