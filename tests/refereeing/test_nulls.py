"""Scores that look at no sample."""

import numpy as np

from memae_jax.evaluation.metrics import frames
from memae_jax.refereeing import given, nulls


def _given(with_videos, normals=0):
  anomalous = np.array([False, True, True, False])
  video = None
  if with_videos:
    video = frames.FrameScores(
      np.zeros(4), anomalous, np.array([0, 0, 0, 1]), np.array([2, 0, 1, 0]),
      ['a', 'b'], [3, 1],
    )  # fmt: skip
  return given.Given(np.zeros(4), anomalous, video, np.zeros(normals), None)


def test_which_there_are():
  names = [r.fields['variant'] for r in nulls.predictors(_given(False))]
  assert names == ['random'] * nulls.SEEDS + ['constant', 'all_positive']
  assert nulls.predictors(_given(True))[-1].name == 'frame_position'
  assert nulls.NOTES.keys() == {*names, 'frame_position'}


def test_what_they_flag():
  by_name = {r.name: r for r in nulls.predictors(_given(True, 3))}
  constant, whole = by_name['constant'], by_name['all_positive']
  assert not (constant.score > constant.threshold(0.95)).any()
  assert (whole.score > whole.threshold(0.95)).all()
  position = by_name['frame_position']
  assert (
    position.score.tolist() == position.frames.score.tolist() == [2, 0, 1, 0]
  )
  first, second = by_name['random/seed=0'], by_name['random/seed=1']
  assert len(set(first.score) | set(second.score)) == 8
  assert len(first.validation_score) == 3
