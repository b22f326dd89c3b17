"""Table of payments: what alarms catch, by their number or by a quantile."""

from collections.abc import Mapping
from typing import Any

from memae_jax.evaluation.report import wording
from memae_jax.evaluation.results import describe

REFERENCES = {
  'frauds_first': 'Frauds first, the largest of them first (a bound)',
  'amounts_first': 'Largest amounts first',
  'guessing': 'Guessing',
}
_MOST = 3  # Numbers of alarms beside the one that is set.


def _shown(results: Mapping[str, Any]) -> list[int]:
  """Returns places of the numbers of alarms that have columns.

  They are the number that is set, and the next decades around it.
  """
  numbers = results['money']['alarms_per_day']
  fixed = float(results['config']['eval']['alarms_per_day'])
  places = [
    i
    for i, n in enumerate(numbers)
    if n == fixed or n in (fixed / 10, fixed * 10)
  ]
  return places[:_MOST]


def table(results: Mapping[str, Any]) -> dict[str, Any] | None:
  """Returns what the page shows of payments; None where there are none.

  Returns:
    `heads`: titles of the columns. `rows`: kind, name and cells, each of which
    has lines of text: the amount, recall and precision and, of a quantile, how
    many alarms per day there are.
  """
  facts = results.get('money')
  if not facts:
    return None
  places = _shown(results)
  heads = [
    f'{wording.format_value(facts["alarms_per_day"][i])} alarms per day'
    for i in places
  ]
  heads += [
    f'above {describe.percent(q)} of normals' for q in facts['quantiles']
  ]
  rows = []
  for kind in ('methods', 'baselines'):
    for name in results[kind]:
      one = facts['methods'].get(name)
      if one:
        parts = [one['curve'][i] for i in places]
        cells = [_of_alarms(part) for part in parts]
        cells += [_of_quantile(part) for part in one['quantiles']]
        rows.append((kind, wording.label(name), cells))
  for name, curve in facts['references'].items():
    cells = [_of_alarms(curve[i]) for i in places]
    cells += [('',)] * len(facts['quantiles'])
    rows.append(('reference', REFERENCES[name], cells))
  return {'heads': heads, 'rows': rows}


def _amount(caught: Mapping[str, Any]) -> str:
  share = caught['amount_share']
  if share is None:
    return '—'
  return f'{caught["amount"]:,.0f} ({wording.share(share, 0)})'


def _of_alarms(caught: Mapping[str, Any]) -> tuple[str, ...]:
  precision = caught['precision']
  return (
    _amount(caught),
    f'recall {wording.share(caught["recall"])}',
    f'precision {"—" if precision is None else wording.share(precision)}',
  )


def _of_quantile(caught: Mapping[str, Any] | None) -> tuple[str, ...]:
  if caught is None:
    return '—', 'no held-out normals'
  alarms = wording.format_value(round(caught['alarms_per_day']))
  return *_of_alarms(caught), f'{alarms} alarms per day'


def sentences(results: Mapping[str, Any]) -> list[str]:
  """Says what the headline method catches with the set number of alarms."""
  facts, name = results.get('money'), results['headline']
  if not facts or name not in facts['methods']:
    return []
  fixed = float(results['config']['eval']['alarms_per_day'])
  place = facts['alarms_per_day'].index(fixed)
  caught = facts['methods'][name]['curve'][place]
  plain = facts['references']['amounts_first'][place]['amount_share']
  share = caught['amount_share']
  if share is None:
    return []
  return [
    f'With {fixed:,.0f} alarm{"" if fixed == 1 else "s"} per day it catches'
    f' {wording.share(caught["recall"])} of the frauds and'
    f' {wording.share(share)} of their amount'
    f' ({caught["amount"]:,.0f} of {facts["test"]["amount"]:,.0f}); as'
    f' many of the largest payments hold {wording.share(plain)}.'
  ]
