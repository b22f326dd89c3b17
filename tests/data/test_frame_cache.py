import os

import numpy as np
import pytest

from memae_jax import errors
from memae_jax.data import frame_cache

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
