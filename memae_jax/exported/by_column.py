"""Contributions of columns of a table to the scores of an exported scorer."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from memae_jax.data import types
from memae_jax.data.tables import contributions
from memae_jax.runtime import errors, spreadsheet

# Entry of `score` in meta.json: why there are no contributions, or ''.
REFUSAL = 'no_columns'


def added(meta: Mapping[str, Any], maps: np.ndarray | None) -> np.ndarray:
  """Returns what each of K columns adds to the scores: [B, K] float64.

  Args:
    meta: content of meta.json.
    maps: [B, D] `errors` of the program, or None.

  Raises:
    UserError: the score is no sum over columns; says which score it is.
  """
  check(meta)
  return contributions.by_column(maps, columns(meta))


def columns(meta: Mapping[str, Any]) -> list[types.Column]:
  """Returns the columns of the training table."""
  return types.columns_of_json(meta['input']['columns'])


def check(meta: Mapping[str, Any]) -> None:
  """Raises UserError if the score of a scorer is no sum over columns."""
  why = meta['score'].get(REFUSAL)
  if why is None:
    raise errors.UserError(
      'an earlier version exported the scorer, which does not say whether its'
      ' score is a sum over columns; export the run again'
    )
  if why:
    raise errors.UserError(
      f'there are no contributions of columns: {why}; use an autoencoder, PCA'
      ' or a bank of rows'
    )


def cells(
  found: np.ndarray, names: list[str], count: int
) -> tuple[list[str], list[list[Any]]]:
  """Returns titles and cells of the strongest columns of each row.

  Args:
    found: from `added`.
    names: of the columns.
    count: how many are wanted.
  """
  strongest = contributions.strongest(found, count)
  rows = [contributions.cells(strongest, i, names) for i in range(len(found))]
  return contributions.titles(strongest.index.shape[1]), rows


def as_csv(
  places: Mapping[str, list[Any]],
  score: np.ndarray,
  found: np.ndarray,
  names: list[str],
) -> str:
  """Returns CSV text of what each column adds to the score of each row.

  Args:
    places: by which rows are found, see `scorer.Scorer.read_places`.
    score: [B].
    found: [B, K] from `added`.
    names: [K] of the columns.
  """
  lines = zip(*places.values(), score.tolist(), *np.float32(found).T.tolist())
  return spreadsheet.text([(*places, 'score', *names), *lines])
