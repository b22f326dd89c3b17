"""Columns of dates of users' tables: text becomes days, days become inputs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.data.tables import dates, read_table
from memae_jax.runtime import errors, foreign


def read(
  tables: Sequence[read_table.Table],
  names: Sequence[str],
  options: read_table.Options,
  order: str = '',
  formats: Mapping[str, dates.Format] | None = None,
) -> dict[str, dates.Format]:
  """Replaces the text of columns of dates by days since 1970.

  Args:
    tables: the files, whose `columns` are changed: [S] float64, NaN where a
      date is missing.
    names: of the columns.
    options: by which the files were read.
    order: see `dates.read`.
    formats: those of the training; None: they are found from the cells.

  Returns:
    The format of each column, one over all files.

  Raises:
    UserError: a cell is no date, or can be read in two ways; names the file,
      row and column.
  """
  found = {}
  for name in names:
    with_it = [table for table in tables if name in table.columns]
    parts = [_known(table.columns[name], options) for table in with_it]
    cells = [cell for part in parts for cell in part]
    expected = formats[name] if formats else None
    try:
      days, found[name] = dates.read(cells, order, expected)
    except dates.Unreadable as error:
      raise errors.UserError(
        f'{_place(with_it, name, error.cell)}: column "{name}" of dates holds'
        f' "{error.cell[:40]}", but {error.why}; mend the cell, or name it in'
        ' data.missing_marks if it stands for no value'
      ) from None
    except dates.Ambiguous as error:
      raise errors.UserError(
        f'{_place(with_it, name, error.cell)}: column "{name}" can be read in'
        f' two ways: "{error.cell}" is {error.day} with the day first, or'
        f' {error.month} with the month first; set data.date_order to "day" or'
        ' "month"'
      ) from None
    for table, part in zip(with_it, parts):
      table.columns[name], days = np.split(days, [len(part)])
  return found


def _known(cells, options: read_table.Options) -> list[str | None]:
  """Returns cells with None where they hold no value."""
  missing = {
    c: c is None or options.is_no_number(c) for c in dict.fromkeys(cells)
  }
  return [None if missing[cell] else cell for cell in cells]


def _place(tables, name: str, cell: str) -> str:
  """Returns the file and line of the first cell of a column with this text."""
  for table in tables:
    rows = np.flatnonzero(table.columns[name] == cell)
    if len(rows):
      place = table.raw.place(int(rows[0]))
      return f'{foreign.name_of(table.raw.path)} {place}'
  return foreign.name_of(tables[0].raw.path)


def columns(
  formats: Mapping[str, dates.Format], parts: Sequence[str]
) -> dict[str, tuple[str, ...]]:
  """Returns the names of the inputs of each column, see `dates.names`.

  Args:
    formats: from `read`.
    parts: `data.date_parts`.

  Raises:
    UserError: a column would have no input.
  """
  out = {
    name: dates.names(parts, format.timed) for name, format in formats.items()
  }
  for name, inputs in out.items():
    if not inputs:
      raise errors.UserError(
        f'column "{name}" has no time of day, but data.date_parts is'
        f' {",".join(parts) or "empty"}; add days, weekday or season'
      )
  return out


def remarks(
  formats: Mapping[str, dates.Format], inputs: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
  """Returns a line on each column: how it was read, and what it becomes."""
  return tuple(
    f'read {name} as dates with {format.describe()}: {", ".join(inputs[name])}'
    for name, format in formats.items()
  )


def to_json(formats: Mapping[str, dates.Format]) -> dict[str, Any]:
  """Returns formats as JSON types; `from_json` restores them."""
  return {name: format._asdict() for name, format in formats.items()}


def from_json(stored: Mapping[str, Any]) -> dict[str, dates.Format]:
  """Returns the formats that `to_json` wrote."""
  return {name: dates.Format(**fields) for name, fields in stored.items()}
