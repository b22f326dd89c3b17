"""A comparison of runs as CSV, as text, and as a page."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from memae_jax.comparison import differences, intervals_plot, layout
from memae_jax.evaluation.metrics import intervals
from memae_jax.evaluation.report import figure, tables, wording
from memae_jax.runtime import atomic, spreadsheet, strict_json


def as_csv(found: Mapping[str, Any]) -> str:
  """One row an entry."""
  facts = ('wall_seconds', 'training_seconds', 'peak_memory_bytes')
  parts = ('', '_std', '_low', '_high', '_n', '_interval_over')
  gaps = ('', '_low', '_high', '_low_runs', '_high_runs')
  lines: list[list[Any]] = [
    [
      'run',
      *differences.SETTING,
      *config_fields(found),
      'replicas',
      *(m + part for m in found['metrics'] for part in parts),
      *(f'{m}_difference{gap}' for m in found['metrics'] for gap in gaps),
      'pairs',
      'unpaired_because',
      *facts,
    ]
  ]
  by_name = {run['name']: run for run in found['runs']}
  for row in found['entries']:
    gap = row['difference'] or {'metrics': {}, 'pairs': None, 'reason': None}
    cells = [row['run'], *map(row['setting'].get, differences.SETTING)]
    cells += [
      json.dumps(found['config'][field][row['run']])
      for field in config_fields(found)
    ]
    cells.append(row['replicas'])
    for metric in found['metrics']:
      one = row['metrics'].get(metric) or {}
      low, high = one.get('ci95') or (None, None)
      cells += [one.get('mean'), one.get('std'), low, high]
      cells += [one.get('n'), one.get('of')]
    for metric in found['metrics']:
      one = gap['metrics'].get(metric) or {}
      cells += [one.get('mean'), *(one.get('ci95') or (None, None))]
      cells += one.get('ci95_runs') or (None, None)
    cells += [gap['pairs'], gap['reason']]
    cells += [by_name[row['run']][key] for key in facts]
    lines.append(cells)
  return spreadsheet.text(lines)


def config_fields(found: Mapping[str, Any]) -> list[str]:
  """The differing fields that are no axis of an entry."""
  return [
    field
    for field in found['config']
    if not field.startswith('fleet.')
    and field.rsplit('.')[-1] not in differences.SETTING
  ]


def gap_cell(row: Mapping[str, Any], metric: str) -> dict[str, Any]:
  """A difference with the interval over samples, for the page."""
  gap = row['difference']
  if gap is None:
    return {'mean': 'reference', 'undefined': True}
  if not gap['pairs']:
    return {'mean': 'not the same samples', 'undefined': True}
  found = gap['metrics'].get(metric) or {}
  ends = [found[key] for key in ('ci95', 'ci95_runs') if found.get(key)]
  clear = all(low > 0 or high < 0 for low, high in ends)
  cell = tables.cell(found, 4, sign=True)
  return cell | {'clear': bool(ends) and clear}


def runs_text(row: Mapping[str, Any], metric: str) -> str:
  """The interval of a difference over runs."""
  gap = row['difference'] or {'metrics': {}}
  one = gap['metrics'].get(metric) or {}
  ends = one.get('ci95_runs')
  if not ends:
    return one.get('ci95_runs_reason') or '—'
  low, high = (wording.number(v, 4, sign=True) for v in ends)
  return f'[{low}, {high}]'


def text(found: Mapping[str, Any]) -> str:
  """The table for a terminal."""
  heads = ['run: setting']
  for metric in found['metrics']:
    heads += [wording.title(metric), '95% interval']
  first = found['metrics'][:1]
  for metric in first:
    heads += [f'{wording.title(metric)} difference', 'over runs']
  heads.append('pairs')
  rows = []
  for row in found['entries']:
    cells = [row['name']]
    for metric in found['metrics']:
      shown = tables.cell(row['metrics'].get(metric), 4)
      deviation = f' ± {shown["std"]}' if shown.get('std') else ''
      cells += [shown['mean'] + deviation, shown.get('ci', '—')]
    for metric in first:
      gap = gap_cell(row, metric)
      cells.append(f'{gap["mean"]} {gap.get("ci", "")}'.strip())
      cells.append(runs_text(row, metric))
    # Of fewer pairs than replicas: not the difference of the means beside it.
    pairs = (row['difference'] or {}).get('pairs')
    cells.append(f'{pairs} of {row["replicas"]}' if pairs else '—')
    rows.append(cells)
  metrics = [
    row['metrics'].get(m) for row in found['entries'] for m in found['metrics']
  ]
  notes = [*intervals.without_interval(metrics), *found['warnings']]
  return '\n'.join((layout.plain(heads, rows), *notes))


def _figures(found: Mapping[str, Any]) -> list[figure.Figure]:
  rows, order = found['entries'], [run['name'] for run in found['runs']]
  colours = {row['name']: order.index(row['run']) for row in rows}
  panels = {
    wording.title(metric): {
      row['name']: intervals_plot.estimate(row['metrics'].get(metric))
      for row in rows
      if intervals_plot.estimate(row['metrics'].get(metric))
    }
    for metric in found['metrics'][:2]
  }
  out = []
  if panels:
    out.append(
      figure.Figure(
        'metrics',
        '',
        'How good?',
        'Mean and 95% interval, see the table; a colour a run.',
        intervals_plot.rows(panels, colours),
      )
    )
  gaps = {
    f'{wording.title(metric)}, minus the reference': {
      row['name']: intervals_plot.estimate(
        row['difference']['metrics'].get(metric)
      )
      for row in rows
      if row['difference']
      and intervals_plot.estimate(row['difference']['metrics'].get(metric))
    }
    for metric in found['metrics'][:2]
  }
  gaps = {title: values for title, values in gaps.items() if values}
  if gaps:
    out.append(
      figure.Figure(
        'differences',
        '',
        'Is the difference more than the choice of test samples?',
        f'Minus {found["reference"]}, on the same samples; 95% paired bootstrap'
        ' interval of the test samples (videos: of whole ones).',
        intervals_plot.rows(gaps, colours, zero=True),
      )
    )
  return out


def _page(found: Mapping[str, Any]) -> str:
  metrics = found['metrics']
  names = [run['name'] for run in found['runs']]
  return layout.render(
    'compare.html.j2',
    reference=found['reference'],
    notes=[
      f'{path} has no results yet; it is left out.'
      for path in found['left_out']
    ]
    + found['warnings']
    + [
      f'{run["name"]} was evaluated at step {run["step"]:,} of'
      f' {run["of_steps"]:,}.'
      for run in found['runs']
      if run['of_steps'] and run['step'] < run['of_steps']
    ],
    unpaired=[
      (row['name'], row['difference']['reason'])
      for row in found['entries']
      if row['difference'] and row['difference']['reason']
    ],
    figures=_figures(found),
    metrics=[wording.title(metric) for metric in metrics],
    rows=[
      {
        'name': row['name'],
        'replicas': wording.format_value(row['replicas']),
        'cells': [tables.cell(row['metrics'].get(m), 4) for m in metrics],
        'gaps': [gap_cell(row, m) for m in metrics],
        'over_runs': [runs_text(row, m) for m in metrics],
        'paired': bool((row['difference'] or {}).get('pairs')),
        'pairs': wording.format_value((row['difference'] or {}).get('pairs')),
      }
      for row in found['entries']
    ],
    note=layout.interval_note(found['entries'], metrics),
    runs=names,
    config=[
      (field, [wording.format_value(values[name]) for name in names])
      for field, values in found['config'].items()
    ],
    costs=[
      [
        run['name'],
        wording.format_value(run['replicas']),
        wording.format_value(run['step']),
        wording.format_value(run['parameters']),
        layout.seconds(run['training_seconds']),
        layout.seconds(run['wall_seconds']),
        layout.gib(run['peak_memory_bytes']),
        wording.format_value(run['device']),
      ]
      for run in found['runs']
    ],
  )


def write(found: Mapping[str, Any], folder: pathlib.Path) -> pathlib.Path:
  """Writes compare.csv, compare.json and compare.html; returns the page."""
  html = _page(found)
  atomic.write(folder / 'compare.json', strict_json.text(found))
  atomic.write(folder / 'compare.csv', as_csv(found))
  atomic.write(folder / 'compare.html', html)
  return folder / 'compare.html'
