"""Files of others are opened, or refused in one line that names them."""

import gzip
import pathlib

import numpy as np
import pytest

from memae_jax.runtime import errors, foreign


@pytest.mark.parametrize(
  'content',
  [
    'größe'.encode(),
    'größe'.encode('utf-8-sig'),
    'größe'.encode('utf-16'),
    'größe'.encode('cp1252'),
  ],
)
def test_text_in_each_encoding(tmp_path, content):
  path = tmp_path / 'a.txt'
  path.write_bytes(content)
  assert foreign.text(path) == 'größe'
  packed = tmp_path / 'a.txt.gz'
  packed.write_bytes(gzip.compress(content))
  assert foreign.text(packed) == 'größe'


@pytest.mark.parametrize(
  ('name', 'words'),
  [('nowhere', 'nowhere does not exist; check data.path'), ('', 'is no file')],
)
def test_files_that_are_not_there(tmp_path, name, words):
  with pytest.raises(errors.UserError, match=words):
    foreign.file(tmp_path / name)


def test_files_that_are_too_large(tmp_path):
  path = tmp_path / 'a.bin'
  path.write_bytes(bytes(1000))
  assert foreign.content(path, limit=1000) == bytes(1000)
  with pytest.raises(errors.UserError, match='a.bin has 1,000 bytes, more tha'):
    foreign.content(path, limit=999)
  packed = tmp_path / 'a.gz'
  packed.write_bytes(gzip.compress(bytes(1000)))
  assert foreign.content(packed, limit=1000) == bytes(1000)
  with pytest.raises(errors.UserError, match='unpacks to more than 999 bytes'):
    foreign.content(packed, limit=999)


def test_a_gzip_file_that_ends_too_early_or_is_a_bomb(tmp_path, monkeypatch):
  path = tmp_path / 'a.gz'
  content = gzip.compress(bytes(10**6))
  path.write_bytes(content[:-4])
  with pytest.raises(errors.UserError, match='a.gz is no complete gzip file'):
    foreign.content(path)
  path.write_bytes(content)
  monkeypatch.setattr(foreign, 'BOMB', 1000)
  with pytest.raises(errors.UserError, match='to far more than its size'):
    with foreign.opened(path) as file:
      file.read()


def test_arrays_are_maps_and_never_unpickled(tmp_path):
  path = tmp_path / 'a.npy'
  np.save(path, np.arange(3))
  assert isinstance(foreign.npy(path), np.memmap)
  np.save(path, np.array([pathlib.Path()]), allow_pickle=True)
  with pytest.raises(errors.UserError, match='a.npy is no readable npy file'):
    foreign.npy(path)
  np.savez(tmp_path / 'b.npz', np.arange(3))
  with pytest.raises(errors.UserError, match='it is an npz file'):
    foreign.npy(tmp_path / 'b.npz')


@pytest.mark.parametrize(
  ('error', 'said'),
  [
    (MemoryError(), 'it asks for more memory than there is'),
    (FileNotFoundError(2, 'No such file', 'a'), 'No such file'),
    (ValueError('two\nlines\udce9'), r'two lines\xe9'),
    (KeyError(), 'KeyError'),
    (ValueError('x' * 999), 'x' * 200),
  ],
)
def test_reasons_are_one_short_line(error, said):
  assert foreign.reason(error) == said


def test_what_is_raised_inside_becomes_one_line():
  with pytest.raises(errors.UserError, match='^a is no whole b .c.; mend it$'):
    with foreign.reading('a', 'b', 'mend it', 'whole'):
      raise RuntimeError('c')
  with pytest.raises(errors.UserError, match='^said already$'):
    with foreign.reading('a', 'b'):
      raise errors.UserError('said already')


@pytest.mark.parametrize(
  ('count', 'said'),
  [
    (0, '0 bytes'),
    (1536, '1.5 KiB'),
    (2**40, '1 TiB'),
    (2**49, '512 TiB'),
  ],
)
def test_sizes(count, said):
  assert foreign.size_of(count) == said


def test_names_of_another_network_are_refused():
  foreign.check_names({'a', 'b'}, {'a', 'b'}, 'is foreign', 'mend it')
  for stored, message in (
    ('ac', r'^"b" is missing \(and 1 more\); mend it$'),
    ('abdx', '^"x" is foreign; mend it$'),
  ):
    with pytest.raises(errors.UserError, match=message):
      foreign.check_names(set(stored), set('abd'), 'is foreign', 'mend it')
