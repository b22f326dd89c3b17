"""Pictures of no class and what methods make of them, in one figure."""

from collections.abc import Sequence

import matplotlib.figure
import numpy as np

from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import images, style
from memae_jax.evaluation.scoring import scores

# Inches: names of the rows, titles with room above them, scores, and gaps.
_NAMES, _TITLE, _SCORE, _GAP = 1.3, 0.34, 0.2, 0.08
_LETTERS = 15  # Of a title.


def draw(
  replicas: Sequence[scores.ReplicaScores], quantile: float
) -> matplotlib.figure.Figure:
  """Draws test samples, and below them made pictures, with all outputs.

  Args:
    replicas: of different methods, whose galleries `odd` are of the same
      pictures.
    quantile: of the scores of validation normals, above which scores stand out.
  """
  first = replicas[0].odd
  groups = [np.flatnonzero(first.sample >= 0), np.flatnonzero(first.sample < 0)]
  wide = min(0.95, (style.WIDTH - _NAMES) / max(map(len, groups)) - _GAP)
  high = wide * first.inputs.shape[1] / first.inputs.shape[2]
  deep = _TITLE + high + _GAP + len(replicas) * (high + _SCORE)
  figure = matplotlib.figure.Figure((style.WIDTH, len(groups) * deep))
  # One pair of axes, in inches: a pair for each picture would be slow.
  ax = figure.add_axes((0, 0, 1, 1), autoscale_on=False)
  for number, places in enumerate(groups):
    top, size = number * deep + _TITLE, (wide, high)
    colors = np.where(first.anomalous, style.ANOMALOUS, style.NORMAL)[places]
    titles = [style.literal(first.title[k][:_LETTERS]) for k in places]
    _write(ax, top - _SCORE / 2, wide, titles, colors)
    _row(ax, top, size, 'input', first.inputs[places])
    top += high + _GAP
    for replica in replicas:
      limit, score = replica.threshold(quantile), replica.odd.score[places]
      name = wording.label(replica.fields['variant'])
      if limit is not None:
        name += f'\nthreshold {limit:.2g}'
      is_above = score > (np.inf if limit is None else limit)
      colors = np.where(is_above, style.ANOMALOUS, style.INK)
      _row(ax, top, size, name, replica.odd.reconstructions[places])
      _write(
        ax, top + high + _SCORE / 2, wide, [f'{v:.2g}' for v in score], colors
      )
      top += high + _SCORE
  ax.set(xlim=(0, style.WIDTH), ylim=(len(groups) * deep, 0))
  ax.axis('off')
  return figure


def _row(ax, top: float, size: tuple[float, float], name: str, pictures):
  """Draws pictures side by side, and a name before them."""
  wide, high = size
  place = {'ha': 'right', 'va': 'center'}
  at = _NAMES - 0.12, top + high / 2
  ax.text(*at, name, color=style.MUTED, fontsize=8.5, **place)
  for column, image in enumerate(pictures):
    left = _NAMES + column * (wide + _GAP)
    box = left, left + wide, top + high, top
    images.picture(ax, image, extent=box, aspect='auto')


def _write(ax, height: float, wide: float, words, colors):
  """Writes a word above or below each picture of a row."""
  for column, (word, color) in enumerate(zip(words, colors)):
    middle = _NAMES + column * (wide + _GAP) + wide / 2
    place = {'ha': 'center', 'va': 'center'}
    ax.text(middle, height, word, color=color, fontsize=8.5, **place)
