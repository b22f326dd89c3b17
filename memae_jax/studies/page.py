"""The page of a study, and tables for the terminal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from memae_jax.comparison import intervals_plot, layout
from memae_jax.evaluation.metrics import registry
from memae_jax.evaluation.report import figure, tables, wording
from memae_jax.studies import grid, pictures

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
  """What a point is called."""
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


def study(found: Mapping[str, Any]) -> str:
  """Returns the page of what `table.collect` found."""
  varying = found['varying']
  labelled = any(row['label'] for row in found['points'])
  metrics = _metrics(found)[: 2 if labelled else 3]  # More would not fit.
  quoted = any(row['published'] is not None for row in found['points'])
  return layout.render(
    'study.html.j2',
    name=found['name'],
    counts=f'{counts(found)}. Compared by {wording.title(found["metric"])}.',
    failures=[(r['run'], r['error']) for r in found['runs'] if r['error']],
    best=[sentence(one, found) for one in found['best']],
    figures=_figures(found),
    columns=[
      *(['Point'] if labelled else []),
      *map(grid.short, varying),
      *map(wording.title, metrics),
      *(['As published'] if quoted else []),
      *('Slots used', 'Dead reads', 'Slots kept', 'Validation'),
      'Time',
    ],
    rows=[
      _row(row, metrics, varying, labelled, quoted) for row in found['points']
    ],
    note=layout.interval_note(found['points'], metrics)
    + (
      ' Thresholds are multiples of 1/N.'
      if 'model.memory.threshold' in varying
      else ''
    ),
    baselines=[
      (wording.label(name), tables.cell(summary, _DIGITS))
      for name, summary in found['baselines'].items()
    ],
    metric=wording.title(found['metric']),
    runs=[(_run(run), run['state'] == 'finished') for run in found['runs']],
  )


def _metrics(found) -> list[str]:
  """The study's metric, and the others that are defined."""
  defined = [
    name
    for name in (*registry.names('headline'), 'pseudo_auroc')
    if any((r['metrics'].get(name) or {}).get('mean') for r in found['points'])
  ]
  return list(dict.fromkeys((found['metric'], *defined)))


def count(number: int, noun: str) -> str:
  """Writes how many."""
  return f'{number:,} {noun}{"" if number == 1 else "s"}'


def counts(found: Mapping[str, Any]) -> str:
  """How many points and runs, and what they took."""
  states = [run['state'] for run in found['runs']]
  points, done = len(found['points']), states.count('finished')
  out = f'{count(points, "point")} of {found["base"]} in'
  out += f' {count(len(states), "run")}'
  out += f', {done} of them finished' if done < len(states) else ''
  spent = layout.seconds(found['wall_seconds'])
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


def sentence(one: Mapping[str, Any], found: Mapping[str, Any]) -> str:
  """What one rule of choosing chose."""
  rule = _RULES[one['rule']]
  if one['point'] is None:
    return f'{rule}: undefined, {one["reason"]}.'
  name = title_of(found['points'][one['point']], found['varying'])
  reached = tables.cell(one['metric'], _DIGITS)
  out = f'{rule}: {name}, {wording.title(found["metric"])} {reached["mean"]}'
  return f'{out} {reached.get("ci", "")}'.rstrip() + '.'


def _numeric(found) -> str | None:
  """The swept field that curves are drawn against; None: a list of points."""
  if any(row['label'] for row in found['points']):
    return None
  number = lambda v: isinstance(v, (int, float)) and not isinstance(v, bool)
  names = []
  for name in found['varying']:
    values = [r['fields'][name] for r in found['points'] if name in r['fields']]
    if len(set(map(str, values))) > 1 and all(map(number, values)):
      names.append(name)
  return next((n for n in names if n != 'train.seed'), (names or [None])[0])


def _axis(field: str) -> str:
  """What a curve is drawn against."""
  return wording.SWEPT.get(grid.short(field), field).removeprefix('the ')


def _figures(found) -> list[figure.Figure]:
  done = [row for row in found['points'] if row['metrics']]
  estimates = [
    intervals_plot.estimate(row['metrics'].get(found['metric'])) for row in done
  ]
  if not any(estimates):
    return []
  swept = _numeric(found)
  if swept is None:
    return [_points(found, done, estimates)]
  return [_curve(found, done, swept), *_memory(found, done, swept)]


def _points(found, done, estimates) -> figure.Figure:
  """Draws a row for each point."""
  title = wording.title(found['metric'])
  names = [title_of(row, found['varying']) for row in done]
  rows = {name: one for name, one in zip(names, estimates) if one}
  caption = layout.interval_note(done, [found['metric']])
  drawn = intervals_plot.rows({title: rows})
  return figure.Figure('points', '', title, caption, drawn)


def _others(found, swept: str) -> list[str]:
  return [name for name in found['varying'] if name != swept]


def _curve(found, done, swept: str) -> figure.Figure:
  """Draws the metric against the swept field, and closer where that helps."""
  metric, title = found['metric'], wording.title(found['metric'])
  lines = _lines(
    done, swept, _others(found, swept), lambda row: row['metrics'].get(metric)
  )
  panels = {title: lines}
  near, gone = pictures.closer(lines)
  if near:
    left_out = ', '.join(f'{at:g}' for at in gone)
    panels[f'Closer, without {grid.short(swept)} {left_out}'] = near
  caption, levels = layout.interval_note(done, [metric]), {}
  pca = (found['baselines'].get('pca') or {}).get('mean')
  if pca is not None:
    levels['pca'] = pca
    caption += ' Lines across: baselines on the same samples.'
  return figure.Figure(
    'curve',
    '',
    f'{title} against {grid.short(swept)}',
    caption,
    pictures.curves(panels, _axis(swept), levels, tuple(panels)),
  )


def _memory(found, done, swept: str) -> Iterator[figure.Figure]:
  """Draws what the memory does, if some point has one."""
  panels = {
    title: _lines(
      [row for row in done if row['memory']],
      swept,
      _others(found, swept),
      lambda row, key=key: {'mean': row['memory'].get(key)},
    )
    for title, key in (
      ('slots used', 'used'),
      ('dead-read rate', 'dead_read_rate'),
      ('slots kept by a read', 'mean_kept'),
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
  """{name of the other fields: line}, without undefined points."""
  out: dict[str, pictures.Line] = {}
  for row in rows:
    found = intervals_plot.estimate(summary(row))
    if found is None:
      continue
    name = title_of(row, others)
    if x in row['fields']:
      line = out.setdefault(name, pictures.Line({}))
      line.points[row['fields'][x]] = found
    else:
      out[name] = pictures.Line({}, found)
  return out


def terminal(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
  """Heads and rows for `plain`."""
  heads = ['point', wording.title(found['metric']), '95% interval']
  heads += ['slots used', 'dead reads', 'state']
  rows = []
  for row in found['points']:
    shown = tables.cell(row['metrics'].get(found['metric']), _DIGITS)
    memory = row['memory'] or {}
    dead = memory.get('dead_read_rate')
    deviation = f' ± {shown["std"]}' if shown.get('std') else ''
    rows.append(
      [
        title_of(row, found['varying']),
        shown['mean'] + deviation,
        shown.get('ci', '—'),
        wording.format_value(memory.get('used')),
        '—' if dead is None else f'{dead:.1%}',
        row['state'],
      ]
    )
  return heads, rows
