import io

import numpy as np
import pytest

from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.report.plots import video


def _frames(count):
  rng = np.random.default_rng(0)
  index = np.repeat(np.arange(count), 20)
  frame = np.tile(np.arange(8, 28), count)
  return frames_lib.FrameScores(
    rng.random(index.size),
    (frame > 15) & (frame != 20),
    index,
    frame,
    [f'cost $x_{i}' for i in range(count)],
    [35] * count,
  )


def _drawn(figure):
  figure.savefig(io.BytesIO(), format='png', dpi=60)


@pytest.mark.parametrize('count,panels', [(1, 1), (5, 5), (30, 24)])
def test_a_panel_for_each_video(count, panels):
  figure = video.score_curves(_frames(count), threshold=0.5)
  shown = [ax for ax in figure.axes if ax.axison]
  assert len(shown) == panels
  assert shown[0].get_title('left').startswith(r'cost \$x_0  AUROC 0.')
  assert shown[0].get_xlim() == (0, 35)
  curve, threshold = shown[0].get_lines()
  y = np.asarray(curve.get_ydata())
  assert np.isfinite(y).sum() == 20 and np.isnan(y[:8]).all()
  assert [p.get_x() for p in shown[0].patches] == [15.5, 20.5]
  labels = [t.get_text() for t in figure.legends[0].get_texts()]
  assert sorted(labels) == ['anomalous frames', 'score', 'threshold']
  _drawn(figure)


@pytest.mark.parametrize(
  ('frame', 'length', 'dots'),
  [([0], 1, [0]), ([2, 4, 5, 9], 10, [2, 9]), ([0, 1], 2, [])],
)
def test_frames_without_neighbours_are_dots(frame, length, dots):
  score = np.linspace(0.2, 0.8, len(frame))
  frames = frames_lib.FrameScores(
    score, score > 0.7, np.zeros(len(frame), int), np.array(frame), ['a'],
    [length],
  )  # fmt: skip
  figure = video.score_curves(frames, threshold=0.5)
  (ax,) = figure.axes
  drawn = [line for line in ax.get_lines() if line.get_marker() == '.']
  assert [x for line in drawn for x in line.get_xdata()] == dots
  (patch,) = ax.patches if score[-1] > 0.7 else [None]
  assert patch is None or patch.get_x() == frame[-1] - 0.5
  _drawn(figure)


def test_one_outlier_does_not_flatten_the_curves():
  frames = _frames(20)
  frames.score[3] = 1e6
  figure = video.score_curves(frames)
  assert figure.axes[0].get_ylim()[1] < 2
  flat = frames._replace(score=np.ones_like(frames.score))
  _drawn(video.score_curves(flat))
