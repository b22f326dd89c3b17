"""The report: one page that a stranger can read.

Values are those of `results.json`; an undefined value is a dash, and its reason
stands below the table. Intervals of a share are cut to [0, 1].
"""

import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from memae_jax.evaluation.metrics import intervals, registry
from memae_jax.evaluation.report import (
  defect_table,
  figure,
  findings,
  highest_table,
  methods_section,
  money_table,
  rule_tables,
  tables,
  templates,
  wording,
)
from memae_jax.evaluation.results import describe


def _introduction(results: Mapping[str, Any]) -> dict[str, Any]:
  """Returns counts and facts for the head of the page."""
  replicas = results['replicas']
  counts: dict[str, int] = {}
  for replica in replicas:
    name = wording.label(replica['fields']['variant'])
    counts[name] = counts.get(name, 0) + 1
  rates = [r['metrics']['base_rate'] or 0.0 for r in replicas]
  classes = {r['fields'].get('normal_class') for r in replicas} - {None}
  return {
    'networks': len(replicas),
    'variants': ', '.join(f'{n} {name}' for name, n in counts.items()),
    'samples': wording.format_value(results['dataset']['split']['test']),
    'base_rate': wording.span(rates, wording.share) if any(rates) else '',
    'classes': sorted(classes),
    'rule': wording.weights(results['checkpoint']),
    'one_run': max(counts.values()) == 1,
    'has_interval': intervals.has_interval(
      tables.methods(results), tables.columns(results)
    ),
    'no_interval': _no_interval(results, tables.methods(results)),
    'has_interval_of_pairs': intervals.has_interval(
      results['differences'], tables.columns(results)
    ),
    'no_interval_of_pairs': _no_interval(results, results['differences']),
    'quantile': describe.percent(results['config']['eval']['normal_quantile']),
  }


def _no_interval(results, summaries: Mapping[str, Mapping]) -> str:
  """Says why columns of the headline table lack an interval."""
  columns = tables.columns(results)
  return ' '.join(
    intervals.without_interval(
      s.get(c) for s in summaries.values() for c in columns
    )
  )


def first_look(results: Mapping[str, Any]) -> list[tuple[str, str, str]]:
  """Returns name, value and remark of the facts in the head of the page.

  They are the threshold, the count of flagged samples and the highest score of
  the first network of the headline.
  """
  flags = results['flags'].get(results['headline'])
  if flags is None:
    return []
  quantile = describe.percent(results['config']['eval']['normal_quantile'])
  threshold, flagged, total = (flags[k] for k in ('threshold', 'flagged', 'of'))
  top = dict(flags['highest'])
  strongest = top.pop('strongest', ())
  score, above = top.pop('score'), top.pop('flagged')
  label = top.pop('label', None)
  top.pop('anomalous', None)
  short = lambda path: path.name if path.is_absolute() else str(path)
  where = ', '.join(
    short(pathlib.Path(value)) if key in ('file', 'video') else f'{key} {value}'
    for key, value in top.items()
  )
  remarks = [f'score {wording.format_value(score)}']
  remarks += [f'mostly {highest_table.column(one)}' for one in strongest[:1]]
  remarks += [f'label {label}'] if label is not None else []
  remarks += [] if above is None else ['flagged' if above else 'not flagged']
  return [
    (
      'Threshold',
      '—' if threshold is None else wording.format_value(threshold),
      'there are no held-out normals'
      if threshold is None
      else f'{quantile} of held-out normals score lower',
    ),
    (
      'Flagged',
      '—' if flagged is None else f'{flagged:,} of {total:,}',
      'of the test samples'
      if flagged is None
      else f'{wording.share(flagged / total)} of the test samples',
    ),
    (
      'Highest score',
      where or f'sample {flags["sample"]}',
      ', '.join(remarks),
    ),
  ]


def render(results: Mapping[str, Any], drawn: Sequence[figure.Figure]) -> str:
  """Returns the page as HTML text.

  Args:
    results: the content of `results.json`.
    drawn: figures, as from `figures.draw`.
  """
  return templates.render(
    'report.html.j2',
    results=results,
    intro=_introduction(results),
    findings=findings.sentences(results),
    first_look=first_look(results),
    columns=[registry.find(name) for name in tables.columns(results)],
    rows=tables.headline(results),
    differences=tables.differences(results),
    footnotes=findings.footnotes(results),
    figures=drawn,
    by_class=tables.by_class(results),
    class_methods=[wording.label(m) for m in tables.class_methods(results)],
    rules=rule_tables.rules(results),
    rule_methods=[wording.label(name) for name in results['rules']],
    chosen=rule_tables.chosen(results),
    over_rows=tables.over_rows(results),
    events=tables.of_videos('of_events', results),
    places=tables.of_videos('of_places', results),
    defects=defect_table.table(results),
    money=money_table.table(results),
    videos=tables.videos(results),
    video_methods=[wording.label(name) for name in results['methods']],
    highest=highest_table.table(results),
    names_columns=highest_table.names_columns(results),
    without_columns=highest_table.without_columns(results),
    pseudo=tables.pseudo(results),
    pseudo_kinds=[
      wording.KINDS[kind] for kind in next(iter(results['pseudo'].values()), ())
    ],
    memory=tables.memory(results),
    sections=methods_section.sections(results),
    metrics=[registry.find(name) for name in registry.names()],
    methods=[wording.label(name) for name in tables.methods(results)],
    every_metric=tables.every_metric(results),
    every_run=tables.every_run(results),
    format_value=wording.format_value,
    config=json.dumps(results['config'], indent=2, default=str),
  )
