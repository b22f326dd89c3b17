"""Rows of the report's tables, from the numbers of `results.json`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from memae_jax.evaluation.metrics import class_means, registry
from memae_jax.evaluation.report import wording
from memae_jax.runtime import spreadsheet

Cell = dict[str, Any]


def columns(results: Mapping[str, Any]) -> list[str]:
  """Returns the metrics of the headline table, those of the paper first."""
  paper = results['paper'] or {}
  first = results['config']['eval'].get('headline', 'auroc')
  names = dict.fromkeys(
    (*paper.get('metrics', ()), first, *registry.names('headline'))
  )
  special = registry.names('only_some')
  missing = [m for m in special if not defined(results['methods'], m)]
  names = [m for m in names if m not in missing]
  special = (*registry.names('of_pixels'), *registry.names('of_money'))
  special = [m for m in special if defined(results['methods'], m)]
  names = [m for m in names if m not in special]
  return names[: 3 if special else 5] + special  # More would not fit the page.


def digits(results: Mapping[str, Any]) -> int:
  """Returns the digits of a metric: four, as in the paper, if it is quoted."""
  return 4 if results['paper'] else 3


def methods(results: Mapping[str, Any]) -> dict[str, Mapping]:
  """Returns the summaries of all variants and then of all baselines."""
  return {**results['methods'], **results['baselines']}


def defined(summaries: Mapping[str, Mapping], metric: str) -> bool:
  """Returns whether a metric has a value in any of the summaries."""
  return any(
    (s.get(metric) or {}).get('mean') is not None for s in summaries.values()
  )


def values(results: Mapping[str, Any]) -> dict[str, dict[str, list[float]]]:
  """Returns {variant: {metric: defined values, one per replica}}."""
  return _by_metric([(r['fields'], r['metrics']) for r in results['replicas']])


def units(results: Mapping[str, Any]) -> dict[str, dict[str, list[float]]]:
  """Returns {variant: {metric: defined values, one per unit}}.

  Units are those of `class_means.units`: runs, or means over classes.
  """
  rows = [(r['fields'], r['metrics']) for r in results['replicas']]
  return _by_metric(class_means.units(rows))


def _by_metric(rows) -> dict[str, dict[str, list[float]]]:
  out: dict[str, dict[str, list[float]]] = {}
  for fields, metrics in rows:
    group = out.setdefault(fields['variant'], {})
    for metric, value in metrics.items():
      if value is not None:
        group.setdefault(metric, []).append(value)
  return out


def by_field(
  results: Mapping[str, Any], field: str
) -> dict[str, dict[Any, list[float]]]:
  """Returns {variant: {value of a field: AUROCs}} of the replicas that have it.

  Args:
    results: the content of `results.json`.
    field: of replicas.
  """
  out: dict[str, dict[Any, list[float]]] = {}
  for replica in results['replicas']:
    fields, value = replica['fields'], replica['metrics'].get('auroc')
    if value is not None and field in fields:
      group = out.setdefault(fields['variant'], {})
      group.setdefault(fields[field], []).append(value)
  return out


def cell(summary, digits, sign=False, interval=None, bounds=(0.0, 1.0)) -> Cell:
  """Returns the texts of one cell.

  Args:
    summary: of a metric, or None.
    digits: behind the point; None: four that count.
    sign: the value is a difference. It has a sign and no deviation, since its
      interval says what matters.
    interval: [low, high] for a summary that has none, since it is of one run.
    bounds: intervals of values that are no differences are cut to what the
      metric can be.
  """
  summary = summary or {}
  mean, ci = summary.get('mean'), summary.get('ci95') or interval
  out = {'mean': wording.number(mean, digits, sign), 'undefined': mean is None}
  if mean is not None and summary.get('std') is not None and not sign:
    out['std'] = wording.number(summary['std'], digits)
  if mean is not None and ci:
    ends = ci if sign else np.clip(ci, *bounds)
    low, high = (wording.number(float(v), digits, sign) for v in ends)
    out['ci'] = f'[{low}, {high}]'
    out['clear'] = ci[0] > 0 or ci[1] < 0
  if summary.get('undefined'):
    out['undefined_count'] = summary['undefined']
  return out


def _runs(results, summary: Mapping[str, Mapping], noun: str = 'run') -> str:
  """Says how many observations, called by a noun, a summary is over."""
  n = max((s['n'] for s in summary.values()), default=0)
  if results['averaged_classes']:
    return f'{n} seeds × {results["averaged_classes"]} classes'
  return f'{n} {noun}{"" if n == 1 else "s"}' if n else ''


def headline(results: Mapping[str, Any]) -> list[dict[str, Any]]:
  """Returns the rows of the headline table.

  They are the variants, each followed by its published numbers, then the
  baselines, then the other methods of the paper.
  """
  paper = results['paper'] or {}
  metrics, precision = columns(results), digits(results)
  rows = []

  def published(name, row):
    name = f'{name}, as published'
    cells = [
      {'mean': wording.number(row[m], 4) if m in row else ''} for m in metrics
    ]
    rows.append({'kind': 'paper', 'name': name, 'cells': cells, 'n': ''})

  for kind in ('methods', 'baselines'):
    for name, summary in results[kind].items():
      replicas = [
        r
        for r in results['replicas']
        if kind == 'methods' and r['fields']['variant'] == name
      ]
      interval = replicas[0]['interval'] if len(replicas) == 1 else {}
      rows.append(
        {
          'kind': kind,
          'name': wording.label(name),
          'headline': name == results['headline'],
          'note': results['baseline_notes'].get(name, ''),
          'n': _runs(results, summary),
          'cells': [
            cell(summary.get(m), precision, interval=interval.get(m))
            for m in metrics
          ],
        }
      )
      if kind == 'methods' and name in paper.get('variants', {}):
        published(wording.label(name), paper['variants'][name])
  others = {
    wording.label(name): row
    for name, row in paper.get('variants', {}).items()
    if name not in results['methods']
  } | paper.get('others', {})
  for name, row in others.items():
    published(name, row)
  return rows


def videos(results: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
  """Returns the name and the cells of each test video.

  The cells are counts of its frames (all, scored, anomalous), and its AUROC by
  the first replica of each variant.
  """
  replicas: dict[str, Any] = {}
  for replica in results['replicas']:
    replicas.setdefault(replica['fields']['variant'], replica)
  rows = zip(*(r['videos'] for r in replicas.values()))
  return [
    (
      row[0]['name'],
      [
        wording.format_value(row[0]['frames']),
        wording.format_value(row[0]['scored']),
        wording.format_value(row[0]['anomalous']),
        *(wording.number(video['auroc']) for video in row),
      ],
    )
    for row in rows
  ]


def _labelled(side: str) -> str:
  """Names a side of a difference: 'memae' or 'memae (slots=3)'."""
  variant, gap, setting = side.partition(' ')
  return wording.label(variant) + gap + setting


def differences(results: Mapping[str, Any]) -> list[tuple[str, str, list]]:
  """Returns name, count of pairs and cells of each paired difference."""
  return [
    (
      ' − '.join(_labelled(v) for v in pair.split(' - ')),
      _runs(results, summary, 'pair'),
      [
        cell(summary.get(c), digits(results), sign=True)
        for c in columns(results)
      ],
    )
    for pair, summary in results['differences'].items()
  ]


def _cell_of(metric: registry.Metric, summaries, precision: int) -> Cell:
  """Returns the cell of a metric of one method."""
  bounds = metric.least, metric.most
  digits = None if bounds == (-np.inf, np.inf) else precision  # Has a unit.
  return cell(summaries.get(metric.name), digits, bounds=bounds)


def of_kind(
  kind: str, summaries: Mapping[str, Mapping]
) -> tuple[list[registry.Metric], list[tuple[str, list[Cell]]]]:
  """Returns the defined metrics of a kind, and a row for each that has some.

  Args:
    kind: field of `registry.Metric`, such as 'of_events' or 'of_places'.
    summaries: of the metrics, by name of the row.
  """
  names = [n for n in registry.names(kind) if defined(summaries, n)]
  metrics = [registry.find(name) for name in names]
  rows = [
    (label, [_cell_of(m, summary, 3) for m in metrics])
    for label, summary in summaries.items()
    if any(defined({label: summary}, name) for name in names)
  ]
  return metrics, rows


def of_videos(
  kind: str, results: Mapping[str, Any]
) -> tuple[list[registry.Metric], list[tuple[str, list[Cell]]]]:
  """Returns `of_kind` of all methods; no rows where there are no videos."""
  if not results['videos']:
    return [], []
  groups = methods(results).items()
  return of_kind(kind, {wording.label(name): group for name, group in groups})


def over_rows(results: Mapping[str, Any]) -> list[tuple[str, Cell, str]]:
  """Returns name, difference and videos of methods less rows of videos."""
  return [
    (
      f'{wording.label(method)} - {wording.label(row)}',
      cell(
        {'mean': gap['difference'], 'ci95': gap['ci95']},
        digits(results),
        sign=True,
      ),
      f'{gap["won"]} : {gap["lost"]}',
    )
    for method, gaps in results.get('over_rows', {}).items()
    for row, gap in gaps.items()
  ]


def every_metric(results: Mapping[str, Any]) -> list[tuple[str, list[Cell]]]:
  """Returns all metrics (rows) of all variants and baselines (columns)."""
  groups = list(methods(results).values())
  return [
    (
      metric.title,
      [_cell_of(metric, g, digits(results)) for g in groups],
    )
    for metric in map(registry.find, registry.names())
    if any(metric.name in group for group in groups)
  ]


def class_methods(results: Mapping[str, Any]) -> dict[str, Mapping]:
  """Returns the summaries of the methods in the table of classes.

  Random scores are left out: they would only make it wider.
  """
  summaries = methods(results)
  summaries.pop('random', None)
  return summaries


def by_class(
  results: Mapping[str, Any], metric: str = 'auroc'
) -> list[tuple[str, list[Cell]]]:
  """Returns the name and cells of each class, then of the mean over classes."""
  names, precision = class_methods(results), digits(results)
  short = lambda summary: cell(
    {**(summary or {}), 'ci95': None, 'undefined': 0}, precision
  )
  rows = [
    (kind, [short(by_method.get(name, {}).get(metric)) for name in names])
    for kind, by_method in results['classes'].items()
  ]
  if rows:
    means = [short(summary.get(metric)) for summary in names.values()]
    rows.append(('mean', means))
  return rows


def classes_csv(results: Mapping[str, Any]) -> str:
  """Returns the AUROC of each class and method over the seeds, as CSV text.

  The last row is the mean over the classes.
  """
  names = methods(results)
  heads = (f'{name}{part}' for name in names for part in ('', '_std'))
  lines: list[list[Any]] = [['normal_class', *heads]]
  for kind, by_method in (*results['classes'].items(), ('mean', names)):
    row = [by_method.get(name, {}).get('auroc') or {} for name in names]
    lines.append(
      [kind, *(summary.get(key) for summary in row for key in ('mean', 'std'))]
    )
  return spreadsheet.text(lines)


def pseudo(results: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
  """Returns the name of each variant, and AUROCs by kind and their mean."""
  return [
    (
      wording.label(variant),
      [
        wording.number(value, 3)
        for value in (*by_kind.values(), sum(by_kind.values()) / len(by_kind))
      ],
    )
    for variant, by_kind in results['pseudo'].items()
  ]


def every_run(results: Mapping[str, Any]) -> list[tuple[str, int, list[Cell]]]:
  """Returns name, step and cells of each replica."""
  return [
    (
      r['name'],
      r['step'],
      [
        cell(
          {'mean': r['metrics'].get(c)},
          digits(results),
          interval=r['interval'].get(c),
        )
        for c in columns(results)
      ],
    )
    for r in results['replicas']
  ]


def memory(results: Mapping[str, Any]) -> list[tuple[str, list[str]]]:
  """Returns the memory statistics of each variant, means over its replicas."""
  return [
    (
      wording.label(variant),
      [
        wording.format_value(memory['slots']),
        wording.format_value(memory['used']),
        wording.share(memory['dead_read_rate']),
        wording.format_value(memory['mean_kept']),
        wording.format_value(memory['usage_perplexity']),
        wording.format_value(memory['duplicate_slots']),
      ],
    )
    for variant, memory in results['memory'].items()
  ]
