"""The table of a study: a row for each point, from the finished runs."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from memae_jax.comparison import attempts, finished_run, layout
from memae_jax.evaluation.metrics import registry
from memae_jax.evaluation.results import results_file
from memae_jax.runtime import atomic, errors, spreadsheet, strict_json
from memae_jax.studies import grid, page, ranks, runs
from memae_jax.training import fleet

_MEMORY = ('used', 'dead_read_rate', 'mean_kept', 'usage_perplexity')
_NOT_COMPARABLE = (
  'the points were not trained on the same data, or score by other rules'
)


def write(
  study: grid.Study, planned: Sequence[runs.Run], folder: pathlib.Path
) -> pathlib.Path:
  """Writes study.csv, study.json and study.html.

  Args:
    study: named.
    planned: all its runs.
    folder: of the study.

  Returns:
    The path of the page.
  """
  table = collect(study, planned)
  text = strict_json.text(table)
  atomic.write(folder / 'study.json', text)
  atomic.write(folder / 'study.csv', as_csv(table))
  atomic.write(folder / 'study.html', page.study(table))
  return folder / 'study.html'


def read(folder: pathlib.Path) -> dict[str, Any]:
  """Reads the table that `write` stored in the folder of a study."""
  return json.loads((folder / 'study.json').read_bytes())


def collect(study: grid.Study, planned: Sequence[runs.Run]) -> dict[str, Any]:
  """Returns the content of study.json.

  Args:
    study: named.
    planned: all its runs.
  """
  points = [point for run in planned for point in run.points]
  rows, rivals, described, references = [], [], [], {}
  for run in planned:
    done = None
    if run.state == 'finished':
      done = finished_run.read(run.folder)
      references = references or done.results['baselines']
    spent = attempts.costs(run.folder)
    facts = {
      'run': run.name,
      'state': run.state,
      'error': run.error or None,
      'run_replicas': len(grid.replicas(run.config)),
      'wall_seconds': spent.seconds if spent.attempts else None,
      'wall_seconds_is_lower_bound': bool(spent.unknown),
    }
    described.append(
      facts
      | {
        'points': len(run.points),
        'attempts': spent.attempts,
        'training_seconds': done
        and done.results['throughput'].get('training_seconds'),
        'peak_memory_bytes': done and finished_run.peak_memory(done.results),
      }
    )
    rows += [_row(point, done, facts) for point in run.points]
    rivals += [done.results['baselines'] if done else {}] * len(run.points)
  order = sorted(range(len(rows)), key=lambda i: points[i].index)
  rows = [rows[i] for i in order]
  same = _same_measure(points)
  varying = grid.varying(sorted(points, key=lambda point: point.index))
  for row, i in zip(rows, order):
    row['fields'] = grid.filled(points[i], varying)
  rivals = [rivals[i] for i in order]
  return {
    'name': study.name,
    'base': study.base,
    'metric': study.metric,
    'varying': varying,
    'points': rows,
    'best': best(rows, study.metric, same),
    'ranks': ranks.collect(rows, rivals, study.metric, study.ranked),
    'baselines': {
      name: summary.get(study.metric)
      for name, summary in references.items()
      if same and name != 'random'
    },
    'runs': described,
    'wall_seconds': sum(run['wall_seconds'] or 0 for run in described),
  }


def _row(
  point: grid.Point, done: finished_run.Run | None, facts: Mapping[str, Any]
) -> dict[str, Any]:
  """Returns the row of a point.

  Args:
    point: of the study.
    done: its run, if that is finished.
    facts: about its run.
  """
  row = {
    'fields': point.fields,
    'label': point.label,
    'published': point.published,
    **facts,
    'replicas': len(grid.replicas(point.config)),
    'metrics': {},
    'memory': None,
    'validation_error': None,
  }
  if done is None:
    return row
  wanted = grid.replicas(point.config)
  replicas = [r for r in done.replicas if _key(r) in wanted]
  row['metrics'] = finished_run.summary(replicas, point.config.eval.bootstrap)
  row['memory'] = finished_run.memory(replicas)
  row['validation_error'] = finished_run.validation_error(replicas)
  return row


def _same_measure(points: Sequence[grid.Point]) -> bool:
  """Returns whether all points share score rule, classes and splits."""
  return 1 == len(
    {
      json.dumps(
        [
          p.config.data.to_dict(),
          p.config.eval.score,
          p.config.fleet.normal_classes,
          p.config.train.seed,
          p.config.fleet.seeds,
        ]
      )
      for p in points
    }
  )


def best(
  rows: Sequence[Mapping[str, Any]], metric: str, same: bool
) -> list[dict[str, Any]]:
  """Returns the best point by each rule, and what it reaches.

  Args:
    rows: of `collect`.
    metric: of the study.
    same: whether the errors of the points can be compared.

  Returns:
    For each rule: its name, whether it is an `oracle`, the index of the best
    `point` (None, with a `reason`, if there is none), its `value` by the rule
    and its `metric`.
  """
  mean = lambda name: lambda row: (row['metrics'].get(name) or {}).get('mean')
  test_sign = -1 if registry.find(metric).lower_is_better else 1
  rules = {
    'validation_error': (lambda row: row['validation_error'], -1),
    'pseudo_auroc': (mean('pseudo_auroc'), 1),
    'oracle': (mean(metric), test_sign),
  }
  out = []
  for rule, (value, sign) in rules.items():
    defined = [row for row in rows if value(row) is not None]
    entry = {'rule': rule, 'oracle': rule == 'oracle', 'point': None}
    if not same and rule != 'oracle':
      entry['reason'] = _NOT_COMPARABLE
    elif not defined:
      entry['reason'] = 'no finished point defines it'
    else:
      row = max(defined, key=lambda row, sign=sign: sign * value(row))
      entry |= {
        'point': rows.index(row),
        'value': value(row),
        'metric': row['metrics'].get(metric),
      }
    out.append(entry)
  return out


def _metrics(table: Mapping[str, Any]) -> list[str]:
  """Returns the metrics of the CSV file, that of the study first."""
  names = dict.fromkeys(
    (table['metric'], *registry.names('headline'), 'pseudo_auroc')
  )
  summaries = [row['metrics'] for row in table['points']]
  first = [
    name
    for name in names
    if name == table['metric'] or any(name in s for s in summaries)
  ]
  return first + layout.further(summaries, first)


def as_csv(table: Mapping[str, Any]) -> str:
  """Returns the table as CSV text: one row per point, undefined cells empty."""
  fields = dict.fromkeys(
    name for row in table['points'] for name in row['fields']
  )
  labelled = any(row['label'] for row in table['points'])
  quoted = any(row['published'] is not None for row in table['points'])
  metrics = _metrics(table)
  facts = ('run_replicas', 'wall_seconds', 'run', 'state', 'error')
  parts = ('', '_std', '_low', '_high', '_n', '_interval_over')
  lines: list[list[Any]] = [
    [
      *(['label'] if labelled else []),
      *fields,
      *(name + part for name in metrics for part in parts),
      *([f'{table["metric"]}_published'] if quoted else []),
      'validation_error',
      *_MEMORY,
      'replicas',
      *facts,
    ]
  ]
  for row in table['points']:
    cells = [row['label']] if labelled else []
    cells += [_text(row['fields'].get(name)) for name in fields]
    for name in metrics:
      summary = row['metrics'].get(name) or {}
      low, high = summary.get('ci95') or (None, None)
      cells += [summary.get('mean'), summary.get('std'), low, high]
      cells += [summary.get('n'), summary.get('of')]
    cells += [row['published']] if quoted else []
    memory = row['memory'] or {}
    cells += [row['validation_error'], *map(memory.get, _MEMORY)]
    cells += [row['replicas'], *map(row.get, facts)]
    lines.append(cells)
  return spreadsheet.text(lines)


def _text(value: Any) -> Any:
  return json.dumps(value) if isinstance(value, (list, tuple)) else value


def text(table: Mapping[str, Any]) -> str:
  """Returns the table for the terminal: points, the metric and the memory."""
  out = layout.format_table(*page.terminal(table))
  if not table['ranks']:
    return out
  of_ranks = layout.format_table(*ranks.cells(table['ranks']))
  return '\n'.join([out, of_ranks, ranks.note(table['ranks'])])


def _key(replica: finished_run.Replica) -> tuple:
  """Returns `grid.key` of a replica that a run stored.

  Raises:
    UserError: the fields are those of another version.
  """
  fields = {'name': '', 'normal_class': None, **replica.fields}
  try:
    return grid.key(fleet.Replica(**fields))
  except TypeError as error:
    raise errors.UserError(
      f'a replica has fields {", ".join(replica.fields)}, as another version'
      f' wrote them ({error}); {results_file.MEND}'
    ) from error
