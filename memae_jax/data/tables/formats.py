"""Number formats: one for each numeric column, over all files of a table."""

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np

from memae_jax.data.tables import delimited, numbers
from memae_jax.runtime import errors, foreign

_MOSTLY = 0.8  # Share of numbers from which on a column counts as numeric.
_WORD = {'.': 'point', ',': 'comma'}


class NeedsText(Exception):
  """Columns that were read as plain numbers may be something else."""


def read(
  raws: Sequence[delimited.Raw], options: Any, remarks: list[str]
) -> tuple[list[dict[str, np.ndarray]], dict[str, numbers.Format]]:
  """Reads the numeric columns.

  Args:
    raws: the files.
    options: a `read_table.Options`.
    remarks: list to which lines on how columns are read are added.

  Returns:
    For each file {column: [S] float64}; and {column: format} of the columns
    whose format is not plain.

  Raises:
    UserError: a column holds text, or can be read in two ways.
    NeedsText: a column may have a decimal comma, while others of a text file
      were read as plain numbers.
  """
  texts, marks = {}, collections.defaultdict(collections.Counter)
  for raw in raws:
    for name, counts in raw.marks.items():
      marks[name].update(counts)
  values = [{} for _ in raws]
  for raw in raws:
    for name, cells in raw.columns.items():
      if cells.dtype == object and not options.is_text(name):
        texts.setdefault(name, []).append(_known(cells, options, marks[name]))
  readings = _readings(raws, texts, options)
  for name, reading in readings.items():
    remaining = reading.values
    for raw, columns in zip(raws, values):
      if name in raw.columns and raw.columns[name].dtype == object:
        columns[name], remaining = np.split(remaining, [raw.rows])
  for raw, columns in zip(raws, values):
    for name, cells in raw.columns.items():
      if not options.is_text(name):
        column = columns.setdefault(name, cells)
        for mark in options.missing_numbers():
          count = int((column == mark).sum())
          if count:
            marks[name][f'{mark:g}'] += count
            columns[name] = column = np.where(column == mark, np.nan, column)
  remarks += _remarks(readings, raws) + _missing_remarks(marks)
  plain = numbers.Format()
  formats = {n: r.format for n, r in readings.items() if r.format != plain}
  return values, formats


def _known(cells, options, marks) -> list[str | None]:
  """Returns cells with None where they hold no value; counts their marks."""
  missing = {c: options.is_no_number(c) for c in dict.fromkeys(cells)}
  marks.update(cell for cell in cells if missing[cell])
  return [None if missing[cell] else cell for cell in cells]


def _readings(raws, texts, options) -> dict[str, numbers.Reading]:
  thousands = numbers.MARKS.get(options.thousands, '')
  cells = {name: sum(parts, []) for name, parts in texts.items()}
  if options.formats is not None:
    return _known_readings(raws, cells, options.formats, thousands)
  decimal = numbers.MARKS.get(options.decimal, '')
  ways = {
    name: numbers.ways(part, decimal, thousands) for name, part in cells.items()
  }
  bad = {name: cells[name] for name, way in ways.items() if way.decimal is None}
  if bad:
    raise _text_error(raws, bad, decimal, thousands)
  marks = {way.decimal for way in ways.values()}
  if marks & {',', '?'} and _has_plain(raws, options):
    raise NeedsText
  settled = marks & {'.', ','}
  separators = {raw.separator for raw in raws}
  readings, open_names = {}, []
  for name, way in ways.items():
    mark = _decimal_of(way, settled, separators)
    readings[name] = way.comma if mark == ',' else way.point
    if mark == '?':
      open_names.append(name)
  if open_names:
    raise _ambiguous_error(raws, open_names, cells, ways)
  return readings


def _has_plain(raws, options) -> bool:
  """Returns whether numeric columns of a text file are numbers already."""
  return any(
    cells.dtype != object and not options.is_text(name)
    for raw in raws
    for name, cells in raw.columns.items()
    if raw.lines is not None
  )


def _decimal_of(
  way: numbers.Ways, settled: set[str], separators: set[str]
) -> str:
  """Returns the decimal mark of a column; '?' if it stays open.

  Args:
    way: the column under each mark.
    settled: marks of the columns that can be read in one way only.
    separators: separators of the files.
  """
  mark = way.decimal
  if mark == '':
    return ',' if settled == {','} and way.comma else '.'
  if mark != '?':
    return mark
  if len(settled) == 1:
    return min(settled)
  if settled:
    return '?'
  if way.money_has_points:
    return '.'
  plain = not way.point.format.thousands
  if separators == {';'} and not way.comma.format.thousands:
    return ','
  return '.' if plain and ';' not in separators else '?'


def _known_readings(raws, cells, formats, thousands):
  """Reads columns by the formats of the training, as `_readings` does."""
  readings = {}
  for name, column_cells in cells.items():
    format = formats.get(name) or _plain(column_cells)
    try:
      readings[name] = numbers.read(
        column_cells, format.decimal, thousands, format
      )
    except numbers.Unreadable as error:
      why = error.why or (
        f'the training had numbers with decimal {_WORD[format.decimal]}'
      )
      raise errors.UserError(
        f'{_place(raws, name, error.cell)}: column "{name}" holds text,'
        f' "{error.cell[:40]}", but {why}'
      ) from None
  return readings


def _plain(cells) -> numbers.Format:
  """Returns the format of plain numbers; of truth values, that of words."""
  words = {cell.casefold() for cell in set(cells) if cell is not None}
  return numbers.Format(words=bool(words) and words <= {'true', 'false'})


def _place(raws, name: str, cell: str) -> str:
  """Returns the file and line of the first cell of a column with this text."""
  for raw in raws:
    cells = raw.columns.get(name, np.empty(0))
    rows = np.flatnonzero(cells == cell) if cells.dtype == object else ()
    if len(rows):
      return f'{foreign.name_of(raw.path)} {raw.place(rows[0])}'
  return foreign.name_of(raws[0].path)


def _text_error(
  raws, columns, decimal: str, thousands: str
) -> errors.UserError:
  """Returns the error for columns, {name: cells}, that hold text."""
  columns = {
    n: [c for c in cells if c is not None] for n, cells in columns.items()
  }
  numeric = {
    n: sum(map(numbers.is_number, cells)) for n, cells in columns.items()
  }
  of_text = {n: c for n, c in columns.items() if numeric[n] < _MOSTLY * len(c)}
  if not of_text:
    name, filled = next(iter(columns.items()))
    return _mixed_error(raws, name, filled, numeric[name], decimal, thousands)
  columns = of_text
  name, filled = next(iter(columns.items()))
  cell = next(
    cell for cell in filled if not _is_number_under(cell, decimal, thousands)
  )
  listed = ', '.join(f'"{name}"' for name in columns)
  hold = (
    f'columns {listed} hold' if len(columns) > 1 else f'column {listed} holds'
  )
  is_stored = {raw.separator for raw in raws} == {''}
  return errors.UserError(
    f'{_place(raws, name, cell)}: {hold} text'
    f'{" (type string)" if is_stored else ""}, "{cell[:40]}"; name each in'
    ' data.categorical_columns (a category), data.date_columns (a date) or'
    ' data.drop_columns (left out)'
  )


def _is_number_under(cell: str, decimal: str, thousands: str) -> bool:
  ways = numbers.ways([cell], decimal, thousands)
  return bool(ways.point or ways.comma)


def _mixed_error(raws, name, filled, numeric, decimal, thousands):
  """Returns the error for a column of numbers with a few other cells."""
  marks = [mark for mark in '.,' if decimal in ('', mark)]
  count = {mark: sum(_reads(cell, mark, thousands) for cell in filled)
           for mark in marks}  # fmt: skip
  mark = max(count, key=count.get)
  try:
    numbers.read(filled, mark, thousands)
  except numbers.Unreadable as error:
    cell, why = error.cell, error.why
  if not why and numbers.is_number(cell):
    why = f'{count[mark]} of {len(filled)} cells have a decimal {_WORD[mark]}'
  why = why or f'{numeric} of its {len(filled)} cells are numbers'
  return errors.UserError(
    f'{_place(raws, name, cell)}: column "{name}" holds "{cell[:40]}", but'
    f' {why}; mend the cell, name it in data.missing_marks if it stands for no'
    f' value, or leave the column out (data.drop_columns, drop={name})'
  )


def _reads(cell: str, mark: str, thousands: str) -> bool:
  try:
    return numbers.read([cell], mark, thousands) is not None
  except numbers.Unreadable:
    return False


def _ambiguous_error(raws, names, cells, ways) -> errors.UserError:
  """Returns the error for columns that a decimal point and a comma both fit."""
  name = names[0]
  way = ways[name]
  same = np.equal(way.point.values, way.comma.values)
  row = int(np.flatnonzero(~same & ~np.isnan(way.point.values))[0])
  cell = cells[name][row]
  point, comma = way.point.values[row], way.comma.values[row]
  others = f' (so do {", ".join(names[1:6])})' if names[1:] else ''
  return errors.UserError(
    f'{_place(raws, name, cell)}: column "{name}" can be read in two'
    f' ways{others}:'
    f' "{cell[:40]}" is {point:.12g} with'
    + (
      ' a thousands comma' if way.point.format.thousands else ' a decimal point'
    )
    + f', or {comma:.12g} with'
    + (
      ' a thousands point' if way.comma.format.thousands else ' a decimal comma'
    )
    + '; set data.decimal to "point" or "comma"'
  )


def _listed(names: Sequence[str]) -> str:
  listed = ', '.join(names[:8])
  return listed + (f' and {len(names) - 8} more' if len(names) > 8 else '')


def _remarks(readings, raws) -> list[str]:
  """Returns a remark for each format of columns that is not plain."""
  columns = {}
  for name, reading in readings.items():
    stored = any(not raw.separator and name in raw.columns for raw in raws)
    format = reading.describe() or ('numbers, stored as text' if stored else '')
    columns.setdefault(format, []).append(name)
  columns.pop('', None)
  return [
    f'read {_listed(names)} as {format}' for format, names in columns.items()
  ]


def _missing_remarks(marks) -> list[str]:
  """Returns a remark for each mark, except '', of missing values."""
  by_mark = {}
  for name, counts in marks.items():
    for mark, count in counts.items():
      if mark and count:
        by_mark.setdefault(mark, []).append(f'{count} in {name}')
  return [
    f'read "{mark}" as a missing value: {_listed(counts_by_column)}'
    for mark, counts_by_column in by_mark.items()
  ]
