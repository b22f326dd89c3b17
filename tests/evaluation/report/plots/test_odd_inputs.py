"""The figure of pictures of no class."""

import numpy as np
import pytest

from memae_jax.evaluation.report.plots import odd_inputs, style
from memae_jax.evaluation.scoring import scores


def _replica(variant, channels, validation):
  pictures = np.random.default_rng(0).uniform(size=(2, 5, 8, 6, channels))
  odd = scores.Gallery(
    *pictures.astype(np.float32),
    np.array([0.1, 0.3, 0.25, 2, 30]),
    np.array([False, True, True, True, True]),
    ('fine', '$odd', 'noise', 'ring', 'cross'),
    sample=np.array([7, 3, -1, -1, -1]),
  )
  nothing = np.zeros(0)
  fields = {'variant': variant}
  rest = nothing, nothing, nothing, np.asarray(validation)
  return scores.ReplicaScores(variant, fields, *rest, odd=odd)


@pytest.mark.parametrize('channels', [1, 3])
def test_scores_above_the_threshold_stand_out(channels):
  figure = odd_inputs.draw(
    [
      _replica('memae', channels, [0.125, 0.25, 0.375]),
      _replica('ae', channels, []),
    ],
    0.5,
  )
  figure.canvas.draw()
  (ax,) = figure.axes
  assert len(ax.images) == 3 * 5
  colors = {(t.get_text(), t.get_color()) for t in ax.texts}
  flagged = {text for text, color in colors if color == style.ANOMALOUS}
  assert flagged == {'0.3', '2', '30', r'\$odd', 'noise', 'ring', 'cross'}
  plain = {text for text, color in colors if color == style.INK}
  assert plain == {'0.1', '0.25', '0.3', '2', '30'}  # AE has no threshold.
  names = [t.get_text() for t in ax.texts if t.get_color() == style.MUTED]
  assert names == 2 * ['input', 'MemAE\nthreshold 0.25', 'AE']
  # Pictures lie beside each other, and all of the figure is seen.
  boxes = [tuple(image.get_extent()) for image in ax.images]
  assert len(set(boxes)) == 15
  assert max(b[1] for b in boxes) < ax.get_xlim()[1] == style.WIDTH
  assert max(b[2] for b in boxes) < ax.get_ylim()[0]
