"""Pictures of the slots of a memory, and of how much each is read."""

from collections.abc import Mapping, Sequence

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from memae_jax.data import types
from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import images, style


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
  """Draws decoded slots as images, most used first.

  Args:
    decoded: [N, H, W, C] in [0, 1].
    usage: [N] addressing weight of each slot.
    most: draw no more slots than this.
  """
  order, share = _by_usage(usage)
  order = order[:most]
  columns = min(10, len(order))
  rows = -(-len(order) // columns)
  tiles = np.clip(np.asarray(decoded, np.float64)[order], 0, 1)
  if tiles.shape[-1] != 3:
    tiles = tiles[..., :1].repeat(3, axis=-1)
  for axis in (1, 2):  # Pixels of small images are enlarged as they are.
    tiles = tiles.repeat(max(1, 64 // decoded.shape[axis]), axis=axis)
  high, wide = tiles.shape[1:3]
  # One canvas: hundreds of axes would take seconds to lay out.
  down, across = high * 1.28, wide * 1.08
  canvas = np.ones((int(np.ceil(rows * down)), int(columns * across), 3))
  cell = style.WIDTH / columns * min(1.0, columns / 10 + 0.3)
  height = cell * canvas.shape[0] / across
  figure, axes = style.axes(1, 1, height)
  ax = axes[0, 0]
  for k, slot in enumerate(order):
    top, left = int(k // columns * down), int(k % columns * across)
    canvas[top : top + high, left : left + wide] = tiles[k]
    ax.annotate(
      _share(share[slot]),
      (left + wide / 2 - 0.5, top + high - 0.5),
      xytext=(0, -2),
      textcoords='offset points',
      ha='center',
      va='top',
      fontsize=8,
      color=style.INK if share[slot] else style.ANOMALOUS,
    )
  images.picture(ax, canvas)
  return figure


def _column_scaled(decoded, columns):
  """Scales numeric columns to [0, 1] over the slots; flat ones become 0.5.

  One-hot inputs keep their own range of 0 to 1.

  Args:
    decoded: [N, D] slots.
    columns: of the table.
  """
  low, high = decoded.min(axis=0), decoded.max(axis=0)
  flat = high - low <= 1e-3 * np.maximum(np.abs(low), np.abs(high))
  scaled = (decoded - low) / np.where(flat, 1.0, high - low)
  scaled[:, flat] = 0.5
  start = 0
  for column in columns:
    if column.categories:
      part = slice(start, start + column.width)
      scaled[:, part] = np.clip(decoded[:, part], 0, 1)
    start += column.width
  return scaled


def slot_table(
  decoded: np.ndarray,
  usage: np.ndarray,
  columns: Sequence[types.Column],
  most: int = 50,
) -> matplotlib.figure.Figure:
  """Draws decoded slots of a table as a heat map, most used on top.

  Args:
    decoded: [N, D].
    usage: [N] addressing weight of each slot.
    columns: of the table.
    most: draw no more slots than this.
  """
  order, share = _by_usage(usage)
  order = order[:most]
  scaled = _column_scaled(np.asarray(decoded, np.float64), columns)[order]
  figure, axes = style.axes(1, 1, 1.9 + 0.11 * max(len(order), 12))
  ax = axes[0, 0]
  heat = ax.imshow(
    scaled, aspect='auto', cmap='cividis', interpolation='nearest'
  )
  heat.set_clim(0, 1)
  ax.grid(False)
  widths = [column.width for column in columns] or [scaled.shape[1]]
  ends = np.cumsum(widths)
  names = [style.literal(c.name) for c in columns] or ['inputs']
  for end, width in zip(ends, widths):
    if width > 1:
      for edge in (end - width, end):
        ax.axvline(edge - 0.5, color='white', linewidth=1.2)
  # Names need about an eighth of an inch each; wide columns get theirs first.
  room, taken = scaled.shape[1] / (8 * style.WIDTH), []
  for i in np.argsort([-w for w in widths], kind='stable'):
    centre = ends[i] - widths[i] / 2 - 0.5
    if all(abs(centre - other) >= room for other, _ in taken):
      taken.append((centre, names[i]))
  ax.set_xticks([x for x, _ in taken], [n for _, n in taken])
  ax.tick_params(axis='x', labelrotation=90, labelsize=7)
  rows = np.unique(np.linspace(0, len(order) - 1, 8).astype(int))
  ax.set_yticks(rows, [_share(share[order[r]]) for r in rows])
  style.titles(ax, y='slots, by share of reads')
  bar = figure.colorbar(heat, ax=ax, fraction=0.02, pad=0.01, ticks=(0, 1))
  bar.ax.set_yticklabels(['lowest', 'highest'], fontsize=8)
  bar.outline.set_visible(False)
  return figure


def slot_usage(usages: Mapping[str, np.ndarray]) -> matplotlib.figure.Figure:
  """Draws the share of the reads that each slot serves, sorted.

  Args:
    usages: [N] addressing weight of each slot by variant, a panel each.
  """
  figure, axes = style.axes(1, len(usages), 2.7)
  for ax, (name, usage) in zip(axes[0], usages.items()):
    order, share = _by_usage(usage)
    slots, dead = len(share), int((share == 0).sum())
    edges = np.arange(slots + 1) + 0.5
    ax.stairs(
      share[order], edges, fill=True, color=style.of(name)[0], alpha=0.8
    )
    ax.axhline(1 / slots, color=style.INK, linewidth=1, linestyle='--')
    ax.set(xlim=(0.5, slots + 0.5), ylim=(0, None))
    if dead:
      ax.axvspan(
        slots - dead + 0.5, slots + 0.5, color=style.ANOMALOUS, alpha=0.12
      )
    ax.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1))
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
    title = f'{wording.label(name)}: {dead} of {slots:,} slots unused'
    style.titles(ax, title, 'slots, most used first')
  axes[0, 0].set_ylabel(
    'share of addressing weight', fontsize=9, color=style.MUTED
  )
  return figure
