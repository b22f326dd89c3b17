"""Columns of tables that a scorer takes, and what they add to scores."""

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


def inputs(meta: Mapping[str, Any]) -> list[str]:
  """Returns the names of the inputs of a network, by `input` of meta.json."""
  columns = types.columns_of_json(meta['columns'])
  return [name for column in columns for name in column.inputs]


def of_frame(samples: Any, meta: Mapping[str, Any], where: str = '') -> Any:
  """Returns the rows of a data frame as the inputs of a network, [B, D].

  Args:
    samples: a frame of pandas or polars, or anything else, which stays. Its
      columns are those of the training table, of which others are left out; or
      encoded ones. A frame that has none of either is taken as it is, as is one
      whose columns have no names.
    meta: `input` of meta.json.
    where: begins an error message.

  Raises:
    UserError: encoded columns are others, or stand there twice; or a value of
      other ones is missing or unknown.
  """
  if not hasattr(samples, 'columns'):
    return samples
  from memae_jax.data.tables import frames  # Arrays need nothing of it.

  if frames.is_raw(samples, meta):
    return frames.encoded(samples, meta)
  names = inputs(meta)
  given = [c for c in samples.columns if isinstance(c, str)]
  if not {*given} & {*names}:
    return samples
  for kind, odd in (
    ('lack', [name for name in names if name not in given]),
    ('have twice', [name for name in names if given.count(name) > 1]),
  ):
    if odd:
      raise errors.UserError(
        f'{where}samples {kind} column "{odd[0]}"'
        + (f' and {len(odd) - 1} more' if odd[1:] else '')
        + f'; give {len(names)} columns, encoded as the network takes them'
      )
  return np.stack([np.asarray(samples[name]) for name in names], axis=1)


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
