"""Reads state dicts of PyTorch without PyTorch, and without trusting them.

A pickle is a program. This one is run by an interpreter of the few opcodes
that a state dict needs; it imports nothing, calls nothing and sets no
attribute, whatever the file asks for. Names of PyTorch become inert records.
Both layouts are read: the zip file of today, and the five pickles with the
numbers behind them that PyTorch wrote until 1.5.

Tensors keep the strides of the memory they were saved from, so that the
numbers of one of shape [2, 3] may lie in columns. A tensor must use each
number of its storage exactly once, as parameters do; views are refused.
"""

import io
import math
import pathlib
import pickletools
import struct
import zipfile
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from memae_jax.runtime import foreign

LIMIT = 2**28  # Bytes of a file: 256 MiB.
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_TYPES = {
  'BoolStorage': '?',
  'ByteStorage': 'u1',
  'CharStorage': 'i1',
  'ShortStorage': '<i2',
  'IntStorage': '<i4',
  'LongStorage': '<i8',
  'HalfStorage': '<f2',
  'FloatStorage': '<f4',
  'DoubleStorage': '<f8',
}
_DICT = 'collections OrderedDict'
_TENSOR = 'torch._utils _rebuild_tensor_v2'
_GLOBALS = frozenset(
  (_DICT, _TENSOR, *(f'torch {storage}' for storage in _TYPES))
)
_MARK = object()


class _Global(NamedTuple):
  """Name of PyTorch or Python in a pickle; never looked up."""

  name: str


class _Storage(NamedTuple):
  """Numbers that a pickle refers to."""

  key: str
  dtype: str
  count: int

  @property
  def size(self) -> int:
    """Bytes of the numbers."""
    return self.count * np.dtype(self.dtype).itemsize


class _Tensor(NamedTuple):
  """Arguments of a tensor, not yet checked."""

  storage: Any
  offset: Any
  shape: Any
  strides: Any


def _is_count(value: Any) -> bool:
  return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _storage(record: Any) -> _Storage:
  """Checks a persistent id: ('storage', type, key, device, count, view)."""
  if not isinstance(record, tuple) or len(record) not in (5, 6):
    raise ValueError('a storage is no record of five or six parts')
  kind, storage, key, _, count, *view = record
  name = storage.name if isinstance(storage, _Global) else ''
  dtype = _TYPES.get(name.removeprefix('torch '))
  if kind != 'storage' or dtype is None or not isinstance(key, str):
    raise ValueError('a storage has no type, or no key')
  if not _is_count(count) or view not in ([], [None]):
    raise ValueError(f'storage {key[:20]!a} has no size, or is a view')
  return _Storage(key, dtype, count)


class _Interpreter:
  """Runs one pickle of plain data, tensors and references to storages."""

  def __init__(self):
    self.stack: list[Any] = []
    self.memo: dict[int, Any] = {}
    self.storages: dict[str, _Storage] = {}

  def run(self, stream: io.BytesIO) -> Any:
    """Returns what is pickled at the place of the stream, and moves it on."""
    for opcode, value, _ in pickletools.genops(stream):
      action = _ACTIONS.get(opcode.name)
      if action is None:
        raise ValueError(
          f'it has the opcode {opcode.name}, which weights do not need'
        )
      action(self, value)
    if len(self.stack) != 1:
      raise ValueError('it leaves more or less than one thing')
    return self.stack[0]

  def push(self, value: Any) -> None:
    self.stack.append(value)

  def named(self, name: str) -> None:
    if name not in _GLOBALS:
      shown = '.'.join(name.split())[:80]
      raise ValueError(f'it asks for {shown}, which weights do not need')
    self.push(_Global(name))

  def top(self) -> Any:
    if not self.stack:
      raise ValueError('its stack is empty')
    return self.stack[-1]

  def remember(self, place: int) -> None:
    self.memo[place] = self.top()

  def recall(self, place: int) -> None:
    if place not in self.memo:
      raise ValueError('it recalls what it did not store')
    self.push(self.memo[place])

  def marked(self) -> list[Any]:
    """Takes the values above the last mark from the stack."""
    at = len(self.stack) - 1
    while at >= 0 and self.stack[at] is not _MARK:
      at -= 1
    if at < 0:
      raise ValueError('it closes what it did not open')
    values = self.stack[at + 1 :]
    del self.stack[at:]
    return values

  def last(self, count: int) -> list[Any]:
    """Takes the last values from the stack."""
    if len(self.stack) < count or _MARK in self.stack[-count:]:
      raise ValueError('its stack is empty')
    values = self.stack[-count:]
    del self.stack[-count:]
    return values

  def set_items(self, values: list[Any]) -> None:
    keys = values[::2]
    if not isinstance(self.top(), dict) or len(values) % 2:
      raise ValueError('it sets items of what is no dict')
    if not all(isinstance(key, str) for key in keys):
      raise ValueError('a name is no text')
    self.top().update(zip(keys, values[1::2]))

  def append(self, values: list[Any]) -> None:
    if not isinstance(self.top(), list):
      raise ValueError('it appends to what is no list')
    self.top().extend(values)

  def refer(self, _: None) -> None:
    storage = _storage(*self.last(1))
    if self.storages.setdefault(storage.key, storage) != storage:
      raise ValueError(f'storage {storage.key[:20]!a} has two types or sizes')
    self.push(storage)

  def call(self, _: None) -> None:
    function, args = self.last(2)
    if function == _Global(_DICT) and args == ():
      self.push({})
    elif (
      function == _Global(_TENSOR)
      and isinstance(args, tuple)
      and len(args) in (6, 7)
    ):
      self.push(_Tensor(*args[:4]))
    else:
      raise ValueError('it calls what weights do not need')

  def build(self, _: None) -> None:
    """Drops attributes, which a state dict has for its versions."""
    target, _ = self.last(2)
    if not isinstance(target, dict):
      raise ValueError('it sets attributes of what is no dict')
    self.push(target)


_Action = Callable[[_Interpreter, Any], None]
_ACTIONS: dict[str, _Action] = {
  'PROTO': lambda run, _: None,
  'STOP': lambda run, _: None,
  'MARK': lambda run, _: run.push(_MARK),
  'GLOBAL': _Interpreter.named,
  'NONE': lambda run, _: run.push(None),
  'NEWTRUE': lambda run, _: run.push(True),
  'NEWFALSE': lambda run, _: run.push(False),
  'EMPTY_DICT': lambda run, _: run.push({}),
  'EMPTY_LIST': lambda run, _: run.push([]),
  'EMPTY_TUPLE': lambda run, _: run.push(()),
  'TUPLE': lambda run, _: run.push(tuple(run.marked())),
  'TUPLE1': lambda run, _: run.push(tuple(run.last(1))),
  'TUPLE2': lambda run, _: run.push(tuple(run.last(2))),
  'TUPLE3': lambda run, _: run.push(tuple(run.last(3))),
  'SETITEM': lambda run, _: run.set_items(run.last(2)),
  'SETITEMS': lambda run, _: run.set_items(run.marked()),
  'APPEND': lambda run, _: run.append(run.last(1)),
  'APPENDS': lambda run, _: run.append(run.marked()),
  'BINPERSID': _Interpreter.refer,
  'REDUCE': _Interpreter.call,
  'BUILD': _Interpreter.build,
}
_ACTIONS |= dict.fromkeys(
  ('BINUNICODE', 'BININT', 'BININT1', 'BININT2', 'LONG1', 'BINFLOAT'),
  _Interpreter.push,
)
_ACTIONS |= dict.fromkeys(('BINPUT', 'LONG_BINPUT'), _Interpreter.remember)
_ACTIONS |= dict.fromkeys(('BINGET', 'LONG_BINGET'), _Interpreter.recall)


def _is_dense(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
  """Returns whether each number of a block of memory is used exactly once."""
  expected = 1
  for stride, size in sorted((s, n) for s, n in zip(strides, shape) if n > 1):
    if stride != expected:
      return False
    expected *= size
  return True


def _array(name: str, tensor: Any, numbers: dict[str, np.ndarray]):
  """Returns the array of one tensor, contiguous, and takes its numbers.

  Args:
    name: of the tensor.
    tensor: record of a pickle.
    numbers: of each storage that no tensor has taken.
  """
  is_tensor = isinstance(tensor, _Tensor) and isinstance(
    tensor.storage, _Storage
  )
  if not is_tensor:
    raise ValueError(f'{name[:60]!a} is no tensor')
  _, offset, shape, strides = tensor
  for sizes in (shape, strides):
    if not isinstance(sizes, tuple) or not all(map(_is_count, sizes)):
      raise ValueError(f'{name[:60]!a} has no shape or strides')
  data = numbers.pop(tensor.storage.key, None)
  if data is None:
    raise ValueError(f'{name[:60]!a} shares its numbers with another tensor')
  fits = (
    len(shape) == len(strides)
    and offset == 0
    and math.prod(shape) == data.size > 0
    and _is_dense(shape, strides)
  )
  if not fits:
    raise ValueError(f'{name[:60]!a} does not use each of its numbers once')
  view = np.lib.stride_tricks.as_strided(
    data, shape, [stride * data.itemsize for stride in strides]
  )
  return view.astype(data.dtype.newbyteorder('='), order='C')


def _old(content: bytes) -> tuple[Any, dict[str, np.ndarray]]:
  """Reads the layout of five pickles: returns the last but one, and storages.

  They are magic number, version, system, tensors and the keys of storages;
  behind them each storage has its count in eight bytes, and its numbers.
  """
  stream = io.BytesIO(content)
  for expected in (_MAGIC, _PROTOCOL):
    if _Interpreter().run(stream) != expected:
      raise ValueError('it does not begin as PyTorch begins')
  system = _Interpreter().run(stream)
  if not isinstance(system, dict) or system.get('little_endian') is not True:
    raise ValueError('it was not written on a little-endian machine')
  main = _Interpreter()
  tensors = main.run(stream)
  keys = _Interpreter().run(stream)
  if not isinstance(keys, list) or not all(isinstance(k, str) for k in keys):
    raise ValueError('it has no list of storages')
  if sorted(keys) != sorted(main.storages):
    raise ValueError('its tensors have other storages than the file')
  at, numbers = stream.tell(), {}
  for key in keys:
    storage = main.storages[key]
    if len(content) - at < 8 + storage.size:
      raise ValueError('it ends too early')
    if struct.unpack_from('<q', content, at) != (storage.count,):
      raise ValueError(f'storage {key[:20]!a} has another size here')
    numbers[key] = np.frombuffer(content, storage.dtype, storage.count, at + 8)
    at += 8 + storage.size
  if at != len(content):
    raise ValueError(f'{len(content) - at:,} bytes stand behind its end')
  return tensors, numbers


def _zipped(content: bytes) -> tuple[Any, dict[str, np.ndarray]]:
  """Reads the layout of a zip file: returns its pickle, and storages."""
  with zipfile.ZipFile(io.BytesIO(content)) as archive:
    names = [n for n in archive.namelist() if n.endswith('/data.pkl')]
    if len(names) != 1:
      raise ValueError('it has no part data.pkl')
    folder = names[0].removesuffix('data.pkl')

    def part(name: str) -> bytes:
      info = archive.getinfo(folder + name)
      if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f'its part {name[:40]!a} is packed')
      return archive.read(info)

    if f'{folder}byteorder' in archive.namelist():
      if part('byteorder').strip() != b'little':
        raise ValueError('it was not written on a little-endian machine')
    main = _Interpreter()
    tensors = main.run(io.BytesIO(part('data.pkl')))
    if sum(storage.size for storage in main.storages.values()) > len(content):
      raise ValueError('it announces more numbers than it has')
    numbers = {}
    for key, storage in main.storages.items():
      data = part(f'data/{key}')
      if len(data) != storage.size:
        raise ValueError(f'storage {key[:20]!a} has another size here')
      numbers[key] = np.frombuffer(data, storage.dtype)
  return tensors, numbers


def parse(content: bytes) -> dict[str, np.ndarray]:
  """Returns the arrays of a state dict, by name.

  Raises:
    Exception: of many kinds, on what is no state dict.
  """
  is_zip = content.startswith(b'PK')
  tensors, numbers = (_zipped if is_zip else _old)(content)
  if not isinstance(tensors, dict):
    raise ValueError('it holds no dict of tensors')
  return {
    name: _array(name, tensor, numbers) for name, tensor in tensors.items()
  }


def read(path: pathlib.Path) -> dict[str, np.ndarray]:
  """Returns the arrays of a file that `torch.save(state_dict, path)` wrote.

  Args:
    path: of an existing file.

  Raises:
    UserError: it is damaged, holds more than tensors, or is larger than
      `LIMIT`.
  """
  content = foreign.content(path, LIMIT)
  mend = 'give one that torch.save(model.state_dict(), ...) wrote'
  with foreign.reading(path, 'file of PyTorch weights', mend):
    return parse(content)
