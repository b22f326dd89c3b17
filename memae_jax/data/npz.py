"""Arrays of a user's npz file: images, or tables without column names."""

import zipfile
import zlib
from collections.abc import Sequence

import numpy as np

from memae_jax import errors
from memae_jax.data import readers, types


def load(paths: Sequence[str], config):
  """Reads npz files of like arrays.

  Args:
    paths: the data and, if any, the test set.
    config: the resolved `config.data`.

  Returns:
    inputs ([S, D] float32, or images [S, H, W, C]), columns (none for
    images), labels [S] as text or None, and the samples of each file.

  Raises:
    UserError: naming file, array and row of what is wrong.
  """
  for field in ('categorical_columns', 'drop_columns'):
    if getattr(config, field):
      raise errors.UserError(
        f'config field "data.{field}" is set, but arrays of {paths[0]} have'
        ' no column names; use csv or parquet'
      )
  parts = [_read(path, config) for path in paths]
  inputs, labels = zip(*parts)
  for path, more in zip(paths[1:], inputs[1:]):
    if (more.shape[1:], more.dtype) != (inputs[0].shape[1:], inputs[0].dtype):
      raise errors.UserError(
        f'{path} holds samples {more.shape[1:]} {more.dtype}, but {paths[0]}'
        f' {inputs[0].shape[1:]} {inputs[0].dtype}'
      )
  columns = ()
  if inputs[0].ndim == 2:
    columns = tuple(
      types.Column(f'input {i}') for i in range(inputs[0].shape[1])
    )
  return (
    np.concatenate(inputs),
    columns,
    np.concatenate(labels) if config.label_column else None,
    [len(part) for part in inputs],
  )


def _read(path: str, config) -> tuple[np.ndarray, np.ndarray | None]:
  content = _arrays(path)
  labels = None
  if config.label_column:
    if config.label_column not in content:
      raise errors.UserError(
        f'{path} has no array "{config.label_column}" of labels'
        + errors.did_you_mean(config.label_column, content)
      )
    labels = _labels(path, config.label_column, content)
  name = 'inputs' if 'inputs' in content else next(iter(content), None)
  if name is None or (name != 'inputs' and len(content) > 1):
    raise errors.UserError(
      f'{path} has arrays {", ".join(content) or "none"} beside the labels;'
      ' name the samples "inputs", or set data.label_column'
    )
  inputs = _inputs(path, name, content[name], config)
  if labels is not None and len(labels) != len(inputs):
    raise errors.UserError(
      f'{path}: array "{config.label_column}" has {len(labels)} labels for'
      f' {len(inputs)} samples in "{name}"'
    )
  return inputs, labels


def _labels(path, name, content) -> np.ndarray:
  labels = content.pop(name)
  if labels.ndim == 2 and labels.shape[1] == 1:
    labels = labels[:, 0]
  if labels.ndim != 1 or labels.dtype.kind not in 'iubfU':
    raise errors.UserError(
      f'{path}: label array "{name}" is {labels.dtype} of shape'
      f' {labels.shape}; expected integers or text of shape [S]'
    )
  if labels.dtype.kind == 'f':
    bad = ~(np.isfinite(labels) & (labels == np.round(labels)))
    if bad.any():
      raise errors.UserError(
        f'{path} row {int(bad.argmax())}: label array "{name}" is'
        f' {labels[bad.argmax()]}; expected whole numbers'
      )
    labels = labels.astype(np.int64)
  text = labels.astype(str).astype(object)
  if '' in text:
    raise errors.UserError(
      f'{path} row {int((text == "").argmax())}: label array "{name}" has no'
      ' value; fill it in or drop the row'
    )
  return text


def _inputs(path, name, array, config) -> np.ndarray:
  if array.ndim not in (2, 4) or array.dtype.kind not in 'iufb':
    raise errors.UserError(
      f'{path}: array "{name}" is {array.dtype} of shape {array.shape};'
      ' expected numbers of shape [S, D] or images [S, H, W, C]'
    )
  if not array.size:
    raise errors.UserError(f'{path}: array "{name}" {array.shape} is empty')
  if array.ndim == 4 and array.dtype == np.uint8:
    return array
  array = readers.to_float32(array)
  refused = np.isinf(array)
  if array.ndim == 4 or config.missing == 'error':
    refused |= np.isnan(array)
  if refused.any():
    row, *rest = (int(i[0]) for i in np.nonzero(refused))
    raise errors.UserError(
      f'{path} row {row}: array "{name}" is {array[row, *rest]} at input'
      f' {", ".join(map(str, rest))}; mend or drop the row'
      + (', or set data.missing to "median"' if array.ndim == 2 else '')
    )
  return array


def _arrays(path: str) -> dict[str, np.ndarray]:
  """Reads all arrays of an npz file, never pickled ones."""
  file = readers.open_file(path)
  try:
    # Opened here: np.load leaves a damaged file open.
    with file.open('rb') as opened:
      content = np.load(opened, allow_pickle=False)
      if isinstance(content, np.ndarray):
        raise errors.UserError(f'{path} holds one bare array; use np.savez')
      return {name: content[name] for name in content.files}
  except (OSError, EOFError, zipfile.BadZipFile, zlib.error) as error:
    raise errors.UserError(
      f'{path} is no readable npz file: {error}'
    ) from error
  except ValueError as error:
    raise errors.UserError(
      f'{path} holds Python objects or is no npz file ({error}); save plain'
      ' numeric arrays with np.savez'
    ) from error
