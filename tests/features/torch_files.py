"""Files of PyTorch in both layouts, written without PyTorch, also bad ones."""

import io
import pickle
import struct
import zipfile
from typing import Any, NamedTuple

import numpy as np

TYPES = {'f4': 'FloatStorage', 'f8': 'DoubleStorage', 'i8': 'LongStorage'}
MAGIC = 0x1950A86A20F9469CFC6C
SYSTEM = {'protocol_version': 1001, 'little_endian': True}


class Name(NamedTuple):
  """What a pickle imports."""

  module: str
  name: str


class Call(NamedTuple):
  """What a pickle calls."""

  function: Any
  args: tuple


class Reference(NamedTuple):
  """What stands outside a pickle."""

  record: Any


def emit(value: Any) -> bytes:
  """The opcodes of a value, without beginning and end."""
  if isinstance(value, Name):
    return f'c{value.module}\n{value.name}\n'.encode()
  if isinstance(value, Call):
    return emit(value.function) + emit(value.args) + b'R'
  if isinstance(value, Reference):
    return emit(value.record) + b'Q'
  if isinstance(value, tuple):
    return b'(' + b''.join(map(emit, value)) + b't'
  if isinstance(value, list):
    return b'](' + b''.join(map(emit, value)) + b'e'
  if isinstance(value, dict):
    items = b''.join(emit(k) + emit(v) for k, v in value.items())
    return b'}(' + items + b'u'
  # Plain values as pickle itself writes them, with no PROTO and no STOP.
  return pickle.dumps(value, 2)[2:-1].replace(b'q\x00', b'')


def pickled(value: Any) -> bytes:
  return b'\x80\x02' + emit(value) + b'.'


def storage(key: str, dtype: str, count: int, *view) -> Reference:
  name = Name('torch', TYPES[dtype])
  return Reference(('storage', name, key, 'cpu', count, *view))


def tensor(stored: Reference, shape, strides, offset: Any = 0) -> Call:
  hooks = Call(Name('collections', 'OrderedDict'), ())
  args = (stored, offset, tuple(shape), tuple(strides), False, hooks)
  return Call(Name('torch._utils', '_rebuild_tensor_v2'), args)


def old(tensors: Any, data: dict[str, bytes], system: Any = SYSTEM) -> bytes:
  """The layout until PyTorch 1.5; data by key, without counts."""
  parts = [pickled(x) for x in (MAGIC, 1001, system, tensors, list(data))]
  return b''.join((*parts, *data.values()))


def zipped(
  tensors: Any, data: dict[str, bytes], how: int = zipfile.ZIP_STORED
) -> bytes:
  """The layout of today."""
  out = io.BytesIO()
  with zipfile.ZipFile(out, 'w', how) as archive:
    archive.writestr('archive/data.pkl', pickled(tensors))
    archive.writestr('archive/byteorder', 'little')
    for key, content in data.items():
      archive.writestr(f'archive/data/{key}', content)
  return out.getvalue()


def write(
  arrays: dict[str, np.ndarray], is_zip: bool = False, permuted: bool = True
) -> bytes:
  """A file of arrays.

  Args:
    arrays: by name, float32, float64 or int64.
    is_zip: the layout of today, or the one before.
    permuted: whether the numbers lie in the order of reversed axes.
  """
  tensors, data = {}, {}
  for number, (name, array) in enumerate(arrays.items()):
    laid = np.array(array, order='F' if permuted else 'C')
    strides = [stride // laid.itemsize for stride in laid.strides]
    key, dtype = str(1000 + number), laid.dtype.str[1:]
    view = () if is_zip else (None,)
    stored = storage(key, dtype, laid.size, *view)
    tensors[name] = tensor(stored, laid.shape, strides)
    count = b'' if is_zip else struct.pack('<q', laid.size)
    data[key] = count + laid.tobytes('A')
  return (zipped if is_zip else old)(tensors, data)
