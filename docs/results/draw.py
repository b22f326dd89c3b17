"""Draws the pictures of README and RESULTS.md from the files in data/.

python docs/results/draw.py

Each picture carries a digest of the data that it shows, so that a test sees
whether it is older than they are. The data of the digits are made by
`extract_picture.py`.
"""

import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tables
from matplotlib import figure

DIGITS = tables.ROOT / 'docs/digits.png'
OVERVIEW = tables.ROOT / 'docs/results/overview.png'
PICTURED = 'digits_picture'  # The file of the digits.
_DPI = 150
# Colours of Okabe and Ito, which colour-blind readers can tell apart.
_BLUE, _ORANGE = '#0072b2', '#d55e00'
_INK, _MUTED, _LINE, _PALE = '#222222', '#6b6b6b', '#b8b8b8', '#e4e4e4'


class _Panel(NamedTuple):
  """A data set of the overview.

  Attributes:
    title: the data and the measure.
    file: in data/.
    column: of the measure.
    paper: column of the paper's numbers, or nothing.
    lowest: number at the left end.
  """

  title: str
  file: str
  column: str
  paper: str
  lowest: float


_PANELS = (
  _Panel('KDDCUP99\nF1', 'kddcup99', 'F1', 'paper F1', 0.92),
  _Panel('MNIST\nAUROC', 'mnist', 'AUROC', 'paper', 0.83),
  _Panel('CIFAR-10 (part)\nAUROC', 'cifar10', 'AUROC', 'paper', 0.52),
  _Panel(
    'UCSD Ped2, 128 px\nAUROC per video',
    *('ped2_128', 'AUROC, normalised per video', 'paper (256 px)', 0.55),
  ),
  _Panel('Digits 8x8\nAUROC', 'digits', 'AUROC', '', 0.95),
)
_METHODS = (  # Line of the overview, and what the row of a file begins with.
  ('MemAE', 'MemAE'),
  ('MemAE without sparsity', 'MemAE-nonSpar'),
  ('Autoencoder', 'AE'),
  ('PCA', 'PCA'),
  ('Kernel density', 'Kernel density'),
  ('One-class SVM', 'One-class SVM'),
  ('Isolation forest', 'Isolation forest'),
  ('Distance to the mean', 'Distance to the mean'),
  ('Difference of frames', 'Difference to the frame before'),
)
_LEFT, _WIDTH = 0.12, 0.87  # Of the digits, as a share of the figure.
_WHITE = 255


def digest(names: Sequence[str]) -> str:
  """Returns a digest of what data files say, whatever their white space."""
  files = [json.loads((tables.DATA / f'{n}.json').read_text()) for n in names]
  text = json.dumps(files, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def sources() -> dict[pathlib.Path, list[str]]:
  """Returns the data files of each picture."""
  return {DIGITS: [PICTURED], OVERVIEW: [panel.file for panel in _PANELS]}


def overview() -> figure.Figure:
  """Draws all data sets: the networks, simple rivals, the paper's numbers."""
  drawn = figure.Figure((12, 4.1), layout='constrained')
  for ax, panel in zip(drawn.subplots(1, len(_PANELS), sharey=True), _PANELS):
    _panel(ax, panel)
  ax = drawn.axes[0]
  ax.set_yticks(range(len(_METHODS)), [line for line, _ in _METHODS])
  ax.set_ylim(len(_METHODS) - 0.4, -0.7)
  for tick, (_, start) in zip(ax.get_yticklabels(), _METHODS):
    if start in tables.NETWORKS:
      tick.set(color=_INK, weight='bold')
    else:
      tick.set_color(_MUTED)
  mark = lambda **kwargs: drawn.axes[-1].plot([], [], **kwargs)[0]
  marks = {
    'network, here, with its 95 % interval': mark(
      color=_BLUE, marker='o', markersize=7, linewidth=2
    ),
    'simple rival, here (an arrow: further to the left)': mark(
      color=_MUTED, marker='s', markersize=6, linewidth=2
    ),
    'the same network in the paper': mark(
      color=_ORANGE, marker='D', markersize=7, mfc='white', linestyle=''
    ),
  }
  drawn.legend(
    marks.values(),
    marks.keys(),
    loc='outside lower center',
    ncols=3,
    frameon=False,
    fontsize=10,
    labelcolor=_INK,
  )
  return drawn


def _panel(ax, panel: _Panel) -> None:
  """Draws one data set, a line per method."""
  values = tables.column(panel.file, panel.column)
  paper = tables.column(panel.file, panel.paper) if panel.paper else {}
  best = max(values, key=lambda name: tables.mean(values[name]))
  ends = [tables.mean(v) for v in (values[best], *paper.values()) if v]
  for y, (_, start) in enumerate(_METHODS):
    if (name := _row(values, start)) is None:
      continue
    ends.append(_method(ax, y, name, values[name], panel.lowest))
    if name == best:
      _value(ax, y, tables.mean(values[name]), name)
    if name in tables.NETWORKS and paper.get(name):
      at = tables.mean(paper[name])
      ax.plot(at, y, 'D', color=_ORANGE, mfc='white', markersize=7)
  ax.set_title(
    panel.title, fontsize=10.5, color=_INK, weight='bold', loc='left'
  )
  ax.set_xlim(panel.lowest, max(ends) + 0.1 * (max(ends) - panel.lowest))
  ax.locator_params(axis='x', nbins=4)
  ax.grid(color=_PALE, linewidth=0.8)
  ax.axhline(len(tables.NETWORKS) - 0.5, color=_LINE, linewidth=0.8)
  ax.set_axisbelow(True)
  _axis(ax, 10)
  ax.tick_params(left=False)


def _method(ax, y: int, name: str, cell: tables.Cell, lowest: float) -> float:
  """Draws a number with its interval; returns the end of that."""
  value = tables.mean(cell)
  if value < lowest:
    ax.annotate(
      f'◂ {value:.2f}',
      (0.03, y),
      xycoords=('axes fraction', 'data'),
      va='center',
      color=_MUTED,
      fontsize=9,
    )
    return lowest
  interval = cell.get('ci95') if isinstance(cell, Mapping) else None
  low, high = map(float, interval or (value, value))
  ax.plot([max(low, lowest), high], [y, y], color=_color(name), linewidth=2)
  marker, size = ('o', 7) if name in tables.NETWORKS else ('s', 6)
  ax.plot(value, y, marker, color=_color(name), markersize=size)
  return high


def _value(ax, y: int, value: float, name: str) -> None:
  """Writes a number above its mark."""
  ax.annotate(
    f'{value:.3f}',
    (value, y),
    xytext=(0, 7),
    textcoords='offset points',
    ha='center',
    fontsize=9,
    color=_color(name),
    weight='bold',
  )


def _color(name: str) -> str:
  return _BLUE if name in tables.NETWORKS else _MUTED


def _row(values: Mapping[str, tables.Cell], start: str) -> str | None:
  """Returns the row of a method, or None."""
  if start in tables.NETWORKS:
    return start if start in values else None
  return next((name for name in values if name.startswith(start)), None)


def _axis(ax, size: float) -> None:
  """Leaves the lower edge of axes only."""
  ax.spines[['top', 'right', 'left']].set_visible(False)
  ax.spines['bottom'].set_color(_LINE)
  ax.tick_params(labelsize=size, color=_LINE, labelcolor=_INK)


def digits() -> figure.Figure:
  """Draws digits of which the networks have seen zeros only, and all scores."""
  file = tables.read(PICTURED)
  drawn = figure.Figure((11, 6))
  _samples(drawn, file['shown'])
  for k, (name, scores) in enumerate(file['scores'].items()):
    ax = drawn.add_axes((_LEFT, 0.205 - 0.115 * k, _WIDTH, 0.09))
    _strip(ax, scores, np.asarray(file['anomalous']))
    _name(ax, name)
    if k < len(file['scores']) - 1:
      ax.set_xticklabels([])
  ax.set_xlabel(
    f'score: mean squared error of each of all {len(file["anomalous"])} test'
    ' images; dashed: threshold, from normal images only',
    fontsize=10.5,
    color=_MUTED,
  )
  return drawn


def _samples(drawn, shown) -> None:
  """Draws a row of test images, and a row of each network's reconstructions."""
  rows = {'test image': shown['input'], **shown['reconstruction']}
  anomalous = shown['anomalous']
  grid = drawn.add_gridspec(
    len(rows),
    len(anomalous),
    left=_LEFT,
    right=_LEFT + _WIDTH,
    top=0.92,
    bottom=0.36,
    wspace=0.08,
    hspace=0.24,
  )
  for row, (name, images) in enumerate(rows.items()):
    scores = shown['score'].get(name)
    for k, image in enumerate(images):
      ax = drawn.add_subplot(grid[row, k])
      ax.imshow(np.asarray(image, float), cmap='gray', vmin=0, vmax=_WHITE)
      ax.set(xticks=[], yticks=[])
      color = _ORANGE if anomalous[k] else _BLUE
      ax.spines[:].set(color=color, linewidth=2)
      if scores is None:
        ax.set_title(shown['label'][k], fontsize=12, color=color, pad=4)
      else:
        text = f'{"" if k else "score "}{float(scores[k]):.2f}'
        ax.set_xlabel(text, fontsize=9.5, color=_INK, labelpad=2)
      if k == 0:
        _name(ax, name if scores is None else f'{name}\nmakes of it')
  normal, share = anomalous.count(False), _WIDTH / len(anomalous)
  for first, last, color, text in (
    (0, normal, _BLUE, 'normal: zeros, as in training'),
    (normal, len(anomalous), _ORANGE, 'anomalous: digits never seen'),
  ):
    at = _LEFT + share * (first + last) / 2
    style = {'ha': 'center', 'fontsize': 12.5, 'weight': 'bold'}
    drawn.text(at, 0.97, text, color=color, **style)


def _name(ax, text: str) -> None:
  """Writes a name to the left of axes."""
  style = {'rotation': 0, 'ha': 'right', 'va': 'center', 'labelpad': 8}
  ax.set_ylabel(text, fontsize=11, color=_INK, **style)


def _strip(ax, scores, anomalous: np.ndarray) -> None:
  """Draws the scores of all test images along a line, heights at random."""
  score = np.asarray(scores['score'], float)
  height = np.random.default_rng(0).uniform(-1, 1, len(score))
  for kind, color in ((False, _BLUE), (True, _ORANGE)):
    at = anomalous == kind
    style = {'color': color, 'alpha': 0.65, 'markersize': 5, 'mew': 0}
    ax.plot(score[at], height[at], 'o', **style)
  threshold = float(scores['threshold'])
  ax.axvline(threshold, color=_INK, linewidth=1, linestyle='--')
  ax.set(ylim=(-1.6, 1.6), xlim=(0, 0.63), yticks=[])
  _axis(ax, 9.5)


def main() -> None:
  """Draws all pictures."""
  for path, draw in ((DIGITS, digits), (OVERVIEW, overview)):
    about = {'Description': f'data {digest(sources()[path])}'}
    draw().savefig(path, dpi=_DPI, metadata=about)
    print(path)


if __name__ == '__main__':
  main()
