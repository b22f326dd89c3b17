"""Arrays in npy and npz files, of any kind and damage."""

import io
import zipfile

import numpy as np
import pytest

from memae_jax.data.tables import npz
from memae_jax.runtime import errors
from tests.data.tables import examples

_RNG = np.random.default_rng(0)


def test_npz_without_labels_of_training(load):
  inputs, labels = examples.NUMBERS, examples.NORMAL.astype(int)
  source = load(
    lambda path: np.savez(path, inputs=inputs), 'a.npz',
    lambda path: np.savez(path, inputs=inputs, kind=labels),
    normal_labels=('1',),
  )  # fmt: skip
  examples.same(
    source,
    np.r_[examples.NUMBERS, examples.NUMBERS],
    np.r_[np.ones(examples.ROWS, bool), examples.NORMAL],
  )


@pytest.mark.parametrize(
  ('shape', 'want'),
  [
    ((6, 5, 4), (6, 5, 4, 1)),
    ((6, 5, 4, 1), (6, 5, 4, 1)),
    ((6, 5, 7, 3), (6, 5, 7, 3)),
    ((6, 3, 8, 7), (6, 8, 7, 3)),
    ((6, 1, 28, 28), (6, 28, 28, 1)),
  ],
)
@pytest.mark.parametrize('dtype', [np.uint8, np.float32])
def test_arrays_of_images(load, shape, want, dtype):
  x = _RNG.integers(0, 256, shape).astype(dtype)
  source = load(
    lambda path: np.savez(path, inputs=x, kind=['ok'] * 5 + ['NG']), 'a.npz'
  )
  assert source.inputs.shape == want
  first = x[0].reshape(want[1:]) if x.ndim == 3 or shape == want else (
    np.stack(list(x[0]), axis=-1)
  )  # fmt: skip
  np.testing.assert_array_equal(source.inputs[0], first)
  is_said = any('[S, H, W, C]' in line for line in source.remarks)
  assert is_said == (shape != want)


def _zip(path, members, how=zipfile.ZIP_DEFLATED, encrypt=False):
  with zipfile.ZipFile(path, 'w', how) as archive:
    for name, array in members.items():
      content = io.BytesIO()
      np.lib.format.write_array(content, array)
      archive.writestr(f'{name}.npy', content.getvalue())
  if encrypt:
    content = bytearray(path.read_bytes())
    for mark, at in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):
      start = -1
      while (start := content.find(mark, start + 1)) >= 0:
        content[start + at] |= 1
    path.write_bytes(content)


@pytest.mark.parametrize('how', ['STORED', 'DEFLATED', 'BZIP2', 'LZMA'])
def test_npz_of_any_compression(load, how):
  members = {
    'X': examples.NUMBERS,
    'kind': np.where(examples.NORMAL, b'ok', b'NG'),
  }
  how = getattr(zipfile, f'ZIP_{how}')
  examples.same(load(lambda path: _zip(path, members, how), 'a.npz'))


def _with_compression(path, number):
  _zip(path, {'X': examples.NUMBERS, 'kind': examples.NORMAL})
  content = bytearray(path.read_bytes())
  for mark, at in ((b'PK\x03\x04', 8), (b'PK\x01\x02', 10)):
    start = -1
    while (start := content.find(mark, start + 1)) >= 0:
      content[start + at] = number
  path.write_bytes(content)


def _announcing(shape, descr='<f8', version=b'\x01\x00'):
  header = repr({'descr': descr, 'fortran_order': False, 'shape': shape})
  size = 2 if version == b'\x01\x00' else 4
  header = header.encode().ljust(120) + b'\n'
  return b'\x93NUMPY' + version + len(header).to_bytes(size, 'little') + header


NPY = {
  'huge': _announcing((10**12,)) + bytes(80),
  'huger': _announcing((10**30, 2)) + bytes(80),
  'negative': _announcing((-1, 3)) + bytes(80),
  'short': _announcing((5, 2)) + bytes(79),
  'objects': _announcing((5,), '|O') + bytes(80),
  'no shape': _announcing('x') + bytes(80),
  'brackets': b'\x93NUMPY\x02\x00\x20\x4e\x00\x00' + b'[' * 20000,
  'version 9': b'\x93NUMPY\x09\x00' + bytes(100),
  'version 3 in Latin-1': _announcing((1,), version=b'\x03\x00')[:-9] + b'\xe9',
  'half a header': _announcing((5, 2))[:30],
}


@pytest.mark.parametrize('case', NPY)
@pytest.mark.parametrize('packed', [False, True])
def test_npy_headers(tmp_path, case, packed):
  path = tmp_path / ('a.npz' if packed else 'a.npy')
  if packed:
    with zipfile.ZipFile(path, 'w') as archive:
      archive.writestr('X.npy', NPY[case])
  else:
    path.write_bytes(NPY[case])
  with pytest.raises(errors.UserError, match='a.np[yz].*') as caught:
    npz.arrays(path)
  assert '\n' not in str(caught.value)


@pytest.mark.parametrize('version', [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize('order', 'CF')
def test_npy_as_numpy_reads_it(tmp_path, version, order):
  array = np.asarray(examples.NUMBERS, order=order)
  with (tmp_path / 'a.npy').open('wb') as file:
    np.lib.format.write_array(file, array, version=version)
  array = npz.arrays(tmp_path / 'a.npy')['inputs']
  np.testing.assert_array_equal(array, np.load(tmp_path / 'a.npy'))


def test_npz_that_cannot_be_unpacked(refused):
  members = {'X': examples.NUMBERS, 'kind': examples.NORMAL}
  message = refused(lambda path: _zip(path, members, encrypt=True), 'a.npz')
  assert 'encrypted' in message
  message = refused(lambda path: _with_compression(path, 93), 'a.npz')
  assert 'a.npz' in message and 'compress' in message


def _npz(**arrays):
  return lambda path: np.savez(path, **arrays)


NPZ = {
  'label_column': 'y',
  'categorical_columns': (),
  'normal_labels': ('0',),
  'name': 'my.npz',
}


def _load_npz(load, content, **fields):
  fields = {**NPZ, **fields}
  name = fields.pop('name')
  return load(content, name, **fields)


def test_npz_table(load):
  x = np.arange(12, dtype=np.uint8).reshape(4, 3)
  source = _load_npz(load, _npz(X=x, y=np.array([0.0, 1.0, 0.0, 0.0])))
  assert source.inputs.dtype == np.float32 and source.label_names == ('0', '1')
  assert [c.name for c in source.columns] == ['input 0', 'input 1', 'input 2']


def test_npz_images_stay_bytes(load):
  x = np.zeros((4, 5, 6, 3), np.uint8)
  source = _load_npz(
    load, _npz(inputs=x, extra=np.zeros(2), y=np.array(list('0010')))
  )
  assert source.inputs.dtype == np.uint8 and source.columns == ()


def test_npz_with_a_test_file(load, tmp_path):
  np.savez(tmp_path / 't.npz', X=np.ones((2, 3)), y=np.array([0, 7]))
  source = _load_npz(
    load,
    _npz(X=np.zeros((4, 3)), y=np.zeros(4, int)),
    test_path=str(tmp_path / 't.npz'),
    protocol='given',
  )
  assert source.is_test.sum() == 2 and source.label_names == ('0', '7')


BAD_NPZ = {
  'objects': (
    _npz(X=np.array([{}], object), y=np.zeros(1)),
    {},
    ['Python objects', 'np.savez'],
  ),
  'no label array': (
    _npz(X=np.zeros((2, 2)), z=np.zeros(2)),
    {},
    ['no array "y"', 'known: X, z'],
  ),
  'several arrays': (
    _npz(X=np.zeros((2, 2)), Z=np.zeros((2, 2)), y=np.zeros(2)),
    {},
    ['arrays X, Z', '"inputs"'],
  ),
  'labels only': (_npz(y=np.zeros(2)), {}, ['arrays none']),
  'other number of labels': (
    _npz(X=np.zeros((2, 2)), y=np.zeros(3)),
    {},
    ['3 labels for 2 samples'],
  ),
  'one axis': (
    _npz(X=np.zeros(2), y=np.zeros(2)),
    {},
    ['(2,)', '[S, H, W, C]'],
  ),
  'complex': (
    _npz(X=np.zeros((2, 2), complex), y=np.zeros(2)),
    {},
    ['complex128', '"X"'],
  ),
  'text': (
    _npz(X=np.array([['a']]), y=np.zeros(1)),
    {},
    ['"X"', 'expected numbers'],
  ),
  'empty': (
    _npz(X=np.zeros((0, 2)), y=np.zeros(0)),
    {},
    ['"X" (0, 2) is empty'],
  ),
  'nan': (
    _npz(X=np.array([[0, 1], [2, np.nan]]), y=np.zeros(2)),
    {},
    ['row 1', '"X"', 'nan at input 1', 'median'],
  ),
  'inf': (
    _npz(X=np.array([[0, 1], [np.inf, 1]]), y=np.zeros(2)),
    {'missing': 'median'},
    ['row 1', 'inf at input 0'],
  ),
  'nan in an image': (
    _npz(X=np.full((1, 2, 2, 1), np.nan, np.float32), y=np.zeros(1)),
    {'missing': 'median'},
    ['row 0', 'nan at input 0, 0, 0'],
  ),
  'missing number as label': (
    _npz(X=np.zeros((2, 2)), y=np.array([0, np.nan])),
    {},
    ['row 1', 'label array "y"', 'whole numbers'],
  ),
  'missing text as label': (
    _npz(X=np.zeros((2, 2)), y=np.array(['0', ''])),
    {},
    ['row 1', 'label array "y"', 'no value'],
  ),
  'labels of two axes': (
    _npz(X=np.zeros((2, 2)), y=np.zeros((2, 2))),
    {},
    ['label array "y"', 'shape [S]'],
  ),
  'categorical columns': (
    _npz(X=np.zeros((2, 2)), y=np.zeros(2)),
    {'categorical_columns': ('a',)},
    ['categorical_columns', 'no column names', 'csv'],
  ),
  'not an npz': (b'hello', {}, ['my.npz']),
  'no bytes': (b'', {}, ['my.npz']),
}


@pytest.mark.parametrize('case', BAD_NPZ)
def test_bad_npz(refused, case):
  content, fields, words = BAD_NPZ[case]
  message = _load_npz(refused, content, **fields)
  for word in words:
    assert word in message


def test_truncated_npz(refused):
  def cut(path):
    np.savez(path, X=np.zeros((50, 2)), y=np.zeros(50))
    path.write_bytes(path.read_bytes()[:-100])

  assert 'my.npz' in _load_npz(refused, cut)


def test_damaged_npz(refused):
  def damage(path):
    np.savez(path, X=np.zeros((50, 2)), y=np.zeros(50))
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(content)

  assert 'my.npz' in _load_npz(refused, damage)


def test_a_bare_array_under_the_name_npz(refused):
  def bare(path):
    with path.open('wb') as file:
      np.save(file, np.zeros(3))

  assert 'np.savez' in _load_npz(refused, bare)


def test_a_zip_of_other_things(refused):
  def other(path):
    with zipfile.ZipFile(path, 'w') as file:
      file.writestr('readme.txt', 'hello')

  assert 'my.npz' in _load_npz(refused, other)


def test_test_npz_of_another_width(refused, tmp_path):
  np.savez(tmp_path / 't.npz', X=np.ones((2, 4)), y=np.zeros(2))
  message = _load_npz(
    refused,
    _npz(X=np.zeros((4, 3)), y=np.zeros(4)),
    test_path=str(tmp_path / 't.npz'),
    protocol='given',
  )
  assert 't.npz' in message and '(4,)' in message and '(3,)' in message
