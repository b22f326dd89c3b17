"""Test pictures beside the maps of all methods, with what is flagged."""

import textwrap
from collections.abc import Sequence

import matplotlib.figure
import numpy as np

from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import images, style
from memae_jax.evaluation.scoring import scores

_NAMES, _TITLE, _SCORE, _GAP = 1.25, 0.36, 0.17, 0.06  # Inches.
_LETTERS = 16  # Of a title.
_PANELS = 5  # Beside each other, where a figure is of one picture.


def gallery(shown: scores.SideBySide) -> matplotlib.figure.Figure:
  """Draws pictures in columns, and below them the maps of each method.

  Args:
    shown: the pictures.
  """
  count = len(shown.sample)
  wide = min(1.25, (style.WIDTH - _NAMES) / count - _GAP)
  high = wide * shown.inputs.shape[1] / shown.inputs.shape[2]
  deep = high + _SCORE + _GAP
  height = _TITLE + high + _GAP + len(shown.columns) * deep
  ax = _canvas(height)
  colors = np.where(shown.anomalous, style.ANOMALOUS, style.NORMAL)
  for k in range(count):
    left = _NAMES + k * (wide + _GAP)
    title = style.literal(shown.title[k][:_LETTERS])
    _text(ax, left + wide / 2, _TITLE / 2, title, colors[k])
    _input(ax, shown, k, (left, _TITLE, wide, high))
    for row, column in enumerate(shown.columns):
      top = _TITLE + high + _GAP + row * deep
      _map(ax, column, k, (left, top, wide, high))
      below = top + high + _SCORE / 2
      _text(ax, left + wide / 2, below, _score(column, k))
  at = _NAMES - 0.1, _TITLE + high / 2
  _text(ax, *at, 'input', style.MUTED, ha='right')
  for row, column in enumerate(shown.columns):
    middle = _TITLE + high + _GAP + row * deep + high / 2
    name = _broken(wording.label(column.name))
    _text(ax, _NAMES - 0.1, middle, name, style.MUTED, ha='right')
  return ax.figure


def one(shown: scores.SideBySide, k: int, title: str):
  """Draws one picture with its truth, and the map of each method.

  Args:
    shown: the pictures.
    k: place of the picture.
    title: of the figure.

  Returns:
    A figure of Matplotlib.
  """
  panels = 1 + len(shown.columns)
  wide = style.WIDTH / _PANELS - _GAP
  high = wide * shown.inputs.shape[1] / shown.inputs.shape[2]
  deep = _TITLE + high
  ax = _canvas(_TITLE + -(-panels // _PANELS) * deep)
  color = style.ANOMALOUS if shown.anomalous[k] else style.NORMAL
  _text(ax, 0.05, _TITLE / 2, style.literal(title), color, ha='left')
  names = ['input'] + [
    f'{wording.label(column.name)}\n{_score(column, k)}'
    for column in shown.columns
  ]
  for panel, name in enumerate(names):
    row, at = divmod(panel, _PANELS)
    left, top = at * (wide + _GAP), _TITLE + row * deep
    _text(ax, left + wide / 2, top + _TITLE / 2, name)
    box = left, top + _TITLE, wide, high
    if panel:
      _map(ax, shown.columns[panel - 1], k, box)
    else:
      _input(ax, shown, k, box)
  return ax.figure


def _broken(name: str) -> str:
  """Returns a name in lines that fit beside the pictures."""
  return '\n'.join(textwrap.wrap(name, _LETTERS))


def _score(column: scores.Column, k: int) -> str:
  return wording.format_value(float(column.score[k]))


def _canvas(height: float):
  """Returns one pair of axes, in inches: one for each picture would be slow."""
  figure = matplotlib.figure.Figure((style.WIDTH, height))
  ax = figure.add_axes((0, 0, 1, 1), autoscale_on=False)
  ax.set(xlim=(0, style.WIDTH), ylim=(height, 0))
  ax.axis('off')
  return ax


def _text(ax, x: float, y: float, word: str, color=style.INK, ha='center'):
  ax.text(x, y, word, color=color, fontsize=8, ha=ha, va='center')


def _input(ax, shown: scores.SideBySide, k: int, box: Sequence[float]) -> None:
  """Draws a picture with the outline of its true mask, if there is one."""
  low, high = shown.levels
  picture = (np.asarray(shown.inputs[k], np.float64) - low) / (high - low)
  left, top, wide, deep = box
  extent = left, left + wide, top + deep, top
  images.picture(ax, picture, extent=extent, aspect='auto')
  if shown.masks is not None and shown.masks[k].any():
    images.outline(ax, shown.masks[k], style.OUTLINE, box)


def _map(ax, column: scores.Column, k: int, box: Sequence[float]) -> None:
  """Draws a map, and the outline of what is flagged, if there is a limit."""
  left, top, wide, deep = box
  values = np.asarray(column.maps[k], np.float64)
  low, high = column.scale
  extent = left, left + wide, top + deep, top
  images.picture(
    ax,
    values,
    extent=extent,
    aspect='auto',
    cmap='magma',
    vmin=low,
    vmax=high,
  )
  if column.limit is not None and (values > column.limit).any():
    images.outline(ax, values > column.limit, style.FLAGGED, box)
