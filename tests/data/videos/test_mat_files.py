"""Labels in .mat and .npy files; readers that a file can kill."""

import numpy as np
import pytest
import scipy.io

from memae_jax.data.videos import video_labels
from memae_jax.runtime import errors

NAMES, LENGTHS = ('01', '02'), (5, 5)
WANT = [[0, 1, 1, 0, 1], [0, 0, 0, 0, 0]]
FLAT = np.array(sum(WANT, []))


def _cells(*parts):
  cells = np.empty((1, len(parts)), object)
  for i, part in enumerate(parts):
    cells[0, i] = np.array(part)
  return cells


SPANS = _cells([[2, 5], [3, 5]], [])
MATS = {
  'spans': {'gt': SPANS},
  'a column of spans': {'gt': SPANS.T},
  'spans as floats': {'gt': _cells([[2.0, 5.0], [3.0, 5.0]], [])},
  'spans that meet': {'gt': _cells([[2, 3, 5], [2, 3, 5]], np.zeros((2, 0)))},
  'labels': {'gt': FLAT},
  'a column of labels': {'labels': FLAT[:, None].astype(bool)},
  'beside others': {'other': np.eye(3), 'label': FLAT.astype(float), 'x': 'a'},
}
NPYS = {
  'flat': FLAT,
  'a row': FLAT[None],
  'a column': FLAT[:, None],
  'a row for each video': np.array(WANT),
  'booleans': FLAT.astype(bool),
  'floats': FLAT.astype(np.float16),
  'big endian': FLAT.astype('>i4'),
  'columns first': np.asfortranarray(WANT),
}


def _check(path):
  labels = video_labels.read(path, NAMES, LENGTHS)
  assert [of_video.tolist() for of_video in labels] == WANT


@pytest.mark.parametrize('name', MATS)
@pytest.mark.parametrize('packed', [True, False])
def test_mat(tmp_path, name, packed):
  scipy.io.savemat(tmp_path / 'a.MAT', MATS[name], do_compression=packed)
  _check(tmp_path / 'a.MAT')


@pytest.mark.parametrize('name', NPYS)
def test_npy(tmp_path, name):
  np.save(tmp_path / 'a.npy', NPYS[name])
  _check(tmp_path / 'a.npy')


def test_version_4(tmp_path):
  scipy.io.savemat(tmp_path / 'a.mat', {'l': FLAT}, format='4')
  _check(tmp_path / 'a.mat')


BAD_MATS = {
  'half a frame': ({'gt': _cells([[2.5], [3]], [])}, 'cell 1 .*2.5, which is'),
  'no number': ({'gt': _cells([[np.nan], [3]], [])}, 'cell 1 .*nan, which is'),
  'from zero': ({'gt': _cells([], [[0], [3]])}, '0 to 3 of video "02"'),
  'backwards': ({'gt': _cells([], [[3], [2]])}, '3 to 2 of video "02"'),
  'too far': ({'gt': _cells([], [[3], [6]])}, '3 to 6 .*"02".* has 5 frames'),
  'frames': ({'gt': _cells([[2, 3, 5]], [])}, r'cell 1 .*shape \[2, n\]'),
  'text': ({'gt': _cells(['ab', 'cd'], [])}, 'cell 1'),
  'a video too few': ({'gt': _cells([])}, '1 videos.*2 test videos'),
  'others': ({'a': 1, 'b': 2}, r'no list "gt".*it has a, b\)'),
  'a matrix': ({'gt': np.eye(2)}, 'no list "gt"'),
  'twos': ({'gt': FLAT + 1}, 'frame 1 is 2; expected 0 or 1'),
  'a frame too few': ({'gt': FLAT[1:]}, '9 labels.*10 frames'),
}  # fmt: skip


@pytest.mark.parametrize('name', BAD_MATS)
def test_bad_mat(tmp_path, name):
  content, match = BAD_MATS[name]
  scipy.io.savemat(tmp_path / 'a.mat', content)
  _refused(tmp_path / 'a.mat', match)


def _refused(path, match):
  with pytest.raises(errors.UserError, match=match) as caught:
    video_labels.read(path, NAMES, LENGTHS)
  assert str(path) in str(caught.value) and '\n' not in str(caught.value)


@pytest.mark.parametrize('start', [0, 512])
def test_version_7_3_is_named(tmp_path, start):
  content = b'MATLAB 7.3 MAT-file'.ljust(512) + b'\x89HDF\r\n\x1a\n' + bytes(99)
  (tmp_path / 'a.mat').write_bytes(content[512 - start :])
  _refused(tmp_path / 'a.mat', 'version 7.3; save it with the option -v7')


ODD = np.empty(2, object)
ODD[:] = WANT
BAD_NPYS = {
  'objects': (ODD, 'no readable npy file .*Python objects.*one array'),
  'no number': (np.where(FLAT, np.nan, 0), 'frame 1 is nan; expected 0 or 1'),
  'twos': (FLAT * 2, 'frame 1 is 2'),
  'text': (FLAT.astype(str), 'holds <U.*expected one label for each frame'),
  'a matrix': (np.zeros((2, 4)), r'shape \(2, 4\)'),
  'one too few': (FLAT[1:], '9 labels.*10 frames'),
  'none': (FLAT[:0], '0 labels.*10 frames'),
  'complex': (FLAT + 0j, 'complex128'),
}


@pytest.mark.parametrize('name', BAD_NPYS)
def test_bad_npy(tmp_path, name):
  content, match = BAD_NPYS[name]
  np.save(tmp_path / 'a.npy', content, allow_pickle=True)
  _refused(tmp_path / 'a.npy', match)


def test_an_npy_that_announces_too_much(tmp_path):
  np.save(tmp_path / 'a.npy', FLAT)
  content = (tmp_path / 'a.npy').read_bytes()
  forged = content.replace(b'(10,), }        ', b'(1000000000000,), }')
  assert len(forged) > len(content)
  (tmp_path / 'a.npy').write_bytes(forged[: len(content)])
  _refused(tmp_path / 'a.npy', 'no readable npy')


def test_files_of_videos(tmp_path):
  """Files of masks and of labels are found by the number of their video."""
  masks = np.empty((1, 5), object)
  for i, label in enumerate(WANT[0]):
    masks[0, i] = np.eye(3, dtype=np.uint8) * label
  scipy.io.savemat(tmp_path / '1_label.mat', {'volLabel': masks})
  scipy.io.savemat(tmp_path / '2_label.mat', {'labels': WANT[1]})
  _check(tmp_path)
  masks[0, 1] = np.eye(4)
  scipy.io.savemat(tmp_path / '1_label.mat', {'volLabel': masks})
  with pytest.raises(errors.UserError, match='"volLabel", a list of masks'):
    video_labels.read(tmp_path, NAMES, LENGTHS)
