import os
import pathlib
import tempfile

import numpy as np
import pytest

from memae_jax.data.videos import frame_cache
from memae_jax.runtime import errors

PARTS = [np.arange(6, dtype=np.uint8).reshape(3, 2), np.ones((1, 2), np.uint8)]


def test_decoded_once(tmp_path):
  calls = []

  def decode(_):
    calls.append(1)
    yield from ((part, i) for i, part in enumerate(PARTS))

  for _ in range(2):
    values, lengths, kept = frame_cache.load(tmp_path / 'frames', 'a', decode)
    np.testing.assert_array_equal(values, np.concatenate(PARTS))
    assert lengths == [3, 1] and kept == [0, 1] and not values.flags.writeable
  assert len(calls) == 1
  assert [p.name for p in (tmp_path / 'frames').iterdir()] == ['a']
  # A file that was cut short, or lost, is made again.
  path = tmp_path / 'frames/a/values'
  for damage in (lambda: path.write_bytes(b'abc'), path.unlink):
    damage()
    values, _, _ = frame_cache.load(tmp_path / 'frames', 'a', decode)
    np.testing.assert_array_equal(values, np.concatenate(PARTS))
  assert len(calls) == 3


def test_nothing_is_left_of_a_failure(tmp_path):
  def decode(_):
    yield PARTS[0], None
    raise errors.UserError('frame 3 is damaged')

  with pytest.raises(errors.UserError, match='frame 3'):
    frame_cache.load(tmp_path, 'a', decode)
  assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written(tmp_path):
  (tmp_path / 'frames').write_text('a file')
  with pytest.raises(errors.UserError, match='cannot be written.*data_dir'):
    frame_cache.load(tmp_path / 'frames', 'a', lambda _: PARTS)


def test_fingerprint_follows_files_and_settings(tmp_path):
  file = tmp_path / '1.png'
  file.write_text('x')
  first = frame_cache.fingerprint([file], 64)
  assert frame_cache.fingerprint([file], 64) == first
  assert frame_cache.fingerprint([file], 32) != first
  os.utime(file, (0, 0))
  assert frame_cache.fingerprint([file], 64) != first


@pytest.fixture
def read_only(monkeypatch):
  """Makes folders that may only be read, for root, too."""
  real, folders = os.access, []

  def access(path, mode):
    inside = any(pathlib.Path(path).is_relative_to(f) for f in folders)
    return real(path, mode) and not (inside and mode & os.W_OK)

  monkeypatch.setattr(os, 'access', access)
  return folders.append


def test_a_folder_that_may_only_be_read(
  tmp_path, monkeypatch, read_only, caplog
):
  caplog.set_level('INFO', 'memae_jax')
  data, home = tmp_path / 'data', tmp_path / 'home'
  data.mkdir()
  read_only(data)
  monkeypatch.setenv('XDG_CACHE_HOME', str(home))
  calls = []

  def decode(_):
    calls.append(1)
    yield from ((part, None) for part in PARTS)

  for _ in range(2):
    values, *_ = frame_cache.load(data / 'frames', 'a', decode)
    np.testing.assert_array_equal(values, np.concatenate(PARTS))
  assert len(calls) == 1 and not list(data.iterdir())
  assert (home / 'memae_jax/frames/a/values').is_file()
  assert f'{data}/frames may only be read' in caplog.text
  # Without a home, in the folder for temporary files.
  read_only(home)
  monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path / 'temporary'))
  frame_cache.load(data / 'frames', 'b', decode)
  (kept,) = (tmp_path / 'temporary').glob('*/frames/b')
  # What is there is read from where it is.
  read_only(kept)
  kept.parent.rename(data / 'frames')
  frame_cache.load(data / 'frames', 'b', decode)
  assert len(calls) == 2
