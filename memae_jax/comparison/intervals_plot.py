"""Plots of estimates with their intervals; colours that curves share."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import matplotlib.figure
import matplotlib.ticker
import numpy as np

from memae_jax.evaluation.report.plots import style

_COLOURS = (
  '#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#332288'
)  # fmt: skip
_MARKERS = 'os^DvPX'


def look(number: int) -> tuple[str, str]:
  """Returns the colour and the marker of a numbered line or row."""
  return _COLOURS[number % 7], _MARKERS[number % 7]


class Estimate(NamedTuple):
  """A value with its interval, if there is one."""

  value: float
  ci95: Sequence[float] | None = None


def inside(ci: Sequence[float], share: bool) -> np.ndarray:
  """Returns the ends of an interval, cut to [0, 1] for a share."""
  return np.clip(ci, 0, 1) if share else np.asarray(ci)


def rows(
  panels: Mapping[str, Mapping[str, Estimate]],
  colours: Mapping[str, int] | None = None,
  zero: bool = False,
) -> matplotlib.figure.Figure:
  """Draws a row for each name and a panel for each title.

  Args:
    panels: {title: {name: estimate}}; a name may be missing in some.
    colours: {name: number}; names of one number share a colour.
    zero: mark 0: the values are differences, and not shares.
  """
  names = list(dict.fromkeys(name for rows in panels.values() for name in rows))
  figure, axes = style.axes(
    1, len(panels), 0.9 + 0.34 * len(names), sharey=True
  )
  for ax, (title, estimates) in zip(axes[0], panels.items()):
    for row, name in enumerate(names):
      i = (colours or {}).get(name, 0)
      colour, marker = look(i)
      if name not in estimates:
        continue
      value, interval = estimates[name]
      if interval:
        ends = inside(interval, not zero)
        ax.plot(ends, [row, row], color=colour, linewidth=2)
      ax.plot(value, row, marker, color=colour, markersize=6.5)
    if zero:
      ax.axvline(0, color=style.INK, linewidth=1, linestyle='--')
    ax.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4))
    style.titles(ax, title)
  axes[0, 0].set_yticks(range(len(names)), [style.literal(n) for n in names])
  axes[0, 0].set_ylim(len(names) - 0.4, -0.6)
  return figure


def estimate(summary: Mapping[str, Any] | None) -> Estimate | None:
  """Returns the mean of a summary and its interval; None if it is undefined."""
  if not summary or summary.get('mean') is None:
    return None
  return Estimate(summary['mean'], summary.get('ci95'))
