"""Figures of pictures beside the maps of all methods."""

import numpy as np

from memae_jax.evaluation.report.plots import side_by_side, style
from memae_jax.evaluation.scoring import scores


def _shown(limit):
  rng = np.random.default_rng(0)
  masks = np.zeros((3, 8, 12), bool)
  masks[1, 2:5, 3:7] = True
  column = lambda name, limit: scores.Column(
    name, rng.random((3, 8, 12)), np.arange(3.0), limit, (0.0, 1.0)
  )
  return scores.SideBySide(
    rng.integers(0, 256, (3, 8, 12, 1), np.uint8),
    (0.0, 255.0),
    masks,
    np.array([False, True, True]),
    np.arange(3),
    ('good', 'a$hole', 'a very long name of a defect'),
    (column('memae', limit), column('local_deviation_3', None)),
  )


def _outlines(figure):
  """Colours of the outlines."""
  (ax,) = figure.axes
  return [tuple(c.get_edgecolor()[0]) for c in ax.collections]


def _color(name):
  return tuple(int(name[i : i + 2], 16) / 255 for i in (1, 3, 5)) + (1.0,)


def test_truth_and_what_is_flagged_are_outlined():
  figure = side_by_side.gallery(_shown(0.9))
  figure.canvas.draw()
  lines = _outlines(figure)
  assert lines.count(_color(style.OUTLINE)) == 1  # One picture has a mask.
  assert lines.count(_color(style.FLAGGED)) == 3  # One method has a limit.
  assert len(figure.axes[0].images) == 3 * (1 + 2)
  assert not _outlines(side_by_side.gallery(_shown(2.0)))[1:]  # None above it.


def test_names_titles_and_scores_are_written():
  ax = side_by_side.gallery(_shown(0.9)).axes[0]
  words = [' '.join(text.get_text().split()) for text in ax.texts]
  for word in ('input', 'MemAE', 'Local deviation, 3 x 3', 'a\\$hole', '2'):
    assert word in words
  assert 'a very long name' in words  # It is cut.


def test_one_picture_has_a_panel_for_each_method():
  figure = side_by_side.one(_shown(0.9), 1, 'hole: 1')
  figure.canvas.draw()
  assert len(figure.axes[0].images) == 3
  assert _outlines(figure) == [_color(style.OUTLINE), _color(style.FLAGGED)]
