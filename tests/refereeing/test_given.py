"""Scores, labels and videos of several files, put together."""

import numpy as np
import pytest

from memae_jax.refereeing import given
from tests.refereeing import inputs


def _read(folder, files, **options):
  inputs.written(folder, files)
  for name in ('scores', 'labels', 'normal'):
    if options.get(name):
      options[name] = str(folder / options[name])
  return given.read(given.Options(**options))


def test_lengths_cut_a_row_into_videos(tmp_path):
  files = {
    's.npy': inputs.npy(inputs.SCORES),
    'l.npy': inputs.npy(inputs.LABELS),
  }
  got = _read(
    tmp_path,
    files,
    scores='s.npy',
    labels='l.npy',
    video_lengths='4,2',
    frame_rate=25.0,
  )
  assert got.frames.video.tolist() == [0, 0, 0, 0, 1, 1]
  assert got.frames.frame.tolist() == [0, 1, 2, 3, 0, 1]
  assert got.frames.lengths == [4, 2] and got.frames.rates == [25.0, 25.0]
  assert got.score.tolist() == inputs.SCORES.tolist()
  assert got.anomalous.tolist() == (inputs.LABELS == 1).tolist()
  assert got.normal.size == 0 and got.normal_frames is None


def test_folders_pair_by_name(tmp_path):
  """Also where one has another order, or another form."""
  files = {
    's/b.npy': inputs.npy([1.0, 2.0]),
    's/a.npy': inputs.npy([3.0]),
    'l.csv': inputs.csv('video,label', 'b,1', 'b,0', 'a,1'),
  }
  got = _read(tmp_path, files, scores='s', labels='l.csv')
  assert got.frames.names == ['a', 'b']
  assert got.score.tolist() == [3, 1, 2]
  assert got.anomalous.tolist() == [True, True, False]


def test_frames_without_a_score_are_left_out(tmp_path):
  files = {
    's.csv': inputs.csv('video,frame,score', 'a,3,1', 'a,1,2', 'b,0,3'),
    'l/a.npy': inputs.npy(np.array([0, 0, 0, 1, 0])),
    'l/b.npy': inputs.npy(np.array([1, 0])),
  }
  got = _read(tmp_path, files, scores='s.csv', labels='l')
  assert got.anomalous.tolist() == [True, False, True]
  assert got.frames.lengths == [5, 2]
  assert got.frames.frame.tolist() == [3, 1, 0]


@pytest.mark.parametrize('order', [[0, 1, 2], [2, 0, 1]])
def test_frames_of_labels_pair_too(order, tmp_path):
  rows = [('a,4,0', 0), ('a,5,1', 1), ('a,6,0', 0)]
  files = {
    's.csv': inputs.csv('video,frame,score', 'a,6,1', 'a,5,2'),
    'l.csv': inputs.csv('video,frame,label', *(rows[i][0] for i in order)),
  }
  got = _read(tmp_path, files, scores='s.csv', labels='l.csv')
  assert got.anomalous.tolist() == [False, True]
  assert got.frames.lengths == [7]


def test_labels_bring_videos_where_scores_have_none(tmp_path):
  files = {
    's.npy': inputs.npy([1.0, 2.0, 3.0]),
    'l/2.npy': inputs.npy(np.array([1, 0])),
    'l/10.npy': inputs.npy(np.array([0])),
  }
  got = _read(tmp_path, files, scores='s.npy', labels='l')
  assert got.frames.names == ['2', '10']
  assert got.anomalous.tolist() == [True, False, False]


def test_normals_may_be_videos(tmp_path):
  files = {
    's.npy': inputs.npy(inputs.SCORES),
    'l.npy': inputs.npy(inputs.LABELS),
    'n/a.npy': inputs.npy([1.0, 2.0]),
    'n/b.npy': inputs.npy([3.0]),
  }
  flags = {'scores': 's.npy', 'labels': 'l.npy', 'normal': 'n'}
  got = _read(tmp_path, files, **flags, higher_is_normal=True)
  assert got.normal.tolist() == [-1, -2, -3]
  assert got.normal_frames.video.tolist() == [0, 0, 1]
  assert got.score.tolist() == (-inputs.SCORES).tolist()
  assert got.frames is None
