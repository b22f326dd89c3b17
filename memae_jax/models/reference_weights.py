"""Conversion between weights of the released PyTorch network and ours.

Encoder and decoder of the released network are sequences of (convolution,
BatchNorm, activation), numbered through: layer i has its convolution at 3 i and
its norm at 3 i + 1.

  encoder.3.weight               [O, I, *k]  encoder/Conv_1/kernel [*k, I, O]
  decoder.3.weight               [I, O, *k]  decoder/Conv_1/kernel [*k, I, O]
  encoder.4.weight, .bias        [O]         .../BatchNorm_0/scale, bias
  encoder.4.running_mean, _var   [O]         batch_stats: .../mean, var
  encoder.4.num_batches_tracked  []          -
  mem_rep.memory.weight          [N, C]      bank/slots

A transposed convolution is the adjoint of a convolution in both, so no kernel
is flipped. Arrays come in and go out: PyTorch is not needed.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from flax import traverse_util

from memae_jax.runtime import errors, foreign

MEMORY = 'mem_rep.memory.weight'
_COUNT = 'num_batches_tracked'
_LEAVES = {
  'kernel': 'weight',
  'scale': 'weight',
  'bias': 'bias',
  'mean': 'running_mean',
  'var': 'running_var',
}
# The order of the released files.
_PARTS = ('encoder', 'mem_rep', 'decoder')
_WITHIN = ('weight', 'bias', 'running_mean', 'running_var', _COUNT)

_Path = tuple[str, ...]  # (collection, part, module, ..., leaf)


def _name(path: _Path) -> str:
  """Returns the reference name of one of our leaves."""
  if path[1] == 'bank':
    return MEMORY
  module, number = path[2].split('_')
  at = 3 * int(number) + (module == 'NormAct')
  return f'{path[1]}.{at}.{_LEAVES[path[-1]]}'


def _order(name: str) -> tuple[int, int, int]:
  """Returns a key that sorts reference names as in the released files."""
  part, number, leaf = name.split('.')
  number = int(number) if number.isdigit() else 0
  return _PARTS.index(part), number, _WITHIN.index(leaf)


def _channel_axes(path: _Path) -> tuple[int, ...]:
  """Returns our positions of the two leading axes of a reference kernel."""
  if path[-1] != 'kernel':
    return ()
  return (-1, -2) if path[1] == 'encoder' else (-2, -1)


def _theirs(path: _Path, array: np.ndarray) -> np.ndarray:
  axes = _channel_axes(path)
  return np.moveaxis(array, axes, range(len(axes)))


def _ours(path: _Path, array: np.ndarray) -> np.ndarray:
  axes = _channel_axes(path)
  return np.moveaxis(array, range(len(axes)), axes)


def to_reference(variables: Mapping[str, Any]) -> dict[str, np.ndarray]:
  """Returns the state dict of a network, in the order of the released files.

  Args:
    variables: `params` and `batch_stats` of one replica, with arrays; an
      autoencoder without memory has no `bank`.
  """
  weights = {}
  for path, leaf in traverse_util.flatten_dict(dict(variables)).items():
    name = _name(path)
    weights[name] = np.ascontiguousarray(_theirs(path, np.asarray(leaf)))
    if path[-1] == 'var':
      norm = name.rpartition('.')[0]
      weights[f'{norm}.{_COUNT}'] = np.zeros((), np.int64)
  return {name: weights[name] for name in sorted(weights, key=_order)}


def from_reference(
  weights: Mapping[str, np.ndarray], like: Mapping[str, Any]
) -> dict[str, Any]:
  """Returns `params` and `batch_stats` of a network from a state dict.

  Args:
    weights: arrays by name; `num_batches_tracked` may be absent.
    like: variables of the network: arrays, or their shapes and types.

  Raises:
    UserError: a name is missing or unknown, a shape differs, or a value is not
      finite.
  """
  leaves = traverse_util.flatten_dict(dict(like))
  needed = {_name(path) for path in leaves}
  stored = {name for name in weights if not name.endswith(f'.{_COUNT}')}
  foreign.check_names(
    stored,
    needed,
    'does not belong to this network',
    'give the state dict of a released network, and as many model.widths as it'
    ' has layers',
  )
  variables = {}
  for path, leaf in leaves.items():
    name = _name(path)
    array = np.asarray(weights[name])
    shape = _theirs(path, np.broadcast_to(0, leaf.shape)).shape
    if array.shape != shape:
      raise errors.UserError(
        f'"{name}" has shape {array.shape}, but the network of the config takes'
        f' {shape}; set model.widths, model.kernels, model.memory.slots and'
        ' data.colour to what the weights have'
      )
    if not np.isfinite(array).all():
      raise errors.UserError(f'"{name}" is not finite; give other weights')
    variables[path] = _ours(path, array).astype(leaf.dtype)
  return traverse_util.unflatten_dict(variables)
