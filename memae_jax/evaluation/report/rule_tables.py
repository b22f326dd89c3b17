"""Tables of score rules: all of them, and the one chosen without test data."""

from collections.abc import Mapping
from typing import Any

from memae_jax import losses
from memae_jax.evaluation.report import tables, wording


def rules(results: Mapping[str, Any]) -> list[tuple[str, list[tables.Cell]]]:
  """Returns a row for each rule of scores: its title, AUROC of each method.

  Of videos the AUROC is normalised in each video.
  """
  methods = results['rules'].values()
  metric = 'auroc_normalised' if results['videos'] else 'auroc'
  names = dict.fromkeys(rule for summaries in methods for rule in summaries)
  score = results['score']['name']
  return [
    (
      losses.find(rule).title + (' (the score)' if rule == score else ''),
      [
        tables.cell(summaries.get(rule, {}).get(metric), tables.digits(results))
        for summaries in methods
      ],
    )
    for rule in (names if len(names) > 1 else ())
  ]


def chosen(
  results: Mapping[str, Any],
) -> list[tuple[str, list[tables.Cell], str]]:
  """Returns a row for each method whose score was chosen without test data.

  Returns:
    Its name; cells of its AUROC, that by the fixed rule, and the rank
    correlation of the selector; how many replicas took which rule.
  """
  rows = []
  for name, of_method in results['chosen'].items():
    metrics, taken = of_method['metrics'], of_method['rules']
    fixed = results['methods'][name].get('auroc')
    cells = [tables.cell(metrics.get('auroc'), tables.digits(results))]
    cells += [tables.cell(fixed, tables.digits(results))]
    cells += [tables.cell(metrics.get('rank_correlation'), 2)]
    order = sorted(taken, key=taken.get, reverse=True)
    words = [f'{losses.find(rule).title} ({taken[rule]})' for rule in order]
    rows.append((wording.label(name), cells, '; '.join(words)))
  return rows
