"""Plots of methods side by side, with a dot per run to show the spread."""

from collections.abc import Mapping, Sequence

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import style


def metric_dots(
  values: Mapping[str, Mapping[str, Sequence[float]]],
  summaries: Mapping[str, Mapping[str, Mapping]],
  names: Mapping[str, str],
) -> matplotlib.figure.Figure:
  """Draws each replica as a dot, with their mean and its interval.

  Args:
    values: {group: {metric: values of its replicas}}.
    summaries: {group: {metric: summary}}, a row for each group.
    names: {metric: title}, a panel for each metric.
  """
  height = 0.9 + 0.34 * len(summaries)
  figure, axes = style.axes(1, len(names), height, sharey=True)
  for ax, (metric, title) in zip(axes[0], names.items()):
    for row, group in enumerate(summaries):
      colour, _, marker = style.of(group)
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
          color=style.MUTED,
        )
        continue
      if summary.get('ci95'):
        inside = np.clip(summary['ci95'], 0, 1)  # All metrics are shares.
        ax.plot(inside, [row, row], color=colour, linewidth=2)
      ax.plot(summary['mean'], row, marker, color=colour, markersize=7)
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
    style.titles(ax, title)
  ax.set_yticks(range(len(summaries)), [wording.label(g) for g in summaries])
  ax.set_ylim(len(summaries) - 0.4, -0.6)
  return figure


def class_dots(
  values: Mapping[str, Mapping[str, Sequence[float]]], title: str
) -> matplotlib.figure.Figure:
  """Draws a row for each normal class, with a dot for each replica.

  Args:
    values: {variant: {class: values of its replicas}}.
    title: of the metric.
  """
  classes = list(dict.fromkeys(c for v in values.values() for c in v))
  high = max(0.3, 0.1 * len(values))  # Inches.
  figure, axes = style.axes(1, 1, 1.1 + high * len(classes))
  ax = axes[0, 0]
  for place, (variant, by_class) in enumerate(values.items()):
    colour, _, marker = style.of(variant)
    shift = (place - (len(values) - 1) / 2) * min(0.22, 0.8 / len(values))
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
      label=wording.label(variant),
    )
  ax.set_yticks(range(len(classes)), [style.literal(c) for c in classes])
  ax.set_ylim(len(classes) - 0.4, -0.6)
  style.titles(ax, '', title, 'normal class')
  style.legend(ax, loc='upper left', bbox_to_anchor=(1.0, 1.0))
  return figure


def sweep(
  points: Mapping[str, Sequence[tuple[float, float]]], field: str, title: str
) -> matplotlib.figure.Figure:
  """Draws a metric against a swept field: a dot per replica, a line of means.

  Args:
    points: {variant: (value of the field, metric) of each replica}.
    field: its name on the axis.
    title: of the metric.
  """
  figure, axes = style.axes(1, 1, 3.2)
  ax = axes[0, 0]
  for variant, pairs in points.items():
    colour, line, marker = style.of(variant)
    x, y = np.array(sorted(pairs), np.float64).T
    sizes = np.unique(x)
    ax.plot(x, y, marker, color=colour, markersize=4, alpha=0.45)
    means = [y[x == size].mean() for size in sizes]
    ax.plot(sizes, means, line, color=colour, marker=marker)
    ax.lines[-1].set_label(wording.label(variant))
  ticks = np.unique([x for pairs in points.values() for x, _ in pairs])
  if ticks[0] > 0 and ticks[-1] > 8 * ticks[0]:
    ax.set_xscale('log')
    ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
  ax.set_xticks(ticks, [f'{tick:g}' for tick in ticks])
  style.titles(ax, '', field, title)
  style.legend(ax)
  return figure
