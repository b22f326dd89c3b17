import os

import numpy as np
import pytest

from memae_jax.data import on_disk

VALUES = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3)


def _rows(folder, dtype=np.uint8):
  rows = on_disk.Rows((2, 3), dtype, folder)
  rows.append(VALUES[:2])
  rows.append(VALUES[2:])
  return rows


@pytest.mark.parametrize(
  'index',
  [
    slice(None),
    slice(1, 4),
    slice(0, 5, 2),
    slice(4, 1),
    3,
    -1,
    [-1, 0],
    [4, 0, 0],
    np.array([[0, 1], [3, 4]]),
    np.array([], int),
  ],
)
def test_it_reads_like_an_array(tmp_path, index):
  rows = _rows(tmp_path)
  assert rows.shape == (5, 2, 3) and len(rows) == 5
  np.testing.assert_array_equal(rows[index], VALUES[index])


def test_values_become_of_its_type(tmp_path):
  rows = _rows(tmp_path, np.float16)
  assert rows[1].dtype == np.float16
  np.testing.assert_array_equal(rows[:], VALUES)


def test_rows_that_are_not_there(tmp_path):
  rows = _rows(tmp_path)
  for index in (5, [-6], [0, 9]):
    with pytest.raises(IndexError):
      rows[index]
  with pytest.raises(ValueError, match='rows are'):
    rows.append(np.zeros((1, 3, 2)))


def test_nothing_is_left(tmp_path):
  open_files = lambda: len(os.listdir('/dev/fd'))
  before = open_files()
  rows = _rows(tmp_path)
  assert not list(tmp_path.iterdir()) and open_files() == before + 1
  del rows
  assert open_files() == before


def test_a_full_disk_names_the_folder(tmp_path, monkeypatch):
  rows = _rows(tmp_path)

  def full(*args):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(os, 'pwrite', full)
  with pytest.raises(OSError) as caught:
    rows.append(VALUES)
  assert caught.value.filename == str(tmp_path) and len(rows) == 5
