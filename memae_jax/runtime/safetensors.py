"""Files of arrays in the format safetensors, which is no code and no pickle.

Eight bytes hold the length of a header, JSON that names type, shape and place
of each array; behind it lie the arrays, in C order and little-endian:
https://github.com/huggingface/safetensors
"""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from memae_jax.runtime import strict_json

_LENGTH = 8  # Bytes of the length of the header.
_MOST = 2**24  # Bytes of a header.
_ALIGNED = 8  # The arrays begin at a multiple of this.
_METADATA = '__metadata__'
_KINDS = {
  'F64': '<f8',
  'F32': '<f4',
  'F16': '<f2',
  'I64': '<i8',
  'I32': '<i4',
  'I16': '<i2',
  'I8': 'i1',
  'U8': 'u1',
  'BOOL': '?',
}
_NAMES = {np.dtype(kind): name for name, kind in _KINDS.items()}
_SHAPE = {
  f'{_METADATA}?': {str: str},
  str: {'dtype': str, 'shape': [int], 'data_offsets': (int, int)},
}


class Content(NamedTuple):
  """Content of a file: arrays by name, and texts by name beside them."""

  arrays: dict[str, np.ndarray]
  metadata: dict[str, str]


def written(
  arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str]
) -> bytes:
  """Returns the bytes of a file; equal content gives equal bytes.

  Args:
    arrays: by name, of numbers or bool.
    metadata: texts by name.

  Raises:
    ValueError: the format has no such type.
  """
  header: dict[str, Any] = {_METADATA: dict(metadata)}
  parts, end = [], 0
  # The widest first, so that each begins at a multiple of its width.
  for name, array in sorted(
    arrays.items(), key=lambda item: (-item[1].dtype.itemsize, item[0])
  ):
    kind = array.dtype.newbyteorder('<')
    if kind not in _NAMES:
      raise ValueError(f'"{name}" is of type {array.dtype}')
    parts.append(array.astype(kind).tobytes())
    start, end = end, end + len(parts[-1])
    header[name] = {
      'dtype': _NAMES[kind],
      'shape': list(array.shape),
      'data_offsets': [start, end],
    }
  text = json.dumps(header, separators=(',', ':')).encode()
  text += b' ' * (-len(text) % _ALIGNED)
  return b''.join([len(text).to_bytes(_LENGTH, 'little'), text, *parts])


def read(content: bytes) -> Content:
  """Reads the bytes of a file.

  Args:
    content: all of it.

  Returns:
    Its arrays, which share memory with `content`, and texts.

  Raises:
    ValueError: it is damaged, or has a type that is not read here.
  """
  size = int.from_bytes(content[:_LENGTH], 'little')
  start = _LENGTH + size
  if not 2 <= size <= min(_MOST, len(content) - _LENGTH):
    raise ValueError(f'its header announces {size:,} bytes')
  if content[_LENGTH : _LENGTH + 1] != b'{':
    raise ValueError('its header does not begin with "{"')
  header = strict_json.loads(content[_LENGTH:start], unique=True)
  strict_json.check(header, _SHAPE)
  metadata = header.pop(_METADATA, {})
  _check_places(header, len(content) - start)
  arrays = {}
  for name, told in header.items():
    kind, shape = np.dtype(_KINDS[told['dtype']]), told['shape']
    at = start + told['data_offsets'][0]
    flat = np.frombuffer(content, kind, math.prod(shape), at)
    arrays[name] = flat.reshape(shape)
  return Content(arrays, metadata)


def _check_places(header: Mapping[str, Any], size: int) -> None:
  """Raises ValueError unless arrays lie side by side and fill all bytes.

  Args:
    header: without metadata.
    size: bytes behind the header.
  """
  places = []
  for name, told in header.items():
    begin, end = told['data_offsets']
    if told['dtype'] not in _KINDS:
      raise ValueError(f'"{name}" is of type "{told["dtype"]}"')
    if min(told['shape'], default=0) < 0:
      raise ValueError(f'"{name}" has shape {told["shape"]}')
    width = np.dtype(_KINDS[told['dtype']]).itemsize
    if end - begin != width * math.prod(told['shape']):
      raise ValueError(f'"{name}" has another size than its shape')
    places.append((begin, end))
  places.sort()
  ends = [0, *(end for _, end in places)]
  begins = [*(begin for begin, _ in places), size]
  if ends != begins:
    raise ValueError('its arrays do not lie side by side, or it is cut')
