"""Draws the pictures of README and RESULTS.md from the files in data/.

python docs/results/draw.py                     draws both
python docs/results/draw.py extract runs/digits makes data/digits_picture.json

Each picture carries a digest of the data that it shows, so that a test sees
whether it is older than they are.
"""

import hashlib
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import tables

DIGITS, OVERVIEW = (
  tables.ROOT / 'docs/digits.png',
  tables.ROOT / 'docs/results/overview.png',
)
_PICTURED = 'digits_picture'
_DPI = 150
_BLUE, _ORANGE, _INK, _MUTED, _PALE = (
  '#0072b2',
  '#d55e00',
  '#222222',
  '#6b6b6b',
  '#e4e4e4',
)

# Panels of the overview: title, file, column, paper's column, lowest value.
_PANELS = (
  ('KDDCUP99\nF1', 'kddcup99', 'F1', 'paper F1', 0.92),
  ('MNIST\nAUROC', 'mnist', 'AUROC', 'paper', 0.83),
  ('CIFAR-10 (part)\nAUROC', 'cifar10', 'AUROC', 'paper', 0.52),
  (
    'UCSD Ped2, 128 px\nAUROC per video',
    *('ped2_128', 'AUROC, normalised per video', 'paper (256 px)', 0.55),
  ),
  ('Digits 8x8\nAUROC', 'digits', 'AUROC', '', 0.95),
)
_METHODS = (  # Line of the overview, and what such rows begin with.
  ('MemAE', 'MemAE'),
  ('MemAE without sparsity', 'MemAE-nonSpar'),
  ('Autoencoder', 'AE'),
  ('PCA', 'PCA'),
  ('Kernel density', 'Kernel density'),
  ('One-class SVM', 'One-class SVM'),
  ('Isolation forest', 'Isolation forest'),
  ('Distance to the mean image', 'Distance to the mean'),
  ('Difference of frames', 'Difference to the frame before'),
)


def digest(names: Sequence[str]) -> str:
  """Returns a digest of what data files say, whatever their white space."""
  known = [json.loads((tables.DATA / f'{n}.json').read_text()) for n in names]
  text = json.dumps(known, sort_keys=True)
  return hashlib.sha256(text.encode()).hexdigest()[:16]


def sources() -> dict[pathlib.Path, list[str]]:
  """Returns the data files of each picture."""
  return {
    DIGITS: [_PICTURED],
    OVERVIEW: [panel[1] for panel in _PANELS],
  }


def overview():
  """Returns the figure of all data sets: networks, simple rivals, the paper."""
  from matplotlib import figure

  drawn = figure.Figure((12, 4.1), layout='constrained')
  for ax, panel in zip(drawn.subplots(1, len(_PANELS), sharey=True), _PANELS):
    _panel(ax, *panel)
  ax = drawn.axes[0]
  ax.set_yticks(range(len(_METHODS)), [line for line, _ in _METHODS])
  ax.set_ylim(len(_METHODS) - 0.4, -0.7)
  for tick, (_, start) in zip(ax.get_yticklabels(), _METHODS):
    ours = start in tables.NETWORKS
    tick.set(
      color=_INK if ours else _MUTED, weight='bold' if ours else 'normal'
    )
  mark = lambda **kwargs: drawn.axes[-1].plot([], [], **kwargs)[0]
  drawn.legend(
    [
      mark(color=_BLUE, marker='o', markersize=7, linewidth=2),
      mark(color=_MUTED, marker='s', markersize=6, linewidth=2),
      mark(color=_ORANGE, marker='D', markersize=7, mfc='white', linestyle=''),
    ],
    [
      'network, here, with its 95 % interval',
      'simple rival, here (an arrow: further to the left)',
      'the same network in the paper',
    ],
    loc='outside lower center',
    ncols=3,
    frameon=False,
    fontsize=10,
    labelcolor=_INK,
  )
  return drawn


def _panel(ax, title, file, name, paper, lowest) -> None:
  """Draws one data set."""
  values = tables.column(file, name)
  published = tables.column(file, paper) if paper else {}
  best = max(tables.mean(v) for v in values.values())
  ends = [best, *(float(v) for v in published.values() if v)]
  for y, (_, start) in enumerate(_METHODS):
    row = _row(values, start)
    if row is None:
      continue
    cell, ours = values[row], row in tables.NETWORKS
    value, color = tables.mean(cell), _BLUE if ours else _MUTED
    if value < lowest:
      ax.annotate(
        f'◂ {value:.2f}',
        (0.03, y),
        xycoords=('axes fraction', 'data'),
        va='center',
        color=_MUTED,
        fontsize=9,
      )
      continue
    if isinstance(cell, Mapping) and cell.get('ci95'):
      low, high = map(float, cell['ci95'])
      ax.plot([max(low, lowest), high], [y, y], color=color, linewidth=2)
      ends.append(high)
    ax.plot(
      value, y, 'o' if ours else 's', color=color, markersize=7 if ours else 6
    )
    if value == best:
      ax.annotate(
        f'{value:.3f}',
        (value, y),
        xytext=(0, 7),
        textcoords='offset points',
        ha='center',
        fontsize=9,
        color=color,
        weight='bold',
      )
    if ours and published.get(row):
      ax.plot(
        float(published[row]), y, 'D', color=_ORANGE, mfc='white', markersize=7
      )
  ax.set_title(title, fontsize=10.5, color=_INK, weight='bold', loc='left')
  ax.set_xlim(lowest, max(ends) + 0.1 * (max(ends) - lowest))
  ax.locator_params(axis='x', nbins=4)
  ax.spines[['top', 'right', 'left']].set_visible(False)
  ax.spines['bottom'].set_color('#b8b8b8')
  ax.tick_params(labelsize=10, color='#b8b8b8', labelcolor=_INK, left=False)
  ax.grid(axis='both', color=_PALE, linewidth=0.8)
  ax.axhline(2.5, color='#b8b8b8', linewidth=0.8)
  ax.set_axisbelow(True)


def _row(values, start: str) -> str | None:
  """Returns the row of a method, or None."""
  if start in tables.NETWORKS:
    return start if start in values else None
  return next((name for name in values if name.startswith(start)), None)


def digits():
  """Returns the figure of digits of which the networks have only seen zeros."""
  import numpy as np
  from matplotlib import figure

  file = tables.read(_PICTURED)
  anomalous = file['shown']['anomalous']
  pictures = {
    'input': file['shown']['input'],
    **file['shown']['reconstruction'],
  }
  count = len(anomalous)
  drawn = figure.Figure((11, 6))
  grid = drawn.add_gridspec(
    len(pictures),
    count,
    left=0.12,
    right=0.99,
    top=0.92,
    bottom=0.36,
    wspace=0.08,
    hspace=0.24,
  )
  normal = anomalous.count(False)
  for row, (name, images) in enumerate(pictures.items()):
    for k, image in enumerate(images):
      ax = drawn.add_subplot(grid[row, k])
      ax.imshow(np.asarray(image, float), cmap='gray', vmin=0, vmax=255)
      ax.set(xticks=[], yticks=[])
      color = _ORANGE if anomalous[k] else _BLUE
      ax.spines[:].set(color=color, linewidth=2)
      if row == 0:
        ax.set_title(file['shown']['label'][k], fontsize=12, color=color, pad=4)
      else:
        score = float(file['shown']['score'][name][k])
        ax.set_xlabel(
          f'{score:.2f}' if k else f'score {score:.2f}',
          fontsize=9.5,
          color=_INK,
          labelpad=2,
        )
      if k == 0:
        ax.set_ylabel(
          {'input': 'test image'}.get(name, f'{name}\nmakes of it'),
          rotation=0,
          ha='right',
          va='center',
          fontsize=11,
          color=_INK,
          labelpad=8,
        )
  middle = lambda first, last: 0.12 + 0.87 * (first + last) / 2 / count
  for text, at, color in (
    ('normal: zeros, as in training', middle(0, normal), _BLUE),
    ('anomalous: digits never seen', middle(normal, count), _ORANGE),
  ):
    drawn.text(
      at, 0.97, text, ha='center', color=color, fontsize=12.5, weight='bold'
    )
  for k, (name, one) in enumerate(file['scores'].items()):
    ax = drawn.add_axes((0.12, 0.205 - 0.115 * k, 0.87, 0.09))
    _strip(ax, np, name, one, file['anomalous'], k == len(file['scores']) - 1)
  return drawn


def _strip(ax, np, name, one, anomalous, is_last: bool) -> None:
  """Draws the scores of all test images on a line."""
  score, anomalous = np.asarray(one['score'], float), np.asarray(anomalous)
  height = np.random.default_rng(0).uniform(-1, 1, len(score))
  for kind, color in ((False, _BLUE), (True, _ORANGE)):
    at = anomalous == kind
    ax.plot(
      score[at], height[at], 'o', color=color, alpha=0.65, markersize=5, mew=0
    )
  ax.axvline(float(one['threshold']), color=_INK, linewidth=1, linestyle='--')
  ax.set_ylim(-1.6, 1.6)
  ax.set_xlim(0, 0.63)
  ax.set_yticks([])
  ax.set_ylabel(
    f'{name}',
    rotation=0,
    ha='right',
    va='center',
    fontsize=11,
    color=_INK,
    labelpad=8,
  )
  ax.spines[['top', 'right', 'left']].set_visible(False)
  ax.spines['bottom'].set_color('#b8b8b8')
  ax.tick_params(labelsize=9.5, color='#b8b8b8', labelcolor=_INK)
  if is_last:
    ax.set_xlabel(
      'score: mean squared error of each of all'
      f' {len(score)} test images; dashed: threshold, from normal images only',
      fontsize=10.5,
      color=_MUTED,
    )
  else:
    ax.set_xticklabels([])


def extract(run: pathlib.Path) -> dict[str, Any]:
  """Returns what `digits` draws, of a run of configs/digits.py.

  The networks are those of class 0 and the first seed. Shown are the zeros of
  the test set with the lowest, the median and the highest score of MemAE, and
  the first test image of each other class.
  """
  import numpy as np

  from memae_jax.evaluation import jobs
  from memae_jax.evaluation.report import wording
  from memae_jax.evaluation.scoring import collect
  from memae_jax.training import experiment, same

  exp = experiment.build(same.there(jobs.origin(run), run))
  _, weights, _ = collect.restored(exp, run)
  test = [split.test for split in exp.splits]
  scored = exp.programs.score(weights, test, ('output',))
  limits = collect.thresholds(exp, weights)
  index = {
    wording.label(r.variant): i
    for i, r in enumerate(exp.replicas)
    if (r.variant, r.normal_class, r.seed) in (('memae', 0, 0), ('ae', 0, 0))
  }
  first = index['MemAE']
  split, labels = exp.splits[first], exp.source.labels[test[first]]
  error = {
    name: scored.scores['mse'][i][: len(labels)] for name, i in index.items()
  }
  zeros = np.flatnonzero(~split.anomalous)
  zeros = zeros[np.argsort(error['MemAE'][zeros])]
  _, others = np.unique(labels[split.anomalous], return_index=True)
  shown = [
    *zeros[[0, len(zeros) // 2, -1]],
    *np.flatnonzero(split.anomalous)[others],
  ]
  scale, shift = split.transform.scale, split.transform.shift
  raw = lambda x: (
    np.divide(x - shift, scale)
    .clip(0, 255)
    .round()
    .astype(int)[..., 0]
    .tolist()
  )
  plain = lambda values: np.asarray(values).round(5).tolist()
  return {
    'source': 'extracted from a run by draw.py',
    'commit': exp.environment['commit'],
    'shown': {
      'label': [exp.source.label_names[k] for k in labels[shown]],
      'anomalous': split.anomalous[shown].tolist(),
      'input': exp.source.inputs[test[first][shown]][..., 0].tolist(),
      'reconstruction': {
        name: raw(np.asarray(scored.output[i])[shown])
        for name, i in index.items()
      },
      'score': {name: plain(error[name][shown]) for name in index},
    },
    'anomalous': split.anomalous.tolist(),
    'scores': {
      name: {
        'threshold': round(float(limits[i]), 5),
        'score': plain(error[name]),
      }
      for name, i in index.items()
    },
  }


def main(words: Sequence[str]) -> None:
  """Draws the pictures, or extracts the data of one."""
  if words[:1] == ['extract']:
    import extract as extract_lib

    print(extract_lib.write(_PICTURED, extract(pathlib.Path(words[1]))))
  for path, make in ((DIGITS, digits), (OVERVIEW, overview)):
    made = {'Description': f'data {digest(sources()[path])}'}
    make().savefig(path, dpi=_DPI, metadata=made)
    print(path)


if __name__ == '__main__':
  main(sys.argv[1:])
