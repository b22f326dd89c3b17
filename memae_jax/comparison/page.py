"""Comparisons of runs as CSV, as text, and as a page."""

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from memae_jax.comparison import differences, intervals_plot, layout
from memae_jax.evaluation.metrics import intervals
from memae_jax.evaluation.report import figure, tables, templates, wording
from memae_jax.runtime import atomic, spreadsheet, strict_json


def as_csv(results: Mapping[str, Any]) -> str:
  """Returns the comparison as CSV text, one row per entry."""
  facts = ('wall_seconds', 'training_seconds', 'peak_memory_bytes')
  parts = ('', '_std', '_low', '_high', '_n', '_interval_over')
  gaps = ('', '_low', '_high', '_low_runs', '_high_runs')
  further = layout.further(
    [row['metrics'] for row in results['entries']], results['metrics']
  )
  lines: list[list[Any]] = [
    [
      'run',
      *differences.SETTING,
      *config_fields(results),
      'replicas',
      *(m + part for m in results['metrics'] for part in parts),
      *(f'{m}_difference{gap}' for m in results['metrics'] for gap in gaps),
      *(m + part for m in further for part in ('', '_std')),
      'pairs',
      'unpaired_because',
      *facts,
    ]
  ]
  runs_by_name = {run['name']: run for run in results['runs']}
  for row in results['entries']:
    gap = row['difference'] or {'metrics': {}, 'pairs': None, 'reason': None}
    cells = [row['run'], *map(row['setting'].get, differences.SETTING)]
    cells += [
      json.dumps(results['config'][field][row['run']])
      for field in config_fields(results)
    ]
    cells.append(row['replicas'])
    for metric in results['metrics']:
      summary = row['metrics'].get(metric) or {}
      low, high = summary.get('ci95') or (None, None)
      cells += [summary.get('mean'), summary.get('std'), low, high]
      cells += [summary.get('n'), summary.get('of')]
    for metric in results['metrics']:
      summary = gap['metrics'].get(metric) or {}
      cells += [summary.get('mean'), *(summary.get('ci95') or (None, None))]
      cells += summary.get('ci95_runs') or (None, None)
    for metric in further:
      summary = row['metrics'].get(metric) or {}
      cells += [summary.get('mean'), summary.get('std')]
    cells += [gap['pairs'], gap['reason']]
    cells += [runs_by_name[row['run']][key] for key in facts]
    lines.append(cells)
  return spreadsheet.text(lines)


def config_fields(results: Mapping[str, Any]) -> list[str]:
  """Returns the config fields that differ and are no part of a setting."""
  return [
    field
    for field in results['config']
    if not field.startswith('fleet.')
    and field.rsplit('.')[-1] not in differences.SETTING
  ]


def gap_cell(row: Mapping[str, Any], metric: str) -> dict[str, Any]:
  """Returns the cell of a difference, with its interval over samples.

  It is clear if all intervals of the difference exclude 0.
  """
  gap = row['difference']
  if gap is None:
    return {'mean': 'reference', 'undefined': True}
  if not gap['pairs']:
    return {'mean': 'not the same samples', 'undefined': True}
  summary = gap['metrics'].get(metric) or {}
  ends = [summary[key] for key in ('ci95', 'ci95_runs') if summary.get(key)]
  clear = all(low > 0 or high < 0 for low, high in ends)
  cell = tables.cell(summary, 4, sign=True)
  return cell | {'clear': bool(ends) and clear}


def runs_text(row: Mapping[str, Any], metric: str) -> str:
  """Writes the interval of a difference over runs, or why there is none."""
  gap = row['difference'] or {'metrics': {}}
  summary = gap['metrics'].get(metric) or {}
  ends = summary.get('ci95_runs')
  if not ends:
    return summary.get('ci95_runs_reason') or '—'
  low, high = (wording.number(v, 4, sign=True) for v in ends)
  return f'[{low}, {high}]'


def text(results: Mapping[str, Any]) -> str:
  """Returns the table for the terminal, with its notes."""
  heads = ['run: setting']
  for metric in results['metrics']:
    heads += [wording.title(metric), '95% interval']
  first = results['metrics'][:1]
  for metric in first:
    heads += [f'{wording.title(metric)} difference', 'over runs']
  heads.append('pairs')
  rows = []
  for row in results['entries']:
    cells = [row['name']]
    for metric in results['metrics']:
      cell = tables.cell(row['metrics'].get(metric), 4)
      deviation = f' ± {cell["std"]}' if cell.get('std') else ''
      cells += [cell['mean'] + deviation, cell.get('ci', '—')]
    for metric in first:
      gap = gap_cell(row, metric)
      cells.append(f'{gap["mean"]} {gap.get("ci", "")}'.strip())
      cells.append(runs_text(row, metric))
    # With fewer pairs than replicas it is not the difference of the two means.
    pairs = (row['difference'] or {}).get('pairs')
    cells.append(f'{pairs} of {row["replicas"]}' if pairs else '—')
    rows.append(cells)
  metrics = [
    row['metrics'].get(m)
    for row in results['entries']
    for m in results['metrics']
  ]
  notes = [*intervals.without_interval(metrics), *results['warnings']]
  return '\n'.join((layout.format_table(heads, rows), *notes))


def _figures(results: Mapping[str, Any]) -> list[figure.Figure]:
  """Draws the metrics of all entries, and their differences."""
  rows, order = results['entries'], [run['name'] for run in results['runs']]
  colours = {row['name']: order.index(row['run']) for row in rows}
  panels = {
    wording.title(metric): {
      row['name']: intervals_plot.estimate(row['metrics'].get(metric))
      for row in rows
      if intervals_plot.estimate(row['metrics'].get(metric))
    }
    for metric in results['metrics'][:2]
  }
  out = []
  if panels:
    out.append(
      figure.Figure(
        'metrics',
        '',
        'How good?',
        'Mean and 95% interval, see the table. Each run has a colour.',
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
    for metric in results['metrics'][:2]
  }
  gaps = {title: values for title, values in gaps.items() if values}
  if gaps:
    out.append(
      figure.Figure(
        'differences',
        '',
        'Is the difference more than the choice of test samples?',
        f'Each minus {results["reference"]}, on the same samples; 95% paired'
        ' bootstrap interval over the test samples (or over whole videos).',
        intervals_plot.rows(gaps, colours, zero=True),
      )
    )
  return out


def _page(results: Mapping[str, Any]) -> str:
  """Returns the page as HTML text."""
  metrics = results['metrics']
  names = [run['name'] for run in results['runs']]
  return templates.render(
    'compare.html.j2',
    'memae_jax.comparison',
    reference=results['reference'],
    notes=[
      f'{path} has no results yet; it is left out.'
      for path in results['left_out']
    ]
    + results['warnings']
    + [
      f'{run["name"]} was evaluated at step {run["step"]:,} of'
      f' {run["of_steps"]:,}.'
      for run in results['runs']
      if run['of_steps'] and run['step'] < run['of_steps']
    ]
    + [
      f'{row["name"]}: {row["difference"]["reason"]}.'
      for row in results['entries']
      if row['difference'] and row['difference']['reason']
    ],
    figures=_figures(results),
    by_kind=layout.by_kind(
      {row['name']: row['metrics'] for row in results['entries']}
    ),
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
      for row in results['entries']
    ],
    note=layout.interval_note(results['entries'], metrics),
    runs=names,
    config=[
      (field, [wording.format_value(values[name]) for name in names])
      for field, values in results['config'].items()
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
      for run in results['runs']
    ],
  )


def write(results: Mapping[str, Any], folder: pathlib.Path) -> pathlib.Path:
  """Writes compare.csv, compare.json and compare.html.

  Args:
    results: from `differences.compare`.
    folder: where to.

  Returns:
    The path of the page.
  """
  html = _page(results)
  atomic.write(folder / 'compare.json', strict_json.text(results))
  atomic.write(folder / 'compare.csv', as_csv(results))
  atomic.write(folder / 'compare.html', html)
  return folder / 'compare.html'
