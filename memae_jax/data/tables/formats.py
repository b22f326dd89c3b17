"""One format for each numeric column, over all files of a table."""

import collections
from collections.abc import Sequence
from typing import Any

import numpy as np

from memae_jax.data.tables import delimited, numbers
from memae_jax.runtime import errors, foreign

_MOSTLY = 0.8  # Share of numbers from which a column is meant to be numeric.
_WORD = {'.': 'point', ',': 'comma'}


def read(
  raws: Sequence[delimited.Raw], options: Any, remarks: list[str]
) -> tuple[list[dict[str, np.ndarray]], dict[str, numbers.Format]]:
  """Reads the numeric columns.

  Args:
    raws: the files.
    options: `readers.Options`.
    remarks: how columns are read is added to it.

  Returns:
    The values [S] float64 in each file, and the formats that are not plain.

  Raises:
    UserError: a column is no numbers, or reads two ways.
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
    rest = reading.values
    for raw, found in zip(raws, values):
      if name in raw.columns and raw.columns[name].dtype == object:
        found[name], rest = np.split(rest, [raw.rows])
  for raw, found in zip(raws, values):
    for name, cells in raw.columns.items():
      if not options.is_text(name):
        column = found.setdefault(name, cells)
        for mark in options.missing_numbers():
          count = int((column == mark).sum())
          if count:
            marks[name][f'{mark:g}'] += count
            found[name] = column = np.where(column == mark, np.nan, column)
  remarks += _said(readings, raws) + _said_missing(marks)
  plain = numbers.Format()
  formats = {n: r.format for n, r in readings.items() if r.format != plain}
  return values, formats


def _known(cells, options, marks) -> list[str | None]:
  """The cells of a column of text, None where they hold no value."""
  missing = {c: options.is_no_number(c) for c in dict.fromkeys(cells)}
  marks.update(cell for cell in cells if missing[cell])
  return [None if missing[cell] else cell for cell in cells]


def _readings(raws, texts, options) -> dict[str, numbers.Reading]:
  thousands = numbers.MARKS.get(options.thousands, '')
  cells = {name: sum(parts, []) for name, parts in texts.items()}
  if options.formats is not None:
    return _as_known(raws, cells, options.formats, thousands)
  decimal = numbers.MARKS.get(options.decimal, '')
  ways = {
    name: numbers.ways(part, decimal, thousands) for name, part in cells.items()
  }
  bad = {name: cells[name] for name, way in ways.items() if way.decimal is None}
  if bad:
    raise _no_numbers(raws, bad, decimal, thousands)
  settled = {way.decimal for way in ways.values()} & {'.', ','}
  separators = {raw.separator for raw in raws}
  readings, open_names = {}, []
  for name, way in ways.items():
    mark = _settle(way, settled, separators)
    readings[name] = way.comma if mark == ',' else way.point
    if mark == '?':
      open_names.append(name)
  if open_names:
    raise _two_ways(raws, open_names, cells, ways)
  return readings


def _settle(way: numbers.Ways, settled: set[str], separators: set[str]) -> str:
  """The decimal mark of a column, also by the others; '?' if it stays open."""
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


def _as_known(raws, cells, formats, thousands):
  readings = {}
  for name, part in cells.items():
    known = formats.get(name, numbers.Format())
    try:
      readings[name] = numbers.read(part, known.decimal, thousands, known)
    except numbers.Unreadable as error:
      why = error.why or (
        f'the training had numbers with decimal {_WORD[known.decimal]}'
      )
      raise errors.UserError(
        f'{_place(raws, name, error.cell)}: column "{name}" holds text,'
        f' "{error.cell[:40]}", but {why}'
      ) from None
  return readings


def _place(raws, name: str, cell: str) -> str:
  """The file and line of the first such cell of a column."""
  for raw in raws:
    cells = raw.columns.get(name, np.empty(0))
    rows = np.flatnonzero(cells == cell) if cells.dtype == object else ()
    if len(rows):
      return f'{foreign.name_of(raw.path)} {raw.place(rows[0])}'
  return foreign.name_of(raws[0].path)


def _no_numbers(raws, bad, decimal: str, thousands: str) -> errors.UserError:
  """What to say of columns, {name: cells}, that hold more than numbers."""
  bad = {n: [c for c in cells if c is not None] for n, cells in bad.items()}
  count = {n: sum(map(numbers.is_number, cells)) for n, cells in bad.items()}
  words = {n: c for n, c in bad.items() if count[n] < _MOSTLY * len(c)}
  if not words:
    name, known = next(iter(bad.items()))
    return _some_text(raws, name, known, count[name], decimal, thousands)
  bad = words
  name, known = next(iter(bad.items()))
  cell = next(cell for cell in known if not _is_one(cell, decimal, thousands))
  names = ', '.join(f'"{name}"' for name in bad)
  what = f'columns {names} hold' if len(bad) > 1 else f'column {names} holds'
  kinds = {raw.separator for raw in raws} == {''}
  return errors.UserError(
    f'{_place(raws, name, cell)}: {what} {"string, " if kinds else ""}text,'
    f' "{cell[:40]}"; name each in data.categorical_columns (a category) or'
    ' data.drop_columns (left out)'
  )


def _is_one(cell: str, decimal: str, thousands: str) -> bool:
  ways = numbers.ways([cell], decimal, thousands)
  return bool(ways.point or ways.comma)


def _some_text(raws, name, known, numeric, decimal, thousands):
  """A column of numbers but for some cells, or of several formats."""
  marks = [mark for mark in '.,' if decimal in ('', mark)]
  count = {mark: sum(_reads(cell, mark, thousands) for cell in known)
           for mark in marks}  # fmt: skip
  mark = max(count, key=count.get)
  try:
    numbers.read(known, mark, thousands)
  except numbers.Unreadable as error:
    cell, why = error.cell, error.why
  if not why and numbers.is_number(cell):
    why = f'{count[mark]} of {len(known)} cells have a decimal {_WORD[mark]}'
  why = why or f'{numeric} of its {len(known)} cells are numbers'
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


def _two_ways(raws, names, cells, ways) -> errors.UserError:
  name = names[0]
  way = ways[name]
  same = np.equal(way.point.values, way.comma.values)
  row = int(np.flatnonzero(~same & ~np.isnan(way.point.values))[0])
  cell = cells[name][row]
  point, comma = way.point.values[row], way.comma.values[row]
  more = f' (so do {", ".join(names[1:6])})' if names[1:] else ''
  return errors.UserError(
    f'{_place(raws, name, cell)}: column "{name}" reads two ways{more}:'
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


def _names(names: Sequence[str]) -> str:
  shown = ', '.join(names[:8])
  return shown + (f' and {len(names) - 8} more' if len(names) > 8 else '')


def _said(readings, raws) -> list[str]:
  """A remark for each way in which columns are read that is not plain."""
  how = {}
  for name, reading in readings.items():
    stored = any(not raw.separator and name in raw.columns for raw in raws)
    words = reading.said() or ('numbers, stored as text' if stored else '')
    how.setdefault(words, []).append(name)
  how.pop('', None)
  return [f'read {_names(names)} as {words}' for words, names in how.items()]


def _said_missing(marks) -> list[str]:
  """A remark for each mark, other than an empty cell, of a missing value."""
  by_mark = {}
  for name, counts in marks.items():
    for mark, count in counts.items():
      if mark and count:
        by_mark.setdefault(mark, []).append(f'{count} in {name}')
  return [
    f'read "{mark}" as a missing value: {_names(where)}'
    for mark, where in by_mark.items()
  ]
