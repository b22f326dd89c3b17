"""Files of PyTorch are read without it, and without trusting them."""

import collections
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest

from memae_jax.features import torch_file
from memae_jax.runtime import errors
from tests.features import test_lite0, torch_files

ARRAYS = {
  'a.weight': np.arange(24, dtype=np.float32).reshape(2, 3, 4) + 1,
  'a.bias': np.arange(3, dtype=np.float64) / 7,
  'a.count': np.array(5, np.int64),
}
_MUTANTS = 2000 if os.environ.get('MEMAE_TEST_THOROUGH') == '1' else 150
_SIX = struct.pack('<q6f', 6, *range(6))


def _read(tmp_path, content):
  path = tmp_path / 'a.pth'
  path.write_bytes(content)
  return torch_file.read(path)


def _refused(tmp_path, content, message):
  with pytest.raises(errors.UserError, match=message) as refused:
    _read(tmp_path, content)
  assert 'a.pth is no readable file of PyTorch w' in str(refused.value)
  assert '\n' not in str(refused.value)


@pytest.mark.parametrize('permuted', [False, True])
@pytest.mark.parametrize('is_zip', [False, True])
def test_arrays(is_zip, permuted, tmp_path):
  found = _read(tmp_path, torch_files.write(ARRAYS, is_zip, permuted))
  assert list(found) == list(ARRAYS)
  for name, array in ARRAYS.items():
    assert found[name].dtype == array.dtype
    assert found[name].flags.c_contiguous and found[name].flags.writeable
    np.testing.assert_array_equal(found[name], array)


@test_lite0.needs_torch
@pytest.mark.parametrize('is_zip', [False, True])
def test_what_pytorch_writes(is_zip, tmp_path):
  import torch

  layer = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 2), torch.nn.BatchNorm2d(4))
  layer = layer.to(memory_format=torch.channels_last)
  state = layer.state_dict() | {'half': torch.ones(3, dtype=torch.half)}
  path = tmp_path / 'a.pth'
  torch.save(state, path, _use_new_zipfile_serialization=is_zip)
  found = torch_file.read(path)
  assert list(found) == list(state)
  for name, value in state.items():
    np.testing.assert_array_equal(found[name], value.numpy())


class _Bomb:
  def __init__(self, function, *args):
    self.reduced = function, args

  def __reduce__(self):
    return self.reduced


@pytest.mark.parametrize('protocol', [2, 4])
@pytest.mark.parametrize('at', ['first', 'tensors', 'keys', 'attributes'])
@pytest.mark.parametrize(
  ('bomb', 'name'),
  [
    (_Bomb(os.system, 'touch bombed'), f'{os.name}.system'),
    (_Bomb(eval, '1 + 1'), '__builtin__.eval'),
    (_Bomb(collections.Counter, 'ab'), 'collections.Counter'),
  ],
)
def test_nothing_is_called(bomb, name, at, protocol, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  content = pickle.dumps(bomb, protocol)
  start = [torch_files.pickled(x) for x in (torch_files.MAGIC, 1001)]
  start.append(torch_files.pickled(torch_files.SYSTEM))
  if at == 'tensors':
    content = b''.join((*start, content))
  elif at == 'keys':
    content = b''.join((*start, torch_files.pickled({}), content))
  elif at == 'attributes':
    names = torch_files.Call(torch_files.Name('collections', 'OrderedDict'), ())
    within = b'\x80\x02' + torch_files.emit(names) + content[2:-1] + b'b.'
    content = b''.join((*start, within))
  # Protocol 4 imports by another opcode, which weights have not at all.
  message = f'asks for {name}, which' if protocol == 2 else 'has the opcode '
  _refused(tmp_path, content, message)
  assert not (tmp_path / 'bombed').exists()


def test_files_that_end_too_early(tmp_path):
  for is_zip in (False, True):
    content = torch_files.write(ARRAYS, is_zip)
    for end in (0, 1, 14, 30, len(content) // 2, len(content) - 1):
      _refused(tmp_path, content[:end], 'give one that torch.save')
  _refused(tmp_path, torch_files.write(ARRAYS)[:-1], 'ends too early')
  _refused(tmp_path, torch_files.write(ARRAYS) + b'12', '2 bytes stand behind')


_STORED = torch_files.storage('k', 'f4', 6, None)


@pytest.mark.parametrize(
  ('value', 'message'),
  [
    (torch_files.tensor(_STORED, (2, 3), (3, 1), 1), 'each of its numbers on'),
    (torch_files.tensor(_STORED, (2, 3), (4, 1)), 'each of its numbers once'),
    (torch_files.tensor(_STORED, (6,), (-1,)), 'no shape or strides'),
    (torch_files.tensor(_STORED, (6,), (0,)), 'each of its numbers once'),
    (torch_files.tensor(_STORED, (2, 3), (1, 1)), 'each of its numbers once'),
    (torch_files.tensor(_STORED, (5,), (1,)), 'each of its numbers once'),
    (torch_files.tensor(_STORED, (2**40, 2**40), (1, 0)), 'each of its numbe'),
    (torch_files.tensor(_STORED, (0,), (1,)), 'each of its numbers once'),
    (torch_files.tensor(_STORED, (2, 3), (1,)), 'each of its numbers once'),
    (torch_files.tensor(_STORED, (2, 3.0), (3, 1)), 'no shape or strides'),
    (torch_files.tensor(7, (6,), (1,)), "'w' is no tensor"),
    (_STORED, "'w' is no tensor"),
    (3, "'w' is no tensor"),
  ],
)
def test_tensors_out_of_bounds(value, message, tmp_path):
  stored = torch_files.tensor(_STORED, (6,), (1,))
  good = torch_files.old({'w': stored}, {'k': _SIX})
  np.testing.assert_array_equal(_read(tmp_path, good)['w'], range(6))
  has_storage = b'Storage' in torch_files.emit(value)
  data = {'k': _SIX} if has_storage else {}
  _refused(tmp_path, torch_files.old({'w': value}, data), message)


@pytest.mark.parametrize(
  ('stored', 'count', 'message'),
  [
    (torch_files.storage('k', 'f4', 6, ('k', 0, 6)), 6, 'is a view'),
    (torch_files.storage('k', 'f4', 6, None), 5, 'has another size here'),
    (torch_files.storage('k', 'f4', 2**62, None), 2**62, 'ends too early'),
    (torch_files.storage('k', 'f4', -6, None), 6, 'has no size'),
    (torch_files.storage('j', 'f4', 6, None), 6, 'other storages than the'),
    (torch_files.storage('k', 'f4', True, None), 1, 'has no size'),
  ],
)
def test_storages_out_of_bounds(stored, count, message, tmp_path):
  tensors = {'w': torch_files.tensor(stored, (6,), (1,))}
  data = {'k': struct.pack('<q', count) + _SIX[8:]}
  _refused(tmp_path, torch_files.old(tensors, data), message)


def test_other_files(tmp_path):
  stored = torch_files.tensor(_STORED, (6,), (1,))
  tensors, data = {'w': stored}, {'k': _SIX}
  big = {'protocol_version': 1001, 'little_endian': False}
  _refused(tmp_path, torch_files.old(tensors, data, big), 'little-endian')
  shared = tensors | {'v': stored}
  _refused(tmp_path, torch_files.old(shared, data), "'v' shares its numbers")
  _refused(tmp_path, torch_files.old([stored], data), 'no dict of tensors')
  _refused(tmp_path, pickle.dumps({'a': 1}, 2), 'does not begin as PyTorch')
  _refused(tmp_path, pickle.dumps(1001, 2), 'does not begin as PyTorch')
  _refused(tmp_path, b'hello', 'recalls what')
  plain = torch_files.storage('k', 'f4', 6)
  plain = {'w': torch_files.tensor(plain, (6,), (1,))}
  data = {'k': _SIX[8:]}
  np.testing.assert_array_equal(
    _read(tmp_path, torch_files.zipped(plain, data))['w'], range(6)
  )
  packed = torch_files.zipped(plain, data, zipfile.ZIP_DEFLATED)
  _refused(tmp_path, packed, 'is packed')
  short = torch_files.zipped(plain, {'k': _SIX[8:-4]})
  _refused(tmp_path, short, 'another size here')
  huge = torch_files.storage('k', 'f4', 2**50)
  huge = {'w': torch_files.tensor(huge, (2**50,), (1,))}
  _refused(tmp_path, torch_files.zipped(huge, data), 'more numbers than')


@pytest.mark.parametrize('is_zip', [False, True])
def test_mutants_are_refused_or_are_the_same(is_zip, tmp_path):
  """Numbers themselves have no checksum in the older layout."""
  content = torch_files.write(ARRAYS, is_zip)
  numbers = sum(8 + array.nbytes for array in ARRAYS.values())
  structure = len(content) - (0 if is_zip else numbers)
  rng, read = np.random.default_rng(0), 0
  for _ in range(_MUTANTS):
    at = int(rng.integers(structure))
    part = rng.bytes(int(rng.integers(1, 9)))
    mutant = (
      content[:at] + part[:1] + content[at + 1 :],
      content[:at] + part + content[at + len(part) :],
      content[:at] + part + content[at:],
      content[:at] + content[at + len(part) :],
    )[rng.integers(4)]
    try:
      found = _read(tmp_path, mutant)
    except errors.UserError as error:
      assert 'a.pth' in str(error) and '\n' not in str(error)
      continue
    read += 1
    if list(found) != list(ARRAYS):
      # A name is text of its own: whoever reads the arrays misses it.
      assert len(set(found) - set(ARRAYS)) == 1 and not is_zip
      continue
    for name, array in ARRAYS.items():
      np.testing.assert_array_equal(found[name], array)
  assert read


def test_mutants_of_numbers_change_one_array(tmp_path):
  content = torch_files.write(ARRAYS)
  numbers = sum(8 + array.nbytes for array in ARRAYS.values())
  rng = np.random.default_rng(0)
  for _ in range(_MUTANTS):
    mutant = bytearray(content)
    mutant[-int(rng.integers(1, numbers + 1))] ^= int(rng.integers(1, 256))
    try:
      found = _read(tmp_path, bytes(mutant))
    except errors.UserError as error:
      assert 'another size here' in str(error)
      continue
    assert list(found) == list(ARRAYS)
    assert 1 == sum(
      found[name].tobytes() != array.tobytes() for name, array in ARRAYS.items()
    )
