"""The page of a study, and tables for the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from memae_jax.comparison import intervals_plot, layout
from memae_jax.evaluation.metrics import registry
from memae_jax.evaluation.report import figure, tables, templates, wording
from memae_jax.studies import grid, pictures, ranks

_DIGITS = 4
_RULES = {
  'validation_error': 'Best on validation, by the lowest error on held-out'
  ' normals (which favours whatever reconstructs well)',
  'pseudo_auroc': 'Best on validation, by the highest pseudo-AUROC (changed'
  ' held-out normals)',
  'oracle': 'Oracle: best on the test set, chosen by its labels; a bound, no'
  ' result',
}


def title_of(row: Mapping[str, Any], varying: Sequence[str]) -> str:
  """Returns the name of a point: its label, or the fields that vary.

  Args:
    row: of the point, as from `table.collect`.
    varying: names of the fields that tell the points apart.
  """
  return row['label'] or (
    ', '.join(
      f'{grid.short(name)} {layout.field_text(row["fields"][name])}'
      if name != 'variant'
      else layout.field_text(row['fields'][name])
      for name in varying
      if name in row['fields']
    )
    or 'base'
  )


def study(table: Mapping[str, Any]) -> str:
  """Returns the page as HTML text.

  Args:
    table: from `table.collect`.
  """
  varying = table['varying']
  labelled = any(row['label'] for row in table['points'])
  metrics = _metrics(table)[: 2 if labelled else 3]  # More would not fit.
  quoted = any(row['published'] is not None for row in table['points'])
  return templates.render(
    'study.html.j2',
    'memae_jax.studies',
    name=table['name'],
    counts=f'{counts(table)}. Compared by {wording.title(table["metric"])}.',
    failures=[f'{r["run"]}: {r["error"]}' for r in table['runs'] if r['error']],
    best=[sentence(best, table) for best in table['best']],
    figures=_figures(table),
    ranks=table['ranks'] and ranks.cells(table['ranks']),
    ranks_note=ranks.note(table['ranks']) if table['ranks'] else '',
    columns=[
      *(['Point'] if labelled else []),
      *map(grid.short, varying),
      *map(wording.title, metrics),
      *(['As published'] if quoted else []),
      *('Slots used', 'Dead reads', 'Slots kept', 'Validation'),
      'Time',
    ],
    rows=[
      _row(row, metrics, varying, labelled, quoted) for row in table['points']
    ],
    note=layout.interval_note(table['points'], metrics)
    + (
      ' Thresholds are multiples of 1/N.'
      if 'model.memory.threshold' in varying
      else ''
    ),
    by_kind=layout.by_kind(
      {title_of(row, varying): row['metrics'] for row in table['points']}
    ),
    baselines=[
      (wording.label(name), tables.cell(summary, _DIGITS))
      for name, summary in table['baselines'].items()
    ],
    metric=wording.title(table['metric']),
    runs=[(_run(run), run['state'] == 'finished') for run in table['runs']],
  )


def _metrics(table) -> list[str]:
  """Returns the study's metric, and the others that are defined."""
  defined = [
    name
    for name in (*registry.names('headline'), 'pseudo_auroc')
    if any((r['metrics'].get(name) or {}).get('mean') for r in table['points'])
  ]
  return list(dict.fromkeys((table['metric'], *defined)))


def count(number: int, noun: str) -> str:
  """Writes a number of things, such as '1 run' and '2 runs'."""
  return f'{number:,} {noun}{"" if number == 1 else "s"}'


def counts(table: Mapping[str, Any]) -> str:
  """Says how many points and runs there are, and the time they took."""
  states = [run['state'] for run in table['runs']]
  points, done = len(table['points']), states.count('finished')
  out = f'{count(points, "point")} of {table["base"]} in'
  out += f' {count(len(states), "run")}'
  out += f', {done} of them finished' if done < len(states) else ''
  spent = layout.seconds(table['wall_seconds'])
  return f'{out}; {spent} in all'


def _run(run) -> list[str]:
  more = 'more than ' if run['wall_seconds_is_lower_bound'] else ''
  return [
    run['run'],
    run['state'],
    wording.format_value(run['points']),
    wording.format_value(run['run_replicas']),
    wording.format_value(run['attempts']),
    more + layout.seconds(run['wall_seconds']),
    layout.seconds(run['training_seconds']),
    layout.gib(run['peak_memory_bytes']),
  ]


def _row(row, metrics, varying, labelled, quoted) -> dict[str, Any]:
  memory = row['memory'] or {}
  dead = memory.get('dead_read_rate')
  return {
    'fields': ([row['label']] if labelled else [])
    + [layout.field_text(row['fields'].get(name)) for name in varying],
    'cells': [tables.cell(row['metrics'].get(m), _DIGITS) for m in metrics],
    'facts': ([wording.number(row['published'], 4)] if quoted else [])
    + [
      wording.format_value(memory.get('used')),
      '—' if dead is None else f'{dead:.1%}',
      wording.format_value(memory.get('mean_kept')),
      wording.format_value(row['validation_error']),
      layout.seconds(row['wall_seconds'])
      if row['state'] == 'finished'
      else row['state'],
    ],
  }


def sentence(best: Mapping[str, Any], table: Mapping[str, Any]) -> str:
  """Says which point is the best by one rule, and what it reaches.

  Args:
    best: of one rule, as from `table.best`.
    table: from `table.collect`.
  """
  rule = _RULES[best['rule']]
  if best['point'] is None:
    return f'{rule}: undefined, because {best["reason"]}.'
  name = title_of(table['points'][best['point']], table['varying'])
  cell = tables.cell(best['metric'], _DIGITS)
  out = f'{rule}: {name}, {wording.title(table["metric"])} {cell["mean"]}'
  return f'{out} {cell.get("ci", "")}'.rstrip() + '.'


def _numeric(table) -> str | None:
  """Returns the swept field that curves are drawn against, if there is one."""
  if any(row['label'] for row in table['points']):
    return None
  number = lambda v: isinstance(v, (int, float)) and not isinstance(v, bool)
  names = []
  for name in table['varying']:
    values = [r['fields'][name] for r in table['points'] if name in r['fields']]
    if len(set(map(str, values))) > 1 and all(map(number, values)):
      names.append(name)
  return next((n for n in names if n != 'train.seed'), (names or [None])[0])


def _axis(field: str) -> str:
  """Returns the name of a swept field for an axis."""
  return wording.SWEPT.get(grid.short(field), field).removeprefix('the ')


def _figures(table) -> list[figure.Figure]:
  """Draws curves over the swept field, or else a row for each point."""
  done = [row for row in table['points'] if row['metrics']]
  estimates = [
    intervals_plot.estimate(row['metrics'].get(table['metric'])) for row in done
  ]
  if not any(estimates):
    return []
  swept = _numeric(table)
  if swept is None:
    return [_points(table, done, estimates)]
  return [_curve(table, done, swept), *_memory(table, done, swept)]


def _points(table, done, estimates) -> figure.Figure:
  """Draws a row for each point."""
  title = wording.title(table['metric'])
  names = [title_of(row, table['varying']) for row in done]
  rows = {name: value for name, value in zip(names, estimates) if value}
  caption = layout.interval_note(done, [table['metric']])
  drawn = intervals_plot.rows({title: rows})
  return figure.Figure('points', '', title, caption, drawn)


def _others(table, swept: str) -> list[str]:
  """Returns the fields that vary, but for the swept one."""
  return [name for name in table['varying'] if name != swept]


def _curve(table, done, swept: str) -> figure.Figure:
  """Draws the metric against the swept field, and closer where that helps."""
  metric, title = table['metric'], wording.title(table['metric'])
  lines = _lines(
    done, swept, _others(table, swept), lambda row: row['metrics'].get(metric)
  )
  panels = {title: lines}
  near, places = pictures.closer(lines)
  if near:
    left_out = ', '.join(f'{at:g}' for at in places)
    panels[f'Closer, without {grid.short(swept)} {left_out}'] = near
  caption, levels = layout.interval_note(done, [metric]), {}
  pca = (table['baselines'].get('pca') or {}).get('mean')
  if pca is not None:
    levels['pca'] = pca
    caption += ' Horizontal lines: baselines on the same samples.'
  return figure.Figure(
    'curve',
    '',
    f'{title} against {grid.short(swept)}',
    caption,
    pictures.curves(panels, _axis(swept), levels, tuple(panels)),
  )


def _memory(table, done, swept: str) -> Iterator[figure.Figure]:
  """Draws the statistics of the memory, if some point has one."""
  panels = {
    title: _lines(
      [row for row in done if row['memory']],
      swept,
      _others(table, swept),
      lambda row, key=key: {'mean': row['memory'].get(key)},
    )
    for title, key in (
      ('slots used', 'used'),
      ('dead-read rate', 'dead_read_rate'),
      ('slots kept per read', 'mean_kept'),
    )
  }
  if any(panels.values()):
    yield figure.Figure(
      'memory',
      '',
      'What the memory does',
      'On the test set, mean over the runs of a point.',
      pictures.curves(panels, _axis(swept)),
    )


def _lines(rows, x, others, summary) -> dict[str, pictures.Line]:
  """Returns the line of each setting of the other fields.

  Args:
    rows: of points.
    x: the swept field.
    others: the other fields that vary.
    summary: (row) -> the summary that is drawn; an undefined one is left out.

  Returns:
    {name of the setting: line}.
  """
  out: dict[str, pictures.Line] = {}
  for row in rows:
    estimate = intervals_plot.estimate(summary(row))
    if estimate is None:
      continue
    name = title_of(row, others)
    if x in row['fields']:
      line = out.setdefault(name, pictures.Line({}))
      line.points[row['fields'][x]] = estimate
    else:
      out[name] = pictures.Line({}, estimate)
  return out


def terminal(table: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
  """Returns heads and rows of the terminal's table."""
  heads = ['point', wording.title(table['metric']), '95% interval']
  heads += ['slots used', 'dead reads', 'state']
  rows = []
  for row in table['points']:
    cell = tables.cell(row['metrics'].get(table['metric']), _DIGITS)
    memory = row['memory'] or {}
    dead = memory.get('dead_read_rate')
    deviation = f' ± {cell["std"]}' if cell.get('std') else ''
    rows.append(
      [
        title_of(row, table['varying']),
        cell['mean'] + deviation,
        cell.get('ci', '—'),
        wording.format_value(memory.get('used')),
        '—' if dead is None else f'{dead:.1%}',
        row['state'],
      ]
    )
  return heads, rows
