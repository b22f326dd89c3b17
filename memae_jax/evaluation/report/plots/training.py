"""Curves over the steps of training."""

from collections.abc import Mapping

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from memae_jax.evaluation.metrics import registry
from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import style


def training_curves(
  curves: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray]]],
  names: Mapping[str, str],
) -> matplotlib.figure.Figure:
  """Draws values over the steps: a line for the mean, a band for the range.

  Args:
    curves: for each quantity and variant, steps [S] and values [S, R], NaN
      where a replica has none.
    names: titles of the quantities.
  """
  columns = min(len(curves), 3)
  rows = -(-len(curves) // columns)
  figure, axes = style.axes(rows, columns, 2.5 * rows)
  for ax, (key, by_variant) in zip(axes.flat, curves.items()):
    every = []
    for variant, (steps, values) in by_variant.items():
      colour, line, _ = style.of(variant)
      masked = np.ma.masked_invalid(values)
      ax.plot(
        steps,
        masked.mean(axis=1),
        line,
        color=colour,
        linewidth=1.5,
        label=wording.label(variant),
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
    elif every.size and every.min() >= 0 and key not in registry.names():
      # Begin a little below zero: a curve on the frame would not be seen.
      top = every.max() or 1.0
      ax.set_ylim(-style.MARGIN * top, (1 + style.MARGIN) * top)
    if key == 'dead_read_rate':
      ax.set_ylim(-style.MARGIN, 1 + style.MARGIN)
      ax.axhline(
        0.5, color=style.ANOMALOUS, linewidth=1, linestyle='--', zorder=1
      )
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
    style.titles(ax, names.get(key, key), 'step')
  for ax in axes.flat[len(curves) :]:
    ax.set_axis_off()
  style.legend(axes.flat[0])
  return figure
