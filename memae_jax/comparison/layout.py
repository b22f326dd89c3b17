"""Pieces of the pages and tables on several runs."""

from collections.abc import Sequence
from typing import Any

from memae_jax.evaluation.metrics import intervals
from memae_jax.evaluation.report import page, wording

_TEMPLATES = 'memae_jax.comparison', 'memae_jax.studies'
_OVER = {
  'runs': 'runs (Student t)',
  'classes': 'the classes of one seed (Student t)',
  'seeds': 'seeds, of means over the classes (Student t)',
  'samples': 'test samples of one run (bootstrap)',
  'videos': 'test videos of one run (bootstrap)',
}


def render(template: str, **values: Any) -> str:
  """Fills a template of this room or of the studies."""
  return page.template(template, _TEMPLATES).render(**values)


def field_text(value: Any) -> str:
  """A field's value for a reader; a dash where there is none."""
  if isinstance(value, str):
    return wording.label(value)
  if isinstance(value, (int, float)) and not isinstance(value, bool):
    return f'{value:g}'
  return wording.format_value(value)


def seconds(value: float | None) -> str:
  """Writes a duration."""
  if value is None:
    return '—'
  if value < 60:
    return f'{value:.1f} s'
  minutes = value / 60
  return f'{minutes:.1f} min' if minutes < 90 else f'{minutes / 60:.1f} h'


def gib(value: float | None) -> str:
  """Writes bytes."""
  return '—' if value is None else f'{value / 2**30:.2f} GiB'


def interval_note(rows, metrics) -> str:
  """Says what deviations and intervals are over."""
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


def plain(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  """A table in columns of text."""
  widths = [max(map(len, column)) for column in zip(heads, *rows)]
  return '\n'.join(
    '  '.join(text.ljust(width) for text, width in zip(row, widths)).rstrip()
    for row in (heads, *rows)
  )
