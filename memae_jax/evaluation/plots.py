"""Figures of an evaluation, each the answer to one question.

Matplotlib's object interface only: no pyplot, no global state. The colours are
those of Okabe and Ito, which colour-blind readers can tell apart; a variant has
the same colour, line and marker in every figure, and vermilion always means
anomalous.
"""

from collections.abc import Mapping, Sequence

import matplotlib.figure
import matplotlib.ticker
import numpy as np
import sklearn.metrics

from memae_jax.data import types
from memae_jax.evaluation import scores

WIDTH = 9.6  # Inches; the report shows figures about 1,000 pixels wide.
NORMAL, ANOMALOUS, INK, MUTED = '#56748f', '#d55e00', '#222222', '#6b6b6b'
LABELS = {
  'memae': 'MemAE',
  'nonspar': 'MemAE-nonSpar',
  'ae': 'AE',
  'random': 'Random scores',
  'untrained': 'Untrained network',
  'pca': 'PCA',
  'isolation_forest': 'Isolation forest',
  'ocsvm': 'One-class SVM',
}
_STYLES = {  # Colour, line, marker.
  'memae': ('#0072b2', '-', 'o'),
  'nonspar': ('#cc79a7', '-', 's'),
  'ae': ('#009e73', '-', '^'),
  'random': ('#999999', ':', 'x'),
  'untrained': ('#999999', '-.', 'x'),
  'pca': ('#444444', '--', 'x'),
  'isolation_forest': ('#8c6d31', '--', 'x'),
  'ocsvm': ('#8c6d31', ':', 'x'),
}
_SPARE = ('#e69f00', '#56b4e9', '#332288', '#aa4499', '#117733')


def label(name: str) -> str:
  """Returns the name of a variant or baseline that a reader knows."""
  return LABELS.get(name, name)


def _style(name: str) -> tuple[str, str, str]:
  spare = _SPARE[sum(map(ord, name)) % len(_SPARE)]
  return _STYLES.get(name, (spare, '-', 'D'))


def _axes(rows=1, columns=1, height=2.6, **kwargs):
  """Returns a figure and its [rows, columns] axes in the house look."""
  figure = matplotlib.figure.Figure((WIDTH, height), layout='constrained')
  axes = figure.subplots(rows, columns, squeeze=False, **kwargs)
  for ax in axes.flat:
    ax.spines[['top', 'right']].set_visible(False)
    ax.spines[['left', 'bottom']].set_color('#b8b8b8')
    ax.tick_params(labelsize=8.5, color='#b8b8b8', labelcolor=INK)
    ax.grid(True, color='#ececec', linewidth=0.8)
    ax.set_axisbelow(True)
  return figure, axes


def _name(ax, title='', x='', y=''):
  ax.set_title(title, fontsize=9.5, loc='left', color=INK, weight='bold')
  ax.set_xlabel(x, fontsize=9, color=MUTED)
  ax.set_ylabel(y, fontsize=9, color=MUTED)


def _legend(ax, **kwargs):
  ax.legend(fontsize=8.5, frameon=False, labelcolor=INK, **kwargs)


def score_distributions(
  replicas: Sequence[scores.ReplicaScores], normal_quantile: float
) -> matplotlib.figure.Figure:
  """Histograms of normal and anomalous test scores, one row a replica."""
  figure, axes = _axes(len(replicas), height=0.5 + 1.75 * len(replicas))
  for ax, replica in zip(axes[:, 0], replicas):
    values = np.asarray(replica.score, np.float64)
    bins, log = _bins(values)
    values = np.maximum(values, bins[0])
    if log:
      ax.set_xscale('log')
    for mask, name, colour in (
      (~replica.anomalous, 'normal', NORMAL),
      (replica.anomalous, 'anomalous', ANOMALOUS),
    ):
      if not mask.any():
        continue
      share = np.histogram(values[mask], bins)[0] / mask.sum()
      kind = f'{name} ({mask.sum():,})'
      ax.stairs(share, bins, fill=True, color=colour, alpha=0.35)
      ax.stairs(share, bins, color=colour, linewidth=1.2, label=kind)
    if len(replica.validation_score):
      threshold = np.quantile(replica.validation_score, normal_quantile)
      ax.axvline(
        threshold,
        color=INK,
        linewidth=1,
        linestyle='--',
        label=f'{normal_quantile:.0%} of validation normals lie below',
      )
    ax.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1, 0))
    ax.set_ylim(0)
    _name(ax, _replica_title(replica), y='share of its kind')
    _legend(ax, loc='lower right', bbox_to_anchor=(1, 0.98), ncols=3)
  axis = 'anomaly score' + (' (logarithmic)' if log else '')
  ax.set_xlabel(axis, fontsize=9, color=MUTED)
  return figure


def _bins(values: np.ndarray) -> tuple[np.ndarray, bool]:
  """Returns 60 bins, logarithmic where the values span a wide range."""
  low, high = values.min(), values.max()
  positive = values[values > 0]
  if low >= 0 and positive.size:
    head, tail = np.quantile(positive, (0.005, 0.995))
    if tail > 20 * head:  # Exact zeros go to the first bin.
      return np.geomspace(max(positive.min(), head / 100), high, 61), True
  return np.linspace(low, high if high > low else low + 1, 61), False


def _replica_title(replica: scores.ReplicaScores) -> str:
  rest = replica.name.partition('/')[2].replace('/', ', ')
  name = label(replica.fields.get('variant', replica.name))
  return f'{name}  ({rest})' if rest else name


def _mean_curves(replicas, grid):
  """Mean true positive rate at [G] false positive rates; precision likewise."""
  roc, precision_at = [], []
  for replica in replicas:
    fpr, tpr, _ = sklearn.metrics.roc_curve(replica.anomalous, replica.score)
    roc.append(np.interp(grid, fpr, tpr))
    precision, recall, _ = sklearn.metrics.precision_recall_curve(
      replica.anomalous, replica.score
    )
    # The step that average precision sums: the first point to reach a recall.
    at = np.searchsorted(recall[::-1], grid, side='left')
    precision_at.append(precision[::-1][np.minimum(at, len(recall) - 1)])
  return np.mean(roc, axis=0), np.mean(precision_at, axis=0)


def detection_curves(
  groups: Mapping[str, Sequence[scores.ReplicaScores]], base_rate: float
) -> matplotlib.figure.Figure:
  """ROC and precision-recall curves, mean over the replicas of each group.

  ROC curves are averaged at equal false positive rate, the others at equal
  recall. Every replica must have both classes.
  """
  figure, axes = _axes(1, 2, 4.1)
  grid = np.unique(np.r_[np.linspace(0, 1, 201), np.geomspace(1e-4, 0.01, 20)])
  for name, replicas in groups.items():
    colour, line, _ = _style(name)
    known = name in ('memae', 'nonspar', 'ae') or name not in LABELS
    look = {
      'color': colour,
      'linestyle': line,
      'linewidth': 1.8 if known else 1.3,
      'label': label(name),
    }
    roc, precision = _mean_curves(replicas, grid)
    axes[0, 0].plot(np.r_[0, grid], np.r_[0, roc], **look)
    axes[0, 1].plot(grid[1:], precision[1:], **look)
  axes[0, 0].plot([0, 1], [0, 1], color='#cccccc', linewidth=1, zorder=1)
  level = f'base rate {base_rate:.2f}'
  guess = axes[0, 1].axhline(
    base_rate, color='#cccccc', linewidth=1, zorder=1, label=level
  )
  _name(axes[0, 0], 'ROC', 'false positive rate', 'true positive rate')
  _name(axes[0, 1], 'Precision and recall', 'recall', 'precision')
  for ax in axes.flat:
    ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
  _legend(axes[0, 0], loc='lower right')
  _legend(axes[0, 1], loc='lower left', handles=[guess])
  return figure


def metric_dots(
  values: Mapping[str, Mapping[str, Sequence[float]]],
  summaries: Mapping[str, Mapping[str, Mapping]],
  names: Mapping[str, str],
) -> matplotlib.figure.Figure:
  """Each replica as a dot, their mean and its interval; a panel a metric.

  Args:
    values: of each group, the values of its replicas by metric.
    summaries: of each group, the summary by metric.
    names: of the metrics to show, their titles.
  """
  height = 0.9 + 0.34 * len(summaries)
  figure, axes = _axes(1, len(names), height, sharey=True)
  for ax, (metric, title) in zip(axes[0], names.items()):
    for row, group in enumerate(summaries):
      colour, _, marker = _style(group)
      dots = values.get(group, {}).get(metric, ())
      jitter = ((np.arange(len(dots)) * 0.618) % 1 - 0.5) * 0.4
      ax.plot(
        dots,
        row + jitter,
        'o',
        color=colour,
        markersize=3.5,
        alpha=0.45,
        markeredgewidth=0,
      )
      summary = summaries[group].get(metric) or {}
      if summary.get('mean') is None:
        ax.text(
          0.02,
          row,
          'undefined',
          transform=ax.get_yaxis_transform(),
          va='center',
          fontsize=8,
          color=MUTED,
        )
        continue
      if summary.get('ci95'):
        inside = np.clip(summary['ci95'], 0, 1)  # All metrics are shares.
        ax.plot(inside, [row, row], color=colour, linewidth=2)
      ax.plot(summary['mean'], row, marker, color=colour, markersize=7)
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
    _name(ax, title)
  ax.set_yticks(range(len(summaries)), [label(g) for g in summaries])
  ax.set_ylim(len(summaries) - 0.4, -0.6)
  return figure


def class_dots(
  values: Mapping[str, Mapping[str, Sequence[float]]], title: str
) -> matplotlib.figure.Figure:
  """A row for each normal class, each replica a dot, variants side by side.

  Args:
    values: of each variant, the values of its replicas by class.
    title: of the metric.
  """
  classes = list(dict.fromkeys(c for v in values.values() for c in v))
  figure, axes = _axes(1, 1, 1.1 + 0.3 * len(classes))
  ax = axes[0, 0]
  for place, (variant, by_class) in enumerate(values.items()):
    colour, _, marker = _style(variant)
    shift = (place - (len(values) - 1) / 2) * 0.22
    points = [
      (value, row + shift)
      for row, kind in enumerate(classes)
      for value in by_class.get(kind, ())
    ]
    ax.plot(
      *np.reshape(points, (-1, 2)).T,
      marker,
      color=colour,
      markersize=5.5,
      alpha=0.75,
      markeredgewidth=0,
      label=label(variant),
    )
  ax.set_yticks(range(len(classes)), classes)
  ax.set_ylim(len(classes) - 0.4, -0.6)
  _name(ax, '', title, 'normal class')
  _legend(ax, loc='upper left', bbox_to_anchor=(1.0, 1.0))
  return figure


def sweep(
  points: Mapping[str, Sequence[tuple[float, float]]], field: str, title: str
) -> matplotlib.figure.Figure:
  """A metric against a swept field: each replica a dot, a line of the means."""
  figure, axes = _axes(1, 1, 3.2)
  ax = axes[0, 0]
  for variant, pairs in points.items():
    colour, line, marker = _style(variant)
    x, y = np.array(sorted(pairs), np.float64).T
    sizes = np.unique(x)
    ax.plot(x, y, marker, color=colour, markersize=4, alpha=0.45)
    means = [y[x == size].mean() for size in sizes]
    ax.plot(sizes, means, line, color=colour, marker=marker)
    ax.lines[-1].set_label(label(variant))
  ticks = np.unique([x for pairs in points.values() for x, _ in pairs])
  if ticks[0] > 0 and ticks[-1] > 8 * ticks[0]:
    ax.set_xscale('log')
    ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
  ax.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
  _name(ax, '', field, title)
  _legend(ax)
  return figure


def training_curves(
  curves: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
  names: Mapping[str, str],
) -> matplotlib.figure.Figure:
  """Logged values over the steps: mean line, and the range of the replicas.

  Args:
    curves: of each quantity, of each variant: steps [S] and values [S, R],
      NaN where a replica has none.
    names: titles of the quantities.
  """
  columns = min(len(curves), 3)
  rows = -(-len(curves) // columns)
  figure, axes = _axes(rows, columns, 2.5 * rows)
  for ax, (key, by_variant) in zip(axes.flat, curves.items()):
    every = []
    for variant, (steps, values) in by_variant.items():
      colour, line, _ = _style(variant)
      masked = np.ma.masked_invalid(values)
      ax.plot(
        steps,
        masked.mean(axis=1),
        line,
        color=colour,
        linewidth=1.5,
        label=label(variant),
        marker='o' if len(steps) == 1 else None,
      )
      if values.shape[1] > 1:
        ax.fill_between(
          steps,
          masked.min(axis=1),
          masked.max(axis=1),
          color=colour,
          alpha=0.15,
          linewidth=0,
        )
      every.append(masked.compressed())
    every = np.concatenate(every)
    wide = every.size and 0 < 30 * every.min() < every.max()
    if wide and key in ('loss', 'validation_error'):
      ax.set_yscale('log')
    elif every.size and every.min() >= 0:
      ax.set_ylim(bottom=0)
    if key == 'dead_read_rate':
      ax.set_ylim(-0.02, 1.02)
      ax.axhline(0.5, color=ANOMALOUS, linewidth=1, linestyle='--', zorder=1)
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
    _name(ax, names.get(key, key), 'step')
  for ax in axes.flat[len(curves) :]:
    ax.set_axis_off()
  _legend(axes.flat[0])
  return figure


def _picture(ax, image, **kwargs):
  """Shows [H, W, C] with C of 1 or 3, without axes."""
  image = np.asarray(image, np.float64)
  if image.ndim == 3 and image.shape[-1] != 3:
    image = image[..., 0]
  if image.ndim == 3 or 'cmap' not in kwargs:
    image = np.clip(image, 0, 1)
    kwargs = {'cmap': 'gray', 'vmin': 0, 'vmax': 1}
  shown = ax.imshow(image, interpolation='nearest', **kwargs)
  ax.grid(False)
  ax.set(xticks=[], yticks=[])
  ax.spines[:].set_visible(False)
  return shown


def reconstruction_gallery(
  gallery: scores.Gallery, most: int = 10
) -> matplotlib.figure.Figure:
  """Input, reconstruction and squared error of up to `most` samples."""
  count = min(len(gallery.score), most)
  error = np.square(gallery.inputs - gallery.reconstructions).mean(axis=-1)
  # Laid out by hand, in inches: automatic layout of so many axes is slow.
  wide = min(1.4, (WIDTH - 1.2) / count)
  high = wide * error.shape[1] / error.shape[2]
  height = 0.85 + 3 * high
  figure = matplotlib.figure.Figure((WIDTH, height))
  place = {
    'left': 0.35 / WIDTH,
    'right': (0.35 + count * wide) / WIDTH,
    'bottom': 0.3 / height,
    'top': 1 - 0.5 / height,
  }
  axes = figure.subplots(
    3,
    count,
    squeeze=False,
    gridspec_kw={**place, 'wspace': 0.06, 'hspace': 0.06},
  )
  top = float(error[:count].max()) or 1.0
  for k in range(count):
    _picture(axes[0, k], gallery.inputs[k])
    _picture(axes[1, k], gallery.reconstructions[k])
    heat = _picture(axes[2, k], error[k], cmap='magma', vmin=0, vmax=top)
    axes[0, k].set_title(
      gallery.title[k].replace(', ', '\n'),
      fontsize=8.5,
      color=ANOMALOUS if gallery.anomalous[k] else NORMAL,
    )
    axes[2, k].set_xlabel(f'score {gallery.score[k]:.3g}', fontsize=8)
  for row, name in enumerate(('input', 'reconstruction', 'squared error')):
    axes[row, 0].set_ylabel(name, fontsize=8.5, color=MUTED)
  beside = place['right'] + 0.1 / WIDTH, place['bottom'], 0.1 / WIDTH
  bar = figure.colorbar(heat, cax=figure.add_axes((*beside, high / height)))
  bar.ax.tick_params(labelsize=7.5)
  bar.outline.set_visible(False)
  return figure


def _by_usage(usage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns the order of the slots, most used first, and shares [N]."""
  usage = np.asarray(usage, np.float64)
  order = np.argsort(-usage, kind='stable')
  return order, usage / (usage.sum() or 1.0)


def _share(value: float) -> str:
  return 'unused' if value == 0 else '<0.1%' if value < 1e-3 else f'{value:.1%}'


def slot_images(
  decoded: np.ndarray, usage: np.ndarray, most: int = 50
) -> matplotlib.figure.Figure:
  """Each slot [H, W, C] through the decoder, most used first."""
  order, share = _by_usage(usage)
  order = order[:most]
  columns = min(10, len(order))
  rows = -(-len(order) // columns)
  images = np.clip(np.asarray(decoded, np.float64)[order], 0, 1)
  images = np.broadcast_to(images[..., :3], (*images.shape[:3], 3))
  for axis in (1, 2):  # Pixels of small images are enlarged as they are.
    images = images.repeat(max(1, 64 // decoded.shape[axis]), axis=axis)
  high, wide = images.shape[1:3]
  # One canvas: hundreds of axes would take seconds to lay out.
  down, across = high * 1.28, wide * 1.08
  canvas = np.ones((int(np.ceil(rows * down)), int(columns * across), 3))
  cell = WIDTH / columns * min(1.0, columns / 10 + 0.3)
  height = cell * canvas.shape[0] / across
  figure, axes = _axes(1, 1, height)
  ax = axes[0, 0]
  for k, slot in enumerate(order):
    top, left = int(k // columns * down), int(k % columns * across)
    canvas[top : top + high, left : left + wide] = images[k]
    ax.annotate(
      _share(share[slot]),
      (left + wide / 2 - 0.5, top + high - 0.5),
      xytext=(0, -2),
      textcoords='offset points',
      ha='center',
      va='top',
      fontsize=8,
      color=INK if share[slot] else ANOMALOUS,
    )
  _picture(ax, canvas)
  return figure


def _column_scaled(decoded, columns):
  """Scales numeric columns [N, D] to [0, 1] over the slots; flat ones to 0.5.

  One-hot inputs keep their own range of 0 to 1.
  """
  low, high = decoded.min(axis=0), decoded.max(axis=0)
  flat = high - low <= 1e-3 * np.maximum(np.abs(low), np.abs(high))
  scaled = (decoded - low) / np.where(flat, 1.0, high - low)
  scaled[:, flat] = 0.5
  start = 0
  for column in columns:
    width = max(len(column.categories), 1)
    if column.categories:
      part = slice(start, start + width)
      scaled[:, part] = np.clip(decoded[:, part], 0, 1)
    start += width
  return scaled


def slot_table(
  decoded: np.ndarray,
  usage: np.ndarray,
  columns: Sequence[types.Column],
  most: int = 50,
) -> matplotlib.figure.Figure:
  """Decoded slots [N, D] of a table as a heat map, most used on top."""
  order, share = _by_usage(usage)
  order = order[:most]
  scaled = _column_scaled(np.asarray(decoded, np.float64), columns)[order]
  figure, axes = _axes(1, 1, 1.9 + 0.11 * max(len(order), 12))
  ax = axes[0, 0]
  heat = ax.imshow(
    scaled, aspect='auto', cmap='cividis', interpolation='nearest'
  )
  heat.set_clim(0, 1)
  ax.grid(False)
  widths = [max(len(c.categories), 1) for c in columns] or [scaled.shape[1]]
  ends = np.cumsum(widths)
  names = [c.name for c in columns] or ['inputs']
  for end, width in zip(ends, widths):
    if width > 1:
      for edge in (end - width, end):
        ax.axvline(edge - 0.5, color='white', linewidth=1.2)
  # Names need about an eighth of an inch each; wide columns come first.
  room, taken = scaled.shape[1] / (8 * WIDTH), []
  for i in np.argsort([-w for w in widths], kind='stable'):
    centre = ends[i] - widths[i] / 2 - 0.5
    if all(abs(centre - other) >= room for other, _ in taken):
      taken.append((centre, names[i]))
  ax.set_xticks([x for x, _ in taken], [n for _, n in taken])
  ax.tick_params(axis='x', labelrotation=90, labelsize=7)
  rows = np.unique(np.linspace(0, len(order) - 1, 8).astype(int))
  ax.set_yticks(rows, [_share(share[order[r]]) for r in rows])
  _name(ax, y='slots, by share of reads')
  bar = figure.colorbar(heat, ax=ax, fraction=0.02, pad=0.01, ticks=(0, 1))
  bar.ax.set_yticklabels(['lowest', 'highest'], fontsize=8)
  bar.outline.set_visible(False)
  return figure


def slot_usage(usages: Mapping[str, np.ndarray]) -> matplotlib.figure.Figure:
  """Share of the reads that each slot serves, sorted; a panel a variant."""
  figure, axes = _axes(1, len(usages), 2.7)
  for ax, (name, usage) in zip(axes[0], usages.items()):
    order, share = _by_usage(usage)
    slots, dead = len(share), int((share == 0).sum())
    edges = np.arange(slots + 1) + 0.5
    ax.stairs(share[order], edges, fill=True, color=_style(name)[0], alpha=0.8)
    ax.axhline(1 / slots, color=INK, linewidth=1, linestyle='--')
    ax.set(xlim=(0.5, slots + 0.5), ylim=(0, None))
    if dead:
      ax.axvspan(slots - dead + 0.5, slots + 0.5, color=ANOMALOUS, alpha=0.12)
    ax.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
    title = f'{label(name)}: {dead} of {slots:,} slots unused'
    _name(ax, title, 'slots, most used first')
  axes[0, 0].set_ylabel('share of addressing weight', fontsize=9, color=MUTED)
  return figure
