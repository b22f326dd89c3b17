"""The kinds of features by name, built from fields such as `methods.bank`."""

import functools
from collections.abc import Callable
from typing import Any

import jax

from memae_jax import image_errors
from memae_jax.features import pixels
from memae_jax.runtime import errors

Extract = Callable[[jax.Array], jax.Array]
# Kinds whose images must be in [-1, 1].
_FIXED = ('blur_unit', 'lite0', 'lite0_maps')


def build(
  options: Any,
  shape: tuple[int, ...],
  scaling: str,
  name: str = '',
  group: str = 'bank',
) -> Extract:
  """Returns the function that extracts features.

  Args:
    options: `config.methods.bank`, or another group with these fields.
    shape: of one sample.
    scaling: `config.data.scaling`.
    name: of the kind; '': that of `options.features`.
    group: name of the options, within `methods`.

  Returns:
    [B, *shape] model inputs -> [B, D], or [B, h, w, D] of positions.

  Raises:
    UserError: the samples do not have such features, or weights are missing.
  """
  field = f'config field "methods.{group}.features" is "{options.features}"'
  if name not in ('', options.features):
    field = f'config field "methods.{group}.also" has "{name}"'
  name = name or options.features
  if name != 'raw' and len(shape) != 3:
    raise errors.UserError(
      f'{field}, which needs images, but a sample has shape {tuple(shape)};'
      ' use "raw"'
    )
  if name == scaling == 'blur_unit':  # The inputs are such already.
    return lambda x: pixels.raw(image_errors.unit_norm(x))
  if name in _FIXED and scaling != 'fixed':
    raise errors.UserError(
      f'{field}, which needs data.scaling "fixed" and not "{scaling}"; change'
      ' one'
    )
  if name == 'patches':
    check_patch(options, shape, group)
    return functools.partial(
      pixels.patches, size=options.patch, stride=options.stride
    )
  if name.startswith('lite0'):
    from memae_jax.features import frozen, weights  # Large; only where needed.

    build_ = frozen.maps if name == 'lite0_maps' else frozen.whole
    loaded = weights.load(options.weights)
    return build_(loaded, options.outputs, options.side)
  return _PIXELS[name]


def check_patch(options: Any, shape: tuple[int, ...], group: str) -> None:
  """Raises UserError if pictures are smaller than `options.patch`.

  Args:
    options: see `build`.
    shape: of one picture.
    group: see `build`.
  """
  if options.patch > min(shape[:2]):
    raise errors.UserError(
      f'config field "methods.{group}.patch" is {options.patch}, but pictures'
      f' have {shape[0]} x {shape[1]} pixels; lower it'
    )


_PIXELS: dict[str, Extract] = {
  'raw': pixels.raw,
  'cells': pixels.cells,
  'blur_unit': pixels.blur_unit,
  'contrast_unit': pixels.contrast_unit,
}
