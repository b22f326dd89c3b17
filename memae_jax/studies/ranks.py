"""Ranks of methods over data sets: who is ahead, whatever the data are."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.stats

from memae_jax.evaluation.metrics import registry
from memae_jax.evaluation.report import wording

_RESAMPLES = 2000


def collect(
  rows: Sequence[Mapping[str, Any]],
  baselines: Sequence[Mapping[str, Any]],
  metric: str,
  field: str,
) -> dict[str, Any] | None:
  """Returns the mean ranks of the methods of a study.

  On each data set the best has rank 1, and equal ones share their ranks; a rank
  counts a data set as much as any other, however far its values are apart.

  Args:
    rows: of the points, from `table.collect`.
    baselines: of the run of each row, {name: summary of metrics}.
    metric: that is ranked.
    field: whose values are the data sets; '': there are no ranks.

  Returns:
    metric; sets, how many have all methods; left_out, those that have not, with
    what they lack; and methods, from the best to the worst: name, rank, ci95
    (a bootstrap over the data sets, None of fewer than three), first (how often
    it is the best), mean (of the metric). None without a field.
  """
  if not field:
    return None
  values: dict[str, dict[str, float]] = {}
  for row, of_run in zip(rows, baselines, strict=True):
    of_set = values.setdefault(str(row['fields'].get(field)), {})
    _add(of_set, _name(row['fields'], field), row['metrics'].get(metric))
    for name, summary in of_run.items():
      if name != 'random':
        _add(of_set, wording.label(name), summary.get(metric))
  names = list(dict.fromkeys(n for of_set in values.values() for n in of_set))
  lacks = {
    key: [name for name in names if name not in of_set]
    for key, of_set in values.items()
  }
  whole = [key for key in values if names and not lacks[key]]
  table = np.array([[values[key][name] for name in names] for key in whole])
  return {
    'metric': metric,
    'sets': len(whole),
    'left_out': {key: lacks[key] for key in values if key not in whole},
    'methods': _methods(table, names, metric) if whole else [],
  }


def _add(of_set: dict[str, float], name: str, summary) -> None:
  if summary and summary.get('mean') is not None:
    of_set[name] = summary['mean']


def _name(fields: Mapping[str, Any], field: str) -> str:
  """Returns the name of a method: its variant, and what else varies."""
  others = [
    f'{k}={v}' for k, v in fields.items() if k not in (field, 'variant')
  ]
  label = wording.label(fields['variant']) if 'variant' in fields else ''
  return ', '.join(filter(None, [label, *others])) or 'base'


def _methods(table: np.ndarray, names, metric: str) -> list[dict[str, Any]]:
  """Returns the entries of methods, of their values [sets, methods]."""
  sign = 1 if registry.find(metric).lower_is_better else -1
  ranks = scipy.stats.rankdata(sign * table, axis=1)
  drawn = np.random.default_rng(0).integers(
    len(table), size=(_RESAMPLES, len(table))
  )
  ends = np.quantile(ranks[drawn].mean(axis=1), (0.025, 0.975), axis=0)
  order = np.argsort(ranks.mean(axis=0), kind='stable').tolist()
  return [
    {
      'name': names[i],
      'rank': float(ranks[:, i].mean()),
      'ci95': ends[:, i].tolist() if len(table) > 2 else None,
      'first': int((ranks[:, i] == ranks.min(axis=1)).sum()),
      'mean': float(table[:, i].mean()),
    }
    for i in order
  ]


def cells(found: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
  """Returns heads and rows of the table of ranks, as text.

  Args:
    found: from `collect`.
  """
  title = wording.title(found['metric'])
  heads = ['method', 'mean rank', '95% interval', 'best on', f'mean {title}']
  rows = [
    [
      one['name'],
      f'{one["rank"]:.2f}',
      '[{:.2f}, {:.2f}]'.format(*one['ci95']) if one['ci95'] else '—',
      str(one['first']),
      f'{one["mean"]:.4f}',
    ]
    for one in found['methods']
  ]
  return heads, rows


def note(found: Mapping[str, Any]) -> str:
  """Says over how many data sets the ranks are, and which are left out."""
  out = f'Ranks over {found["sets"]} data sets, the best is 1.'
  if found['sets'] < 3:
    out += ' Fewer than three have no interval.'
  for name, lacks in found['left_out'].items():
    short = pathlib.PurePath(name).name
    out += f' {short} is left out, as it lacks {", ".join(lacks) or "values"}.'
  return out
