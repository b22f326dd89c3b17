"""Queries of test samples and the slots of memories, in two dimensions."""

from collections.abc import Sequence

import matplotlib.figure
import numpy as np

from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import style
from memae_jax.evaluation.scoring import scores

_ACROSS = 3  # Panels beside each other.


def draw(shown: Sequence[scores.Embedding]) -> matplotlib.figure.Figure:
  """Draws a panel for each memory.

  Args:
    shown: at least one.
  """
  rows = -(-len(shown) // _ACROSS)
  across = min(len(shown), _ACROSS)
  figure, axes = style.axes(rows, across, 3.4 * rows)
  for ax, one in zip(axes.flat, shown):
    _panel(ax, one)
  for ax in axes.flat[len(shown) :]:
    ax.axis('off')
  # What stands for what is the same in all panels.
  handles, labels = axes[0, 0].get_legend_handles_labels()
  style.legend(
    figure,
    handles=handles,
    labels=labels,
    loc='outside lower center',
    ncols=4,
  )
  return figure


def _panel(ax, one: scores.Embedding) -> None:
  kinds = (
    (~one.anomalous, style.NORMAL, 'normal'),
    (one.anomalous, style.ANOMALOUS, 'anomalous'),
  )
  for of_kind, color, name in kinds:
    ax.scatter(
      *one.queries[of_kind].T,
      s=9,
      color=color,
      alpha=0.6,
      linewidths=0,
      label=f'query of a {name} sample'.replace('a anom', 'an anom'),
      rasterized=True,
    )
  share = one.usage / (one.usage.sum() or 1.0)
  read = share > 0
  size = 12 + 90 * np.sqrt(share / (share.max() or 1.0))
  ax.scatter(
    *one.slots[~read].T,
    s=9,
    marker='x',
    color='#8f8f8f',
    linewidths=0.8,
    label='slot that no read uses',
  )
  ax.scatter(
    *one.slots[read].T,
    s=size[read],
    marker='D',
    facecolors='none',
    edgecolors=style.INK,
    linewidths=0.9,
    label='slot, larger where it is read more',
  )
  ax.set(xticks=[], yticks=[])
  slots = f'{len(one.slots):,} of {one.of:,} slots'
  if len(one.slots) == one.of:
    slots = f'{one.of:,} slots'
  first, second = (
    f'component {i}: {share:.0%} of the spread'
    for i, share in enumerate(one.shares, 1)
  )
  style.titles(ax, f'{wording.label(one.variant)}: {slots}', first, second)
