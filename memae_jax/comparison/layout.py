"""Parts that pages and tables on several runs have in common."""

from collections.abc import Mapping, Sequence
from typing import Any

from memae_jax.evaluation.metrics import intervals, registry
from memae_jax.evaluation.report import tables, wording

_OVER = {
  'runs': 'runs (Student t)',
  'classes': 'the classes of one seed (Student t)',
  'seeds': 'seeds, of means over the classes (Student t)',
  'samples': 'test samples of one run (bootstrap)',
  'videos': 'test videos of one run (bootstrap)',
}


_KINDS = {  # Metrics that have a table of their own.
  'of_events': 'Events and alarms',
  'of_places': 'The right place in the picture',
  'of_area': 'Defects by area',
}


def field_text(value: Any) -> str:
  """Writes the value of a config field; a dash where there is none."""
  if isinstance(value, str):
    return wording.label(value)
  if isinstance(value, (int, float)) and not isinstance(value, bool):
    return f'{value:g}'
  return wording.format_value(value)


def seconds(value: float | None) -> str:
  """Writes a duration in seconds, minutes or hours; a dash for None."""
  if value is None:
    return '—'
  if value < 60:
    return f'{value:.1f} s'
  minutes = value / 60
  return f'{minutes:.1f} min' if minutes < 90 else f'{minutes / 60:.1f} h'


def gib(value: float | None) -> str:
  """Writes a number of bytes in GiB; a dash for None."""
  return '—' if value is None else f'{value / 2**30:.2f} GiB'


def interval_note(rows, metrics) -> str:
  """Says what intervals are over, and why some values have none.

  Args:
    rows: entries with their summaries by metric.
    metrics: names of the columns.
  """
  over = {
    (r['metrics'].get(m) or {}).get('of') for r in rows for m in metrics
  } - {None}
  out = []
  if over:
    kinds = ' or '.join(_OVER[kind] for kind in sorted(over))
    out.append(f'Brackets: 95% interval over {kinds}.')
  out += intervals.without_interval(
    r['metrics'].get(m) for r in rows for m in metrics
  )
  return ' '.join(out)


def by_kind(
  summaries: Mapping[str, Mapping],
) -> list[tuple[str, list[str], list[tuple[str, list[tables.Cell]]]]]:
  """Returns title, heads and rows of the tables of each kind of metrics.

  Args:
    summaries: of the metrics of each entry, by its name.
  """
  out = []
  for kind, title in _KINDS.items():
    metrics, rows = tables.of_kind(kind, summaries)
    if rows:
      heads = [
        m.title + ' (lower is better)' * m.lower_is_better for m in metrics
      ]
      out.append((title, heads, rows))
  return out


def further(
  summaries: Sequence[Mapping[str, Any]], shown: Sequence[str]
) -> list[str]:
  """Returns the metrics of these tables that are there and have no column yet.

  Args:
    summaries: of the metrics of each entry.
    shown: metrics that have columns.
  """
  names = [name for kind in _KINDS for name in registry.names(kind)]
  return [
    name
    for name in dict.fromkeys(names)
    if name not in shown and any(name in summary for summary in summaries)
  ]


def format_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  """Writes a table as text, in aligned columns."""
  widths = [max(map(len, column)) for column in zip(heads, *rows)]
  return '\n'.join(
    '  '.join(text.ljust(width) for text, width in zip(row, widths)).rstrip()
    for row in (heads, *rows)
  )
