"""Second stage of scaling: fitted on the training normals of a split.

It runs inside the compiled step, on the samples that `host_stage` returns.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from memae_jax import image_errors
from memae_jax.data import types
from memae_jax.data.tables import columns
from memae_jax.data.videos import clips, views
from memae_jax.runtime import errors

# Bytes of columns of a table that are looked at together; at least so many
# columns, so that sums are taken in the same order whatever the number of rows.
_BYTES, _COLUMNS = 2**25, 8
_BLOCK = 1024  # Images whose contrast is normalised at once when fitting.


def fit(source: types.Source, train: np.ndarray, config) -> types.Transform:
  """Fits `config.scaling` on the training samples.

  One-hot inputs stay 0 and 1 under every scaling; one that is never set in
  the training samples gets scale 0. A constant input is only shifted, to 0 on
  the training samples: any other value elsewhere is evidence. All pixels of
  images share one scale. `config.clip` bounds scaled values.

  Args:
    source: all samples.
    train: [n] indices of the training normals.
    config: the resolved `config.data`.

  Returns:
    Transform with [D] values for a table, [1] for images, and [C] for frames
    with channels of motion.

  Raises:
    UserError: `fixed` scaling is asked for samples that are not uint8 images,
      or `contrast` or `blur_unit` for samples that are not images; or a column
      that stays unscaled does not exist.
  """
  unscaled = _unscaled(source, config.unscaled_columns)
  if config.scaling in _OF_IMAGES:
    if not source.has_images:
      raise errors.UserError(
        f'config field "data.scaling" is "{config.scaling}", which needs'
        f' images, but samples of data set "{source.name}" have shape'
        f' {source.inputs.shape[1:]}; use "standard" for a table, "fixed" for'
        ' videos'
      )
    return _OF_IMAGES[config.scaling](source, train, config)
  frames = getattr(source.inputs, 'frames', None)
  if isinstance(frames, views.View):
    return _fit_channels(frames, source.inputs, train, config)
  if config.scaling == 'fixed':
    if source.inputs.dtype != np.uint8:
      raise errors.UserError(
        'config field "data.scaling" is "fixed", which needs uint8 images,'
        f' but data set "{source.name}" holds {source.inputs.dtype} values'
        f' of shape {source.inputs.shape[1:]}; use "minmax" or "standard"'
      )
    return _transform([1 / 127.5], [-1.0], [0.0], config)
  if not source.columns:
    inputs = source.inputs
    has_clips = isinstance(inputs, clips.Gathered)
    x = inputs.distinct(train) if has_clips else inputs[train]
    x = x.reshape(-1, 1)
    scale, shift = _scale_and_shift(x, config.scaling, source.host)
    return _transform(scale, shift, [0.0], config)
  scale, shift, fill = np.empty((3, source.inputs.shape[1]))
  one_hot = columns.is_one_hot(source.columns)
  for part, x in _of_columns(source.inputs, train):
    fill[part] = _fill(source.inputs[:, part], x)
    host = source.host and types.HostStage(*(v[part] for v in source.host))
    scale[part], shift[part] = _scale_and_shift(x, config.scaling, host)
    of_part = one_hot[part]
    scale[part][of_part] = x[:, of_part].any(axis=0)
  shift[one_hot] = 0
  scale[unscaled], shift[unscaled] = 1, 0
  return _transform(scale, shift, fill, config)


def _unscaled(source: types.Source, names) -> list[int]:
  """Returns the inputs that `data.unscaled_columns` names.

  Raises:
    UserError: there is no such input.
  """
  known = columns.input_names(source.columns)
  for name in names:
    if name not in known:
      raise errors.UserError(
        f'config field "data.unscaled_columns" names "{name}", which is no'
        f' input of data set "{source.name}"' + errors.did_you_mean(name, known)
      )
  return [known.index(name) for name in names]


def _of_columns(inputs: np.ndarray, rows: np.ndarray):
  """Yields some columns, as a slice, and their values [n, w] in some rows.

  So there is no second table of the rows that train.

  Args:
    inputs: [S, D].
    rows: [n] indices.
  """
  size = max(len(rows) * inputs.itemsize, 1)
  width = max(_COLUMNS, _BYTES // size)
  for start in range(0, inputs.shape[1], width):
    part = slice(start, start + width)
    yield part, np.take(inputs[:, part], rows, axis=0)


def _fit_channels(frames, inputs, train, config) -> types.Transform:
  """Fits each channel of frames with motion; `fixed` leaves motion as it is."""
  pictures, motion = frames.channels
  if config.scaling == 'fixed':
    scale = [1 / 127.5] * pictures + [1.0] * motion
    shift = [-1.0] * pictures + [0.0] * motion
  else:
    x = inputs.distinct(train).reshape(-1, pictures + motion)
    scale, shift = _scale_and_shift(x, config.scaling, None)
  return _transform(scale, shift, [0.0], config)


def _fit_contrast(source, train, config) -> types.Transform:
  """Fits global contrast normalisation, then the training range to [-1, 1]."""
  is_uint8 = source.inputs.dtype == np.uint8
  # The least contrast of uint8 is one grey level.
  least = np.asarray([1.0 if is_uint8 else 1e-6], np.float32)
  low, high = np.inf, -np.inf
  for start in range(0, len(train), _BLOCK):
    x = source.inputs[train[start : start + _BLOCK]].astype(np.float32)
    x = _normalised(np.where(np.isnan(x), np.float32(0), x), least, np)
    low, high = min(low, x.min()), max(high, x.max())
  scale = 2 / (high - low) if high > low else 1.0
  transform = _transform([scale], [-1 - low * scale], [0.0], config)
  return transform._replace(least_contrast=least)


def _fit_blur_unit(source, train, config) -> types.Transform:
  """Fits nothing: blur, norm 1, and then a root mean square of 1/2."""
  del train
  scale = math.sqrt(math.prod(source.inputs.shape[1:])) / 2
  transform = _transform([scale], [0.0], [0.0], config)
  is_uint8 = source.inputs.dtype == np.uint8
  least = np.asarray([1.0 if is_uint8 else 1e-6], np.float32)
  return transform._replace(least_norm=least)


_OF_IMAGES = {'contrast': _fit_contrast, 'blur_unit': _fit_blur_unit}


def _normalised(x, least_contrast, xp):
  """Brings each image of [..., H, W, C] to mean 0 and mean absolute value 1."""
  axes = (-3, -2, -1)
  x = x - xp.mean(x, axis=axes, keepdims=True)
  contrast = xp.mean(xp.abs(x), axis=axes, keepdims=True)
  return x / xp.maximum(contrast, least_contrast)


def _transform(scale, shift, fill, config) -> types.Transform:
  limit = [config.clip or np.finfo(np.float32).max]
  return types.Transform(
    *(np.asarray(v, np.float32) for v in (scale, shift, fill, limit))
  )


def _fill(inputs: np.ndarray, x: np.ndarray) -> np.ndarray:
  """Fills missing values in training rows x [n, w], and returns the fills [w].

  A fill is the training median, or 0 where no training row has a value.
  """
  fill = np.zeros(x.shape[1], np.float32)
  for i in np.flatnonzero(np.isnan(inputs).any(axis=0)):
    missing = np.isnan(x[:, i])
    if not missing.all():
      fill[i] = np.median(x[~missing, i])
    x[missing, i] = fill[i]
  return fill


def _scale_and_shift(
  x: np.ndarray, scaling: str, host: types.HostStage | None
) -> tuple[np.ndarray, np.ndarray]:
  """Returns scale and shift, each [D] float64, for training rows x [n, D]."""
  low, high = x.min(axis=0).astype(np.float64), x.max(axis=0).astype(np.float64)
  if scaling == 'none':  # Undoes the host stage, as far as float32 allows.
    if host is None:
      return np.ones_like(low), np.zeros_like(low)
    return 1 / host.unit, host.centre.copy()
  if scaling == 'minmax':
    centre, width = low, high - low
  else:
    centre, width = x.mean(axis=0, dtype=np.float64), np.empty_like(low)
    for i in range(len(width)):  # One column at a time, since x may be large.
      width[i] = x[:, i].std(dtype=np.float64)
  constant = (low == high) | (width < 1e-30)  # 1 / width must fit float32.
  scale = 1 / np.where(constant, 1, width)
  return scale, -centre * scale


def notes(
  source: types.Source, transform: types.Transform, train: np.ndarray
) -> dict[str, Any]:
  """Returns names of inputs that hold little or nothing in training samples.

  Args:
    source: all samples.
    transform: fitted on the training samples.
    train: [n] indices of the training samples.

  Returns:
    Lists of input names: 'constant_inputs', and for a table also
    'categories_not_in_train' and 'low_precision_inputs', those that float32
    rounds by more than 0.01 of their scaled range.
  """
  names = np.array(columns.input_names(source.columns), object)
  if not len(names):
    return {'constant_inputs': []}
  constant = [
    x.min(axis=0) == x.max(axis=0) for _, x in _of_columns(source.inputs, train)
  ]
  constant = np.concatenate(constant)
  one_hot = columns.is_one_hot(source.columns)
  # Rounding error of |centre| * scale in float32, in scaled units.
  imprecise = np.abs(transform.shift) * np.finfo(np.float32).eps > 0.01
  return {
    'constant_inputs': names[constant & ~one_hot].tolist(),
    'categories_not_in_train': names[(transform.scale == 0) & one_hot].tolist(),
    'low_precision_inputs': names[imprecise].tolist(),
  }


def warnings(input_notes: Mapping[str, Any]) -> tuple[str, ...]:
  """Returns warnings of inputs that float32 rounds too coarsely.

  Args:
    input_notes: from `notes`.
  """
  return tuple(
    f'input "{name}" is rounded coarsely: its normal training values lie too'
    ' close together for float32, far from the values of other rows; subtract'
    ' an offset, or take its logarithm (data.log1p)'
    for name in input_notes.get('low_precision_inputs', ())
  )


def unknown_categories(
  source: types.Source, transform: types.Transform, rows: np.ndarray
) -> dict[str, tuple[int, int]]:
  """Finds categories that the training samples of `transform` lack.

  Args:
    source: all samples.
    transform: fitted on the training samples.
    rows: [T] indices of the samples to look at.

  Returns:
    {name of the input, such as 'service=ntp_u': (number of such samples, index
    of the first one)}.
  """
  if not source.columns:
    return {}
  out = {}
  names = columns.input_names(source.columns)
  absent = columns.is_one_hot(source.columns) & (transform.scale == 0)
  for i in np.flatnonzero(absent):
    with_category = rows[source.inputs[rows, i] > 0]
    if len(with_category):
      out[names[i]] = len(with_category), int(with_category.min())
  return out


def apply(x, transform: types.Transform):
  """Turns raw inputs into model inputs, with numpy or jax.numpy.

  Args:
    x: [..., D] or [..., H, W, C] of any real type; NaN where missing.
    transform: arrays of the library of `x`, or of numpy.

  Returns:
    float32 of the shape of `x`.
  """
  xp = x.__array_namespace__()
  expand = lambda v: v.reshape((1,) * (x.ndim - v.ndim) + v.shape)
  scale, shift, fill, limit = (expand(v) for v in transform[:4])
  x = x.astype(xp.float32)
  x = xp.where(xp.isnan(x), fill, x)
  if transform.least_contrast is not None:
    x = _normalised(x, expand(transform.least_contrast), xp)
  if transform.least_norm is not None:
    least = expand(transform.least_norm)
    x = image_errors.unit_norm(image_errors.blurred(x), least)
  x = x * scale + shift
  return xp.minimum(xp.maximum(x, -limit), limit)
