"""Curves of a study, with their intervals."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from memae_jax.comparison import intervals_plot
from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import style


class Line(NamedTuple):
  """Estimates against numbers, or one that stands for all of them."""

  points: dict[float, intervals_plot.Estimate]
  level: intervals_plot.Estimate | None = None


def curves(
  panels: Mapping[str, Mapping[str, Line]],
  x: str,
  references: Mapping[str, float] | None = None,
  shares: Sequence[str] = (),
) -> matplotlib.figure.Figure:
  """Draws a panel for each title, with a line for each name.

  Each point has its interval.

  Args:
    panels: {title: {name: line}}.
    x: name of the swept field, for the axis.
    references: levels that the first panel shows, such as baselines.
    shares: titles of panels whose intervals end at 0 and 1.
  """
  figure, axes = style.axes(1, len(panels), 3.4)
  names = list(
    dict.fromkeys(name for lines in panels.values() for name in lines)
  )
  ticks = sorted(
    {
      at
      for lines in panels.values()
      for line in lines.values()
      for at in line.points
    }
  )
  for ax, (title, lines) in zip(axes[0], panels.items()):
    for name, line in lines.items():
      i = names.index(name)
      colour, marker = intervals_plot.look(i)
      look = {'color': colour, 'marker': marker, 'label': name}
      shift = (i - (len(names) - 1) / 2) * 0.006
      _draw(ax, line, look, title in shares, ticks, shift)
    _scale(ax, ticks)
    _height(ax, lines, title in shares)
    style.titles(ax, title, x)
  ax = axes[0, 0]
  for name, level in (references or {}).items():
    colour, line, _ = style.of(name)
    ax.axhline(level, color=colour, linestyle=line, linewidth=1)
    ax.annotate(
      wording.label(name),
      (1, level),
      xycoords=ax.get_yaxis_transform(),
      ha='right',
      va='bottom',
      fontsize=7.5,
      color=style.MUTED,
    )
  if len(names) > 1:
    _legend(figure, ax)
  return figure


def _legend(figure, ax) -> None:
  """Puts the names of the lines of `ax` below all panels."""
  handles, labels = ax.get_legend_handles_labels()
  figure.legend(
    handles,
    labels,
    fontsize=8.5,
    frameon=False,
    labelcolor=style.INK,
    loc='outside lower center',
    ncols=min(4, len(labels)),
  )


def _draw(ax, line, look, share: bool, ticks, shift: float) -> None:
  """Draws one line with its intervals.

  Args:
    ax: where to.
    line: a `Line`.
    look: color, marker and label, as Matplotlib calls them.
    share: whether intervals end at 0 and 1.
    ticks: sorted numbers of all lines.
    shift: how far the points are moved to the side, as a share of the width,
      so that intervals of several lines stand side by side.
  """
  colour = look['color']
  if line.level is not None:
    ax.axhline(
      line.level.value, color=colour, linestyle='--', label=look['label']
    )
    if line.level.ci95:
      ends = intervals_plot.inside(line.level.ci95, share)
      ax.axhspan(*ends, color=colour, alpha=0.07)
    return
  x = np.array(sorted(line.points))
  log = _is_log(ticks)
  room = ticks[-1] - ticks[0] if len(ticks) > 1 else 1.0
  at = x * (1 + 4 * shift) if log else x + shift * room
  values = [line.points[key].value for key in x]
  ax.plot(at, values, '-', markersize=5, **look)
  for place, key in zip(at, x):
    if line.points[key].ci95:
      ends = intervals_plot.inside(line.points[key].ci95, share)
      ax.plot([place, place], ends, color=colour, alpha=0.55, linewidth=1.6)


def _is_log(ticks: Sequence[float]) -> bool:
  return bool(ticks) and ticks[0] > 0 and ticks[-1] > 10 * ticks[0]


def _scale(ax, ticks: Sequence[float]) -> None:
  """Sets ticks at the points, and a log scale over more than a factor of 10.

  Args:
    ax: with the points.
    ticks: sorted numbers of all lines.
  """
  if _is_log(ticks):
    ax.set_xscale('log')
  ax.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
  if len(ticks) <= 12:
    ax.set_xticks(ticks, [f'{tick:g}' for tick in ticks])


def _height(ax, lines: Mapping[str, Line], share: bool) -> None:
  """Sets a log scale for counts over more than a factor of 10; rates from 0."""
  values = [
    one.value for line in lines.values() for one in line.points.values()
  ]
  if share or not values:
    return
  if min(values) > 0 and max(values) > 10 * min(values):
    ax.set_yscale('log')
    ax.yaxis.set_major_formatter(matplotlib.ticker.StrMethodFormatter('{x:g}'))
  elif max(values) <= 1:
    top = max(0.1, 1.05 * max(values))
    ax.set_ylim(-0.03 * top, top)


def closer(lines: Mapping[str, Line]) -> tuple[dict[str, Line], list[float]]:
  """Leaves out the few points that leave no room for the others.

  A point is left out if the others then span less than a fifth of the height;
  at most a third of all points is left out.

  Returns:
    The lines, and the numbers at which points were left out; both are empty if
    none was.
  """
  places = [(name, at) for name in lines for at in lines[name].points]
  value = lambda place: lines[place[0]].points[place[1]].value
  span = lambda subset: np.ptp([value(place) for place in subset])
  most, gone = len(places) // 3, []
  while len(gone) < most:
    middle = np.median([value(place) for place in places])
    far = max(places, key=lambda place: abs(value(place) - middle))
    rest = [place for place in places if place != far]
    if not span(rest) < span(places) / 5:
      break
    places, gone = rest, [*gone, far]
  if not gone:
    return {}, []
  near = {
    name: line._replace(
      points={at: line.points[at] for n, at in places if n == name}
    )
    for name, line in lines.items()
  }
  return near, sorted({at for _, at in gone})
