"""The report's list of the samples with the highest scores."""

from collections.abc import Mapping
from typing import Any

from memae_jax.evaluation.report import wording

_STRONGEST = 'strongest'  # Key of the columns of a row of a table.
_TITLES = {_STRONGEST: 'columns, their shares and values'}


def table(
  results: Mapping[str, Any],
) -> list[tuple[str, list[str], list[list[str]]]]:
  """Returns variant, columns and rows of the samples with highest scores."""
  return [
    (
      wording.label(variant),
      [_TITLES.get(key, key) for key in listed['rows'][0]],
      [[_cell(*pair) for pair in row.items()] for row in listed['rows']],
    )
    for variant, listed in results['highest'].items()
    if listed['rows']
  ]


def _cell(key: str, value: Any) -> str:
  if key == _STRONGEST:
    return ', '.join(map(column, value))
  # Whole numbers are rows and frames: no commas, as people look them up.
  return str(value) if type(value) is int else wording.format_value(value)


def column(one: Mapping[str, Any]) -> str:
  """Writes name, share and value of a column that made a score high."""
  return f'{one["column"]} {wording.share(one["share"])} ({one["value"]})'


def names_columns(results: Mapping[str, Any]) -> bool:
  """Returns whether any row has columns that made its score high."""
  return any(
    _STRONGEST in row
    for listed in results['highest'].values()
    for row in listed['rows']
  )


def without_columns(results: Mapping[str, Any]) -> list[str]:
  """Returns a sentence on each variant whose scores name no columns."""
  return [
    f'{wording.label(variant)} names no columns, as {listed["no_columns"]}.'
    for variant, listed in results['highest'].items()
    if 'no_columns' in listed
  ]
