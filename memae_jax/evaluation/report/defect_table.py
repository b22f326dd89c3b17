"""Table of defects by their area: what each method finds at three areas."""

from collections.abc import Iterable, Mapping
from typing import Any

from memae_jax.evaluation.metrics import defect_area
from memae_jax.evaluation.report import findings, tables, wording

_AREAS = {'_quarter': 'A / 4', '': 'A', '_fourfold': '4 A'}
_IMAGE_RULES = 'max_cell', 'mean_cell'


def table(results: Mapping[str, Any]) -> dict[str, Any] | None:
  """Returns what the page shows of defects; None where there is nothing.

  Returns:
    `areas`: label and pixels of each; `rows`: kind, name and cells of each
    method, baseline and published method. Of each area a row has a cell of both
    accuracies, of their mean, of the overlap and of the threshold; then those
    of the AUROC by the maximum and by the mean of the map. `footnotes`: why
    some are undefined.
  """
  facts = results.get('defects')
  if not facts:
    return None
  rows = [
    (kind, wording.label(name), _cells(results, name, summary))
    for kind in ('methods', 'baselines')
    for name, summary in results[kind].items()
    if tables.defined({name: summary}, defect_area.THRESHOLD)
  ]
  published = (facts['published'] or {'rows': {}})['rows']
  rows += [
    ('paper', f'{name}, as published', _published(row))
    for name, row in published.items()
  ]
  return {
    'areas': [(of, facts['areas'][end]) for end, of in _AREAS.items()],
    'rows': rows,
    'footnotes': findings.undefined(results, defect_area.METRICS),
  }


def _cells(results, name: str, summary) -> list[tables.Cell]:
  """Returns the cells of a method, from the summaries of its metrics."""
  # The spread of runs stands there; intervals would not fit.
  short = lambda of, digits: tables.cell(
    {**(of or {}), 'ci95': None, 'undefined': 0}, digits
  )
  digits, out = tables.digits(results), []
  for end in _AREAS:
    good, bad, mean, overlap = (
      short(summary.get(metric + end), digits)
      for metric in (*defect_area.RATES, defect_area.OVERLAP)
    )
    threshold = short(summary.get(defect_area.THRESHOLD + end), None)
    out += [_pair(good, bad), mean, overlap, threshold]
  rules = results['rules'].get(name, {})
  of_rules = (rules.get(rule, {}).get('auroc') for rule in _IMAGE_RULES)
  return out + [short(of, digits) for of in of_rules]


def _pair(good: tables.Cell, bad: tables.Cell) -> tables.Cell:
  """Returns two cells as one: 0.95 / 0.39."""
  joined = {
    key: f'{good[key]} / {bad[key]}'
    for key in ('mean', 'std')
    if key in good and key in bad
  }
  return joined | {'undefined': good['undefined'] and bad['undefined']}


def _published(row: Mapping[str, float]) -> Iterable[tables.Cell]:
  """Returns the cells of a published method, whose area is not known."""
  good, bad, mean = (
    {'mean': wording.number(row[metric], digits), 'undefined': False}
    for metric, digits in zip(defect_area.RATES, (2, 2, 3))
  )
  empty = {'mean': ''}
  return [*[empty] * 4, _pair(good, bad), mean, *[empty] * 8]
