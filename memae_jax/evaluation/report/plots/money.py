"""Plot of what alarms catch, by how many there are per day."""

from collections.abc import Mapping
from typing import Any

import matplotlib.figure
import matplotlib.ticker

from memae_jax.evaluation.report import wording
from memae_jax.evaluation.report.plots import style

_REFERENCES = {  # Label, colour and line.
  'frauds_first': ('all frauds first', '#bbbbbb', '-'),
  'amounts_first': ('largest amounts first', '#bbbbbb', '--'),
  'guessing': ('guessing', '#bbbbbb', ':'),
}


def cost_curves(
  facts: Mapping[str, Any], fixed: float
) -> matplotlib.figure.Figure:
  """Draws the amount and the share of frauds that are caught, per method.

  Args:
    facts: `money` of `results.json`.
    fixed: number of alarms per day of the metrics, marked.
  """
  figure, axes = style.axes(1, 2, 4.9)
  numbers = facts['alarms_per_day']
  for ax, field, title, label in (
    (axes[0, 0], 'amount_share', 'Money', 'share of the amount of all frauds'),
    (axes[0, 1], 'recall', 'Frauds', 'share of all frauds'),
  ):
    for name, (text, colour, line) in _REFERENCES.items():
      values = _values(facts['references'][name], field)
      look = {'color': colour, 'linestyle': line, 'label': text}
      ax.plot(numbers, values, linewidth=1.4, **look)
    for name, one in facts['methods'].items():
      colour, line, _ = style.of(name)
      width = 1.3 if wording.is_reference(name) else 1.8
      look = {'color': colour, 'linestyle': line, 'linewidth': width}
      values = _values(one['curve'], field)
      ax.plot(numbers, values, label=wording.label(name), **look)
    ax.axvline(fixed, color=style.INK, linewidth=0.8, linestyle='--', zorder=1)
    ax.set_xscale('log')
    ax.xaxis.set_major_formatter(_plain)
    ax.set_ylim(-style.MARGIN, 1 + style.MARGIN)
    ax.yaxis.set_major_formatter(matplotlib.ticker.PercentFormatter(1, 0))
    style.titles(ax, title, 'alarms per day (logarithmic)', label)
  total = facts['test']['amount']
  if total:
    side = axes[0, 0].secondary_yaxis(
      'right', functions=(lambda x: x * total, lambda x: x / total)
    )
    side.yaxis.set_major_formatter(_plain)
    side.tick_params(labelsize=8.5, color='#b8b8b8', labelcolor=style.INK)
    side.spines['right'].set_color('#b8b8b8')
    side.set_ylabel('sum of the amounts', fontsize=9, color=style.MUTED)
  handles, _ = axes[0, 0].get_legend_handles_labels()
  style.legend(figure, loc='outside lower center', ncols=5, handles=handles)
  return figure


def _plain(value: float, _) -> str:
  """Writes a number such as 10,000 at a tick."""
  return f'{value:,.0f}'


def _values(curve, field: str) -> list[float]:
  """Returns a field along a curve, NaN where it is undefined."""
  return [float('nan') if c[field] is None else c[field] for c in curve]
