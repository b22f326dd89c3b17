"""Curves over the steps of training."""

import numpy as np
import pytest

from memae_jax.evaluation.report.plots import detection, style, training


@pytest.fixture(scope='module')
def run(make_replica, make_run):
  return make_run([make_replica('memae', 'image', c) for c in (0, 8)])


def test_curves_keep_off_the_frame(run):
  steps, ones = np.arange(5), np.ones((5, 2))
  curves = {
    'slots_used': {'memae': (steps, ones * 7)},
    'dead_read_rate': {'memae': (steps, np.stack([steps % 2] * 2, 1))},
    'mean_kept': {'memae': (steps, ones * 0)},
    'loss': {'memae': (steps, np.geomspace(1, 1e-6, 10).reshape(5, 2))},
  }
  figures = [
    training.training_curves(curves, {}),
    detection.detection_curves({'memae': run['replicas']}, 0.3),
  ]
  for figure in figures:
    figure.canvas.draw()
    for ax in figure.axes:
      box = ax.get_window_extent()
      for line in ax.lines:
        if line.get_color() in ('#cccccc', style.ANOMALOUS):
          continue  # A line that is to cross the whole picture.
        x, y = ax.transData.transform(line.get_xydata()).T
        gaps = (x.min() - box.x0, box.x1 - x.max(),
                y.min() - box.y0, box.y1 - y.max())  # fmt: skip
        assert min(gaps) > 4, (ax.get_title(loc='left'), gaps)
