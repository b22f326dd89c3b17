"""Steps that cut, join, order, pad, convolve or repeat as nodes of ONNX."""

from typing import Any

import numpy as np

from memae_jax.exported.onnx_graph import (
  Graph,
  Value,
  constant,
  depends,
  made,
  rule,
)
from memae_jax.runtime import errors


@rule('slice')
def _slice(graph, eqn, inputs):
  return [_cut(graph, eqn, inputs[0], eqn.params['start_indices'])]


def _cut(graph, eqn, x, starts, steps=None):
  """Returns a part of a value, of the shape of the result of a step."""
  x, ends = graph.whole(x), eqn.params.get('limit_indices')
  sizes = eqn.params.get('slice_sizes')
  ends = ends or [s + n for s, n in zip(starts, sizes)]
  steps = eqn.params.get('strides') or [1] * len(starts)
  cut = [
    (s, e, i, by)
    for i, (s, e, by) in enumerate(zip(starts, ends, steps))
    if (s, e, by) != (0, x.shape[i], 1)
  ]
  if not cut:
    return x
  held = [graph.held(np.asarray(part, np.int64)) for part in zip(*cut)]
  return made(eqn, graph.node('Slice', x, *held), eqn.outvars[0].aval.shape)


@rule('dynamic_slice')
def _dynamic_slice(graph, eqn, inputs):
  x, *starts = inputs
  if any(start.array is None for start in starts):
    raise errors.UserError('it cuts where the samples say')
  sizes = eqn.params['slice_sizes']
  starts = [
    int(np.clip(start.array, 0, n - size))
    for start, n, size in zip(starts, x.shape, sizes)
  ]
  return [_cut(graph, eqn, x, starts)]


@rule('concatenate')
def _concatenate(graph, eqn, inputs):
  parts = [graph.whole(x) for x in inputs]
  name = graph.node('Concat', *parts, axis=eqn.params['dimension'])
  return [made(eqn, name, eqn.outvars[0].aval.shape)]


@rule('stack')
def _stack(graph, eqn, inputs):
  axis = eqn.params['axis']
  held = graph.held(np.asarray([axis], np.int64))
  parts = [graph.node('Unsqueeze', graph.whole(x), held) for x in inputs]
  name = graph.node('Concat', *parts, axis=axis)
  return [made(eqn, name, eqn.outvars[0].aval.shape)]


@rule('dynamic_update_slice')
def _update(graph, eqn, inputs):
  """Puts a part between what is before it and after it, along one axis."""
  x, part, *starts = inputs
  if any(start.array is None for start in starts):
    raise errors.UserError('it writes where the samples say')
  other = [i for i, n in enumerate(x.shape) if part.shape[i] != n]
  if not other:
    return [graph.whole(part)]
  if len(other) > 1:
    raise errors.UserError('it writes a part of several axes')
  (axis,), x, part = other, graph.whole(x), graph.whole(part)
  size = part.shape[axis]
  start = int(np.clip(starts[axis].array, 0, x.shape[axis] - size))
  held = lambda number: graph.held(np.asarray([number], np.int64))
  cut = lambda low, high: graph.node(
    'Slice', x, held(low), held(high), held(axis)
  )
  parts = [cut(0, start), part, cut(start + size, x.shape[axis])]
  return [made(eqn, graph.node('Concat', *parts, axis=axis), x.shape)]


@rule('top_k')
def _top_k(graph, eqn, inputs):
  x, axis = graph.whole(inputs[0]), eqn.params.get('axis', -1)
  count = graph.held(np.asarray([eqn.params['k']], np.int64))
  value, index = graph.node('TopK', x, count, outputs=2, axis=axis)
  shape = eqn.outvars[0].aval.shape
  index = graph.cast(index, np.int32)
  return [made(eqn, value, shape), made(eqn, index, shape, 1)]


@rule('sort')
def _sort(graph, eqn, inputs):
  """Sorts by the last key first; equal ones stay in their order."""
  axis, keys = eqn.params['dimension'], eqn.params['num_keys']
  parts = [graph.whole(x) for x in inputs]
  shape = parts[0].shape
  count = graph.held(np.asarray([shape[axis]], np.int64))
  names = [graph.given(part) for part in parts]
  for key in reversed(range(keys)):
    _, order = graph.node(
      'TopK', names[key], count, outputs=2, axis=axis, largest=0
    )
    names = [
      graph.node('GatherElements', name, order, axis=axis) for name in names
    ]
  return [made(eqn, name, shape, i) for i, name in enumerate(names)]


@rule('gather')
def _gather(graph, eqn, inputs):
  x, index = map(graph.whole, inputs)
  how, sizes = eqn.params['dimension_numbers'], eqn.params['slice_sizes']
  last = graph.held(np.asarray([-1], np.int64))
  flat = lambda: graph.node('Squeeze', index, last)
  shape, rank = eqn.outvars[0].aval.shape, len(x.shape)
  one_axis = index.shape[-1] == 1 and len(how.start_index_map) == 1
  axis = how.start_index_map[0]
  if one_axis and how.collapsed_slice_dims == (axis,):
    batched = tuple(how.operand_batching_dims)
    others = tuple(n for i, n in enumerate(x.shape) if i)
    if not batched and axis == 0 and tuple(sizes) == (1, *others):
      return [made(eqn, graph.node('Gather', x, flat(), axis=0), shape)]
    if batched == tuple(range(rank - 1)) and axis == rank - 1:
      name = graph.node('GatherElements', x, flat(), axis=axis)
      return [made(eqn, name, shape)]
  raise errors.UserError('it gathers elements in a way that is not known here')


@rule('platform_index')
def _platform(graph, eqn, inputs):
  del graph, inputs
  for i, names in enumerate(eqn.params['platforms']):
    if names is None or 'cpu' in names:
      return [constant(np.int32(i))]
  raise errors.UserError('it has no version for CPUs')


@rule('cond')
def _cond(graph, eqn, inputs):
  which, *rest = inputs
  if which.array is None:
    raise errors.UserError('it branches as the samples say')
  branches = eqn.params['branches']
  branch = branches[int(np.clip(which.array, 0, len(branches) - 1))]
  return graph.run(branch.jaxpr, branch.consts, rest)


_MOST = 512  # Most rounds of a loop, each of which becomes nodes of its own.


@rule('scan')
def _scan(graph, eqn, inputs):
  """Writes the rounds of a loop one after another."""
  params, body = eqn.params, eqn.params['jaxpr']
  if depends((params['length'],)):
    raise errors.UserError('its network takes samples one by one')
  if params['length'] > _MOST:
    raise errors.UserError(
      f'it takes a loop of {params["length"]} rounds, and at most {_MOST} are'
      ' written'
    )
  # What is taken or made row by row has an axis less inside. JAX 0.12 has other
  # parameters for these counts than earlier ones.
  rowwise = lambda outer, inner: sum(
    one.aval.ndim != other.aval.ndim for one, other in zip(outer, inner)
  )
  carried = len(eqn.outvars) - rowwise(eqn.outvars, body.jaxpr.outvars)
  held = len(inputs) - carried - rowwise(eqn.invars, body.jaxpr.invars)
  consts, carry = inputs[:held], inputs[held : held + carried]
  along = inputs[held + carried :]
  rounds = range(params['length'])
  table: list[list[Value]] = []
  for i in reversed(rounds) if params['reverse'] else rounds:
    parts = [_row(graph, x, i) for x in along]
    out = graph.run(body.jaxpr, body.consts, [*consts, *carry, *parts])
    carry, rows = out[:carried], out[carried:]
    table.append(rows)
  table = table[::-1] if params['reverse'] else table
  stacked = []
  axis = graph.held(np.asarray([0], np.int64))
  for number, rows in enumerate(zip(*table), start=carried):
    parts = [graph.node('Unsqueeze', graph.whole(x), axis) for x in rows]
    name = graph.node('Concat', *parts, axis=0)
    shape = eqn.outvars[number].aval.shape
    stacked.append(made(eqn, name, shape, number))
  return [*carry, *stacked]


def _row(graph: Graph, x: Value, i: int) -> Value:
  """Returns the i-th part of a value along its first axis."""
  if x.array is not None and x.real == x.shape:
    return constant(x.array[i])
  x = graph.whole(x)
  index = graph.held(np.asarray(i, np.int64))
  name = graph.node('Gather', x, index, axis=0)
  return Value(x.shape[1:], x.dtype, x.shape[1:], name)


@rule('split')
def _split(graph, eqn, inputs):
  x, sizes = graph.whole(inputs[0]), eqn.params['sizes']
  held, axis = graph.held(np.asarray(sizes, np.int64)), eqn.params['axis']
  names = graph.node('Split', x, held, outputs=len(sizes), axis=axis)
  names = [names] if isinstance(names, str) else names
  return [
    made(eqn, name, eqn.outvars[i].aval.shape, i)
    for i, name in enumerate(names)
  ]


@rule('pad')
def _pad(graph, eqn, inputs):
  x, fill = inputs
  if fill.array is None:
    raise errors.UserError('it pads by what the samples say')
  return [_padded(graph, x, eqn.params['padding_config'], fill.array)]


def _padded(graph: Graph, x: Value, config: Any, fill: Any) -> Value:
  """Returns a value with a constant between its elements and around them.

  Args:
    graph: of the value.
    x: the value.
    config: (before, after, between) for each axis; the first two may be
      negative.
    fill: the constant.
  """
  x = graph.whole(x)
  held = lambda *numbers: graph.held(np.asarray(numbers, np.int64))
  filled = graph.held(np.asarray(fill, x.dtype))
  for axis, (_, _, between) in enumerate(config):
    if between:
      # One more axis, of an element and what comes after it.
      wide = graph.node('Unsqueeze', x, held(axis + 1))
      after = held(0, between)
      wide = graph.node('Pad', wide, after, filled, held(axis + 1))
      size = x.shape[axis] * (1 + between)
      shape = (*x.shape[:axis], size, *x.shape[axis + 1 :])
      name = graph.node('Reshape', wide, graph.sizes(shape))
      x = Value(shape, x.dtype, shape, name)
  ends = [(low, high - between) for low, high, between in config]
  if any(low or high for low, high in ends):
    lows, highs = zip(*ends)
    name = graph.node('Pad', x, held(*lows, *highs), filled)
    shape = tuple(n + low + high for n, (low, high) in zip(x.shape, ends))
    x = Value(shape, x.dtype, shape, name)
  return x


@rule('conv_general_dilated')
def _convolution(graph, eqn, inputs):
  """Convolves; batch, channels, then places is ONNX's order."""
  params, how = eqn.params, eqn.params['dimension_numbers']
  if params['batch_group_count'] != 1:
    raise errors.UserError('it takes convolutions of groups of the batch')
  x, kernel = map(graph.whole, inputs)
  config = [(0, 0, 0)] * len(x.shape)
  for axis, (low, high), every in zip(
    how.lhs_spec[2:], params['padding'], params['lhs_dilation']
  ):
    config[axis] = low, high, every - 1
  x = _padded(graph, x, config, 0)
  x = graph.node('Transpose', x, perm=list(how.lhs_spec))
  kernel = graph.node('Transpose', kernel, perm=list(how.rhs_spec))
  name = graph.node(
    'Conv',
    x,
    kernel,
    strides=list(params['window_strides']),
    dilations=list(params['rhs_dilation']),
    group=params['feature_group_count'],
  )
  back = np.argsort(how.out_spec).tolist()
  name = graph.node('Transpose', name, perm=back)
  return [made(eqn, name, eqn.outvars[0].aval.shape)]
