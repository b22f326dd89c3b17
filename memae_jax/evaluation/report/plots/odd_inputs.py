"""Pictures of no class and what methods make of them, in one figure."""

from collections.abc import Mapping

import matplotlib.figure
import numpy as np

from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import images, style
from memae_jax.evaluation.scoring import scores

# Inches: names of the rows, titles with room above them, scores, and gaps.
_NAMES, _TITLE, _SCORE, _GAP = 1.3, 0.34, 0.2, 0.08


def draw(
  galleries: Mapping[str, scores.Gallery],
  thresholds: Mapping[str, float | None],
) -> matplotlib.figure.Figure:
  """Draws test samples, and below them made pictures, with all outputs.

  Args:
    galleries: by variant, all of the same samples; the made ones have -1 in
      `sample`.
    thresholds: scores by variant above which a sample is flagged, or None.
  """
  first = next(iter(galleries.values()))
  groups = [np.flatnonzero(first.sample >= 0), np.flatnonzero(first.sample < 0)]
  wide = min(0.95, (style.WIDTH - _NAMES) / max(map(len, groups)) - _GAP)
  high = wide * first.inputs.shape[1] / first.inputs.shape[2]
  rows = 1 + len(galleries)
  deep = _TITLE + rows * (high + _SCORE) - _SCORE + _GAP
  figure = matplotlib.figure.Figure((style.WIDTH, len(groups) * deep))
  # One pair of axes, in inches: a pair for each picture would be slow.
  ax = figure.add_axes((0, 0, 1, 1), autoscale_on=False)
  for number, places in enumerate(groups):
    tops = number * deep + _TITLE + (high + _SCORE) * np.arange(rows)
    tops[1:] -= _SCORE - _GAP  # No score below the inputs.
    _names(ax, tops + high / 2, thresholds)
    for column, k in enumerate(places):
      left = _NAMES + column * (wide + _GAP)
      _column(ax, k, galleries, thresholds, (left, wide), (tops, high))
  ax.set(xlim=(0, style.WIDTH), ylim=(len(groups) * deep, 0))
  ax.axis('off')
  return figure


def _text(ax, x, y, text, color=style.INK, size=8.5, ha='center'):
  ax.text(x, y, text, color=color, fontsize=size, ha=ha, va='center')


def _names(ax, heights, thresholds) -> None:
  """Writes the names of the rows at some heights."""
  left = _NAMES - 0.12
  for height, name in zip(heights, ('input', *thresholds)):
    limit = thresholds.get(name)
    more = '' if limit is None else f'\nthreshold {limit:.2g}'
    text = name if name == 'input' else wording.label(name)
    _text(ax, left, height, text + more, style.MUTED, ha='right')


def _column(ax, k: int, galleries, thresholds, across, down) -> None:
  """Draws sample `k` with all that is made of it.

  Args:
    ax: in inches.
    k: place in the galleries.
    galleries, thresholds: see `draw`.
    across: left end and width of the pictures.
    down: top ends of all, and their height.
  """
  (left, wide), (tops, high) = across, down
  box = lambda top: (left, left + wide, top + high, top)
  first = next(iter(galleries.values()))
  shown = [first.inputs[k]]
  color = style.ANOMALOUS if first.anomalous[k] else style.NORMAL
  title = style.literal(first.title[k])
  _text(ax, left + wide / 2, tops[0] - _SCORE / 2, title, color)
  for (variant, gallery), top in zip(galleries.items(), tops[1:]):
    shown.append(gallery.reconstructions[k])
    limit, score = thresholds[variant], float(gallery.score[k])
    is_above = limit is not None and score > limit
    color = style.ANOMALOUS if is_above else style.INK
    below = top + high + _SCORE / 2
    _text(ax, left + wide / 2, below, f'{score:.2g}', color)
  for image, top in zip(shown, tops):
    images.picture(ax, image, extent=box(top), aspect='auto')
