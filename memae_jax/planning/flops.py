"""Arithmetic of a traced program: matrix products and convolutions.

It is counted in the program that JAX hands to the compiler, for one device.
The body of a scan counts as often as it runs, that of a loop of unknown length,
such as the one over training steps, once. Products with the zeros that padding
and dilation insert are not counted.
"""

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

import jax.extend

# A TPU multiplies bfloat16 numbers. A product of float32 numbers takes several
# of these, as the precision asks for; by default XLA takes one.
_PASSES = {'HIGH': 3, 'HIGHEST': 6}


def count(jaxpr: Any, platform: str) -> tuple[float, float]:
  """Counts the FLOPs of one device.

  Args:
    jaxpr: closed, of a traced program.
    platform: that it is lowered for.

  Returns:
    The FLOPs, and how many a matrix unit of bfloat16 numbers needs for them.
  """
  total = Counter()
  _add(jaxpr.jaxpr, platform, 1, total)
  flops = sum(total.values())
  if platform != 'tpu':
    return float(flops), float(flops)
  return float(flops), float(sum(p * count for p, count in total.items()))


def _add(jaxpr, platform: str, times: int, total: Counter) -> None:
  """Adds the FLOPs of a program that runs `times` to `total`, by passes."""
  for eqn in jaxpr.eqns:
    name = eqn.primitive.name
    if name == 'dot_general':
      total[_passes(eqn)] += times * _dot(eqn)
    elif name == 'conv_general_dilated':
      total[_passes(eqn)] += times * _conv(eqn)
    elif name == 'cond':
      _add(_branch(eqn, platform), platform, times, total)
    else:
      inner = times * (eqn.params['length'] if name == 'scan' else 1)
      for program in _inside(eqn.params):
        _add(program, platform, inner, total)


def _inside(params: dict[str, Any]) -> Iterator[Any]:
  """Yields the programs among the parameters of an equation."""
  for value in params.values():
    for item in value if isinstance(value, (tuple, list)) else (value,):
      if isinstance(item, jax.extend.core.ClosedJaxpr):
        yield item.jaxpr
      elif isinstance(item, jax.extend.core.Jaxpr):
        yield item


def _branch(eqn, platform: str):
  """Returns the branch that the platform takes, else the one with most work."""
  branches = [branch.jaxpr for branch in eqn.params['branches']]
  platforms = eqn.params.get('branches_platforms')
  if platforms:
    for branch, names in zip(branches, platforms):
      if names is None or platform in names:
        return branch
  costs = []
  for branch in branches:
    total = Counter()
    _add(branch, platform, 1, total)
    costs.append(sum(total.values()))
  return branches[max(range(len(costs)), key=costs.__getitem__)]


def _passes(eqn) -> int:
  """Returns how many products of bfloat16 numbers stand for one product."""
  if max(v.aval.dtype.itemsize for v in eqn.invars) < 4:
    return 1
  precision = eqn.params.get('precision')
  pair = precision if isinstance(precision, tuple) else (precision,)
  return max(_PASSES.get(getattr(p, 'name', ''), 1) for p in pair)


def _dot(eqn) -> int:
  """Counts the FLOPs of a matrix product."""
  (contracted, _), _ = eqn.params['dimension_numbers']
  shape = eqn.invars[0].aval.shape
  terms = math.prod(shape[axis] for axis in contracted)  # Of each sum.
  return 2 * terms * math.prod(eqn.outvars[0].aval.shape)


def _conv(eqn) -> int:
  """Counts the FLOPs of a convolution, without products with inserted zeros."""
  params, (lhs, rhs) = eqn.params, (v.aval.shape for v in eqn.invars)
  out = eqn.outvars[0].aval.shape
  numbers = params['dimension_numbers']
  rows = out[numbers.out_spec[0]] * out[numbers.out_spec[1]]
  pairs = rhs[numbers.rhs_spec[1]]  # Channels that meet in one product.
  for axis, (stride, low_high, spread, gap) in enumerate(
    zip(
      params['window_strides'],
      params['padding'],
      params['lhs_dilation'],
      params['rhs_dilation'],
    )
  ):
    pairs *= _meetings(
      lhs[numbers.lhs_spec[axis + 2]],
      rhs[numbers.rhs_spec[axis + 2]],
      out[numbers.out_spec[axis + 2]],
      (stride, low_high[0], spread, gap),
    )
  return 2 * rows * pairs


def _meetings(size: int, taps: int, out: int, how: tuple[int, ...]) -> int:
  """Counts pairs of an output and a tap that meet an input, in one dimension.

  Args:
    size: inputs.
    taps: of the kernel.
    out: outputs.
    how: stride, padding before the first input, dilation of the inputs and of
      the kernel.
  """
  stride, low, spread, gap = how
  places = (o * stride + t * gap - low for o in range(out) for t in range(taps))
  return sum(p >= 0 and p % spread == 0 and p // spread < size for p in places)
