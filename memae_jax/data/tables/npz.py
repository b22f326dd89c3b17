"""Reads arrays of users' npz files: images, or tables without column names."""

import pathlib
import warnings
import zipfile
from collections.abc import Sequence
from typing import Any

import numpy as np

from memae_jax.data import aligned, types
from memae_jax.data.tables import numbers
from memae_jax.runtime import errors, foreign

_CHANNELS = (1, 3, 4)
_CHUNK = 2**24  # Bytes that are read at once.


def load(paths: Sequence[str], config: Any) -> types.Samples:
  """Reads npz files with arrays of the same kind.

  Args:
    paths: path of the data and, if there is one, of the test set.
    config: the resolved `config.data`.

  Returns:
    Samples [S, D] float64 or float32, or images [S, H, W, C].

  Raises:
    UserError: a file cannot be read, or does not fit the other file or the
      config; names the file, array and row.
  """
  named = 'categorical_columns', 'date_columns', 'drop_columns', 'key_column'
  for field in named:
    if getattr(config, field):
      raise errors.UserError(
        f'config field "data.{field}" is set, but arrays of'
        f' {foreign.name_of(paths[0])} have no column names; use csv or parquet'
      )
  remarks: list[str] = []
  contents = [arrays(foreign.file(path)) for path in paths]
  label = config.label_column
  if label and not any(label in content for content in contents):
    raise errors.UserError(
      f'{foreign.name_of(paths[0])} has no array "{label}" of labels'
      + errors.did_you_mean(label, contents[0])
    )
  parts = [
    _read(foreign.name_of(path), content, config, remarks)
    for path, content in zip(paths, contents)
  ]
  inputs, labels = zip(*parts)
  for path, array in zip(paths[1:], inputs[1:]):
    if (array.shape[1:], array.dtype) != (inputs[0].shape[1:], inputs[0].dtype):
      raise errors.UserError(
        f'{foreign.name_of(path)} holds samples of shape {array.shape[1:]} and'
        f' type {array.dtype}, but those of {foreign.name_of(paths[0])} are'
        f' {inputs[0].shape[1:]} and {inputs[0].dtype}; give both alike'
      )
  columns = ()
  if inputs[0].ndim == 2:
    columns = tuple(
      types.Column(f'input {i}') for i in range(inputs[0].shape[1])
    )
  return types.Samples(
    inputs=inputs[0] if len(inputs) == 1 else np.concatenate(inputs),
    columns=columns,
    sizes=[len(part) for part in inputs],
    labels=list(labels),
    remarks=tuple(remarks),
  )


def _read(path: str, content, config, remarks):
  labels = None
  if config.label_column in content:
    labels = _labels(path, config.label_column, content)
  name = 'inputs' if 'inputs' in content else next(iter(content), None)
  if name is None or (name != 'inputs' and len(content) > 1):
    raise errors.UserError(
      f'{path} has arrays {", ".join(content) or "none"} beside the labels;'
      ' name the samples "inputs", or set data.label_column'
    )
  array = content.pop(name)
  read = as_samples(path, name, array, config, remarks)
  if labels is not None and len(labels) != len(read):
    raise errors.UserError(
      f'{path}: array "{config.label_column}" has {len(labels)} labels for'
      f' {len(read)} samples in "{name}"'
    )
  return read, labels


def _labels(path, name, content) -> np.ndarray:
  labels = content.pop(name)
  if labels.ndim == 2 and labels.shape[1] == 1:
    labels = labels[:, 0]
  if labels.ndim != 1 or labels.dtype.kind not in 'iubfUS':
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
  if labels.dtype.kind == 'S':  # NumPy's bytes.
    with foreign.reading(path, 'file of labels', 'save them as text'):
      labels = np.char.decode(labels, 'utf-8')
  text = np.char.strip(labels.astype(str)).astype(object)
  if '' in text:
    raise errors.UserError(
      f'{path} row {int((text == "").argmax())}: label array "{name}" has no'
      ' value; fill it in or drop the row'
    )
  return text


def as_samples(
  path: str, name: str, array: np.ndarray, config: Any, remarks: list[str]
) -> np.ndarray:
  """Returns an array as samples.

  Args:
    path: of its file, for messages.
    name: of the array, for messages.
    array: [S, D], or images [S, H, W], [S, H, W, C] or [S, C, H, W].
    config: the resolved `config.data`.
    remarks: gets a line on images whose axes were moved or added.

  Returns:
    Rows [S, D] float64 or float32; images [S, H, W, C] uint8 or float64.

  Raises:
    UserError: it is no such array, or a number of it is missing or infinite.
  """
  if array.ndim not in (2, 3, 4) or array.dtype.kind not in 'iufb':
    raise errors.UserError(
      f'{path}: array "{name}" is {array.dtype} of shape {array.shape};'
      ' expected numbers of shape [S, D] or images [S, H, W, C]'
    )
  if not array.size:
    raise errors.UserError(f'{path}: array "{name}" {array.shape} is empty')
  array = _as_images(path, name, array, remarks)
  if array.ndim == 4 and array.dtype == np.uint8:
    return array
  # Taken as they are: the host stage makes float32 of one column at a time.
  is_float = array.dtype in (np.float32, np.float64)
  if array.ndim == 4 or not is_float or config.log1p:
    array = array.astype(np.float64, copy=False)
  marks = [m for m in config.missing_marks if numbers.is_plain(m)]
  for mark in map(float, marks if array.ndim == 2 else ()):
    array[array == mark] = np.nan
  refused = np.isinf(array)
  if array.ndim == 4 or config.missing == 'error':
    refused |= np.isnan(array)
  if refused.any():
    row, *place = (int(i[0]) for i in np.nonzero(refused))
    raise errors.UserError(
      f'{path} row {row}: array "{name}" is {array[row, *place]} at input'
      f' {", ".join(map(str, place))}; mend or drop the row'
      + (', or set data.missing to "median"' if array.ndim == 2 else '')
    )
  return array


def _as_images(path, name, array, remarks: list[str]) -> np.ndarray:
  """Returns images with their channels last; tables as they are."""
  shape = list(array.shape)
  if array.ndim == 3:
    array = array[..., None]
    description = 'grey images'
  elif (
    array.ndim == 4
    and array.shape[1] in _CHANNELS
    and array.shape[3] not in _CHANNELS
    and array.shape[2] > 4
  ):  # PyTorch has the channels first.
    array = np.ascontiguousarray(np.moveaxis(array, 1, -1))
    description = 'images whose channels come first'
  else:
    return array
  remarks.append(
    f'read array "{name}" {shape} of {path} as {description}: [S, H, W, C] is'
    f' {list(array.shape)}'
  )
  return array


def samples(path: pathlib.Path) -> np.ndarray:
  """Reads the array of a .npy file, or of a .npz file that has one.

  Of several arrays it is `inputs`.

  Args:
    path: of the file.

  Raises:
    UserError: see `arrays`; or none of several is named so.
  """
  content = arrays(path)
  names = list(content)
  if 'inputs' not in names and len(names) != 1:
    raise errors.UserError(
      f'{path} has arrays {", ".join(names) or "none"}; name the samples'
      ' "inputs"'
    )
  return content['inputs' if 'inputs' in names else names[0]]


def arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
  """Reads all arrays of an npz or npy file, never pickled ones.

  Args:
    path: path of the file.

  Returns:
    {name: array}; the array of an npy file is a memory map named 'inputs'.

  Raises:
    UserError: the file is damaged, of another kind, or announces more than
      memory holds.
  """
  path = pathlib.Path(path)
  if path.suffix.lower() == '.npy':
    return {'inputs': foreign.npy(path)}
  mend = 'save plain numeric arrays with np.savez, without pickle'
  with foreign.reading(path, 'npz file', mend), warnings.catch_warnings():
    warnings.simplefilter('ignore')  # NumPy warns of headers from Python 2.
    with path.open('rb') as file:
      if file.read(6) == np.lib.format.MAGIC_PREFIX:
        raise errors.UserError(
          f'{foreign.name_of(path)} holds one bare array; use np.savez, or'
          ' name it .npy'
        )
      return _members(file)


def _members(file) -> dict[str, np.ndarray]:
  content = {}
  with zipfile.ZipFile(file) as archive:
    for member in archive.infolist():
      name = member.filename.removesuffix('.npy')
      if name == member.filename or member.is_dir():
        continue
      if name in content:
        raise ValueError(f'it has two arrays "{name}"')
      if member.flag_bits & 1:
        raise ValueError(f'array "{name}" is encrypted')
      with archive.open(member) as part:
        content[name] = _array(part, member.file_size)
        if part.read(1):
          raise ValueError(
            f'array "{name}" has more bytes than its header says'
          )
  return content


def _array(file, size: int) -> np.ndarray:
  """Reads one array from a stream of `size` bytes.

  Raises:
    ValueError: the header does not fit the content, or the array has objects.
  """
  version = np.lib.format.read_magic(file)
  if version == (1, 0):
    header = np.lib.format.read_array_header_1_0(file)
  elif version == (2, 0):
    header = np.lib.format.read_array_header_2_0(file)
  else:  # Versions of arrays with named fields, which are no samples.
    raise ValueError(f'its header has version {version}')
  shape, fortran, dtype = header
  if dtype.hasobject:
    raise ValueError('it holds Python objects')
  if not all(isinstance(n, int) and n >= 0 for n in shape):
    raise ValueError(f'its header has shape {shape}')
  count = int(np.prod([int(n) for n in shape], dtype=object))
  wanted = count * dtype.itemsize
  if wanted > min(size, foreign.memory()):
    raise ValueError(
      f'its header announces {foreign.size_of(wanted)}, more than'
      + (' it holds' if wanted > size else ' memory holds')
    )
  content = aligned.empty((wanted,), np.uint8)
  for start in range(0, wanted, _CHUNK):  # So that there is one copy of it.
    part = file.read(min(_CHUNK, wanted - start))
    if len(part) < min(_CHUNK, wanted - start):
      raise ValueError('it ends early')
    content[start : start + len(part)] = np.frombuffer(part, np.uint8)
  array = content.view(dtype).reshape(shape, order='F' if fortran else 'C')
  return np.ascontiguousarray(array)
