"""Each form of a file gives the same columns; wrong ones: test_referee.py."""

import gzip

import numpy as np
import pytest

from memae_jax.refereeing import columns
from tests.refereeing import inputs

_VIDEO = np.array(['a', 'a', 'b', 'b', 'b', 'b'])
_FRAME = np.array([0, 1, 0, 1, 2, 4])


def _read(folder, name, content, main='score'):
  inputs.written(folder, {name: content})
  return columns.read(str(folder / name), 'x', main)


def _table(separator=','):
  rows = zip(_VIDEO, _FRAME, inputs.SCORES, inputs.LABELS)
  head = separator.join(('video', 'frame', 'score', 'label'))
  return inputs.csv(head, *(separator.join(map(str, row)) for row in rows))


@pytest.mark.parametrize(
  'name,content',
  [
    ('a.csv', _table()),
    ('a.csv.gz', gzip.compress(_table(), mtime=0)),
    ('a.tsv', _table('\t')),
    (
      'a.npz',
      inputs.npz(
        scores=inputs.SCORES, labels=inputs.LABELS, video=_VIDEO, frame=_FRAME
      ),
    ),
  ],
)
def test_tables_and_npz_say_the_same(name, content, tmp_path):
  got = _read(tmp_path, name, content)
  np.testing.assert_array_equal(got.score, inputs.SCORES)
  np.testing.assert_array_equal(got.label, inputs.LABELS == 1)
  assert got.video.tolist() == _VIDEO.tolist()
  assert got.frame.tolist() == _FRAME.tolist()
  assert got.size == 6 and list(got.videos()) == ['a', 'b']


@pytest.mark.parametrize('shape', [(6,), (1, 6), (6, 1)])
@pytest.mark.parametrize('dtype', ['f4', 'f8', '>f4', 'f2'])
def test_arrays_of_one_row(shape, dtype, tmp_path):
  array = inputs.SCORES.astype(dtype)
  got = _read(tmp_path, 'a.npy', inputs.npy(array.reshape(shape)))
  np.testing.assert_array_equal(got.score, array.astype(float))
  assert got.score.dtype == np.float64
  assert bool(got.remarks) == (len(shape) == 2)


@pytest.mark.parametrize('dtype', ['?', 'i1', 'u8', 'f4'])
def test_labels_of_any_number(dtype, tmp_path):
  content = inputs.npy(inputs.LABELS.astype(dtype))
  got = _read(tmp_path, 'a.npy', content, 'label')
  assert got.label.tolist() == (inputs.LABELS == 1).tolist()


def test_a_folder_has_a_file_for_each_video_in_order(tmp_path):
  for name, value in (('10.npy', 3.0), ('2.npz', 2.0), ('1.csv', 1.0)):
    content = {
      '.npy': inputs.npy([value, 9]),
      '.npz': inputs.npz(score=[value, 9]),
      '.csv': inputs.csv('score', str(value), '9'),
    }[name[-4:]]
    inputs.written(tmp_path, {f's/{name}': content})
  inputs.written(tmp_path, {'s/.DS_Store': b'x', 's/notes.md': b'x'})
  got = columns.read(str(tmp_path / 's'), 'x', 'score')
  assert got.video.tolist() == ['1', '1', '2', '2', '10', '10']
  assert got.score.tolist() == [1, 9, 2, 9, 3, 9]


def test_numbers_name_videos_too(tmp_path):
  content = inputs.npz(score=inputs.SCORES, video=np.repeat([7, 8], 3))
  assert _read(tmp_path, 'a.npz', content).video.tolist() == list('777888')
