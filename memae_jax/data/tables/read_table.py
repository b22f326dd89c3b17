"""Reads users' tables, all files by one format; complaints name the place.

Training, evaluation and the scorer read through here; NumPy is enough.
"""

import difflib
import pathlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from memae_jax.data import labels, leaks
from memae_jax.data.tables import delimited, formats, numbers, parquet
from memae_jax.runtime import errors, foreign

SUFFIXES = ('.csv', '.csv.gz', '.parquet', '.pq', '.tsv', '.tsv.gz', '.txt')


class Options(NamedTuple):
  """How the files of a table are read.

  text: names of columns that are read as text: labels, categories, keys.
  optional: those of `text` that a file may lack, if another has it.
  drop: names of columns that are left out.
  keep: the only columns that are read, or None for all.
  separator, decimal, thousands: words for marks, see `delimited` and `numbers`;
    empty: guessed. encoding: a name that Python knows; empty: guessed.
  missing_marks: what stands for a missing value, beside the usual marks.
  formats: of numeric columns, where the files must have them; a column that it
    lacks is of plain numbers.
  """

  text: frozenset[str] = frozenset()
  optional: frozenset[str] = frozenset()
  drop: frozenset[str] = frozenset()
  keep: frozenset[str] | None = None
  separator: str = ''
  encoding: str = ''
  decimal: str = ''
  thousands: str = ''
  missing_marks: tuple[str, ...] = ()
  formats: Mapping[str, numbers.Format] | None = None

  def wants(self, name: str) -> bool:
    """Whether a column is read at all."""
    if self.keep is not None:
      return name in self.keep
    own = leaks.is_index(name) and name not in self.text
    return not own and name not in self.drop

  def is_text(self, name: str) -> bool:
    """Whether the cells of a column are text, whatever they look like."""
    return name in self.text or name.startswith('\x00')

  def is_no_text(self, cell: str) -> bool:
    """Whether a cell of a column of text holds no value."""
    return cell in numbers.MISSING or cell in self.missing_marks

  def is_no_number(self, cell: str) -> bool:
    """Whether a cell of a numeric column holds no value."""
    return numbers.is_missing(cell, self._folded_marks())

  def _folded_marks(self) -> frozenset[str]:
    return frozenset(mark.strip().casefold() for mark in self.missing_marks)

  def missing_numbers(self) -> list[float]:
    """The marks that are numbers, such as -999; they count by value."""
    return [float(m) for m in self.missing_marks if numbers.is_plain(m)]


class Table(NamedTuple):
  """One file.

  columns: float64 with NaN, or text with None, where missing.
  raw: as it was read, which knows the place of a row.
  """

  columns: dict[str, np.ndarray]
  raw: delimited.Raw


class Tables(NamedTuple):
  """The files of one table.

  formats: of the numeric columns that are no plain numbers.
  remarks: how they were read, a line each.
  """

  tables: list[Table]
  formats: dict[str, numbers.Format]
  remarks: tuple[str, ...]


def read(paths: Sequence[str], options: Options) -> Tables:
  """Reads text or parquet files, each column in one way over all of them.

  Args:
    paths: of the files.
    options: how.

  Raises:
    UserError: naming file, row and column of what is wrong.
  """
  raws = _raws([foreign.file(path) for path in paths], options)
  remarks = [line for raw in raws for line in raw.remarks]
  for raw in raws:
    _check_names(raw, options, raws)
  raws = [_without_index(raw, options, remarks) for raw in raws]
  raws = [_without_units(raw, options, remarks) for raw in raws]
  for raw in raws:
    if not raw.rows:
      raise errors.UserError(f'{foreign.name_of(raw.path)} has no rows of data')
  values, found = formats.read(raws, options, remarks)
  tables = [
    Table({name: values[i].get(name, cells)
           for name, cells in raw.columns.items()}, raw)
    for i, raw in enumerate(raws)
  ]  # fmt: skip
  return Tables(tables, found, tuple(dict.fromkeys(remarks)))


def _raws(files: list[pathlib.Path], options) -> list[delimited.Raw]:
  """Reads numbers at once where they are plain, else as text to look at.

  A semicolon goes with decimal commas: there even 1.234 is looked at.
  """
  known = options.formats or {}
  as_text = options.decimal == 'comma' or bool(known)
  raws = [_raw(file, options, as_text) for file in files]
  if any(raw is None or (raw.separator == ';' and not as_text) for raw in raws):
    raws = [_raw(file, options, True) for file in files]
  return raws


def _raw(file: pathlib.Path, options, as_text: bool) -> delimited.Raw | None:
  if file.suffix.lower() in ('.parquet', '.pq'):
    return parquet.read(file, options)
  return delimited.read(file, options, as_text)


def _check_names(raw: delimited.Raw, options: Options, raws) -> None:
  """Refuses a file that lacks a column, or has it by a name much like it."""
  needed = options.text | options.drop
  known = [key for key in raw.header if not key.startswith('\x00')]
  optional = options.optional
  if options.keep is not None:
    needed = options.keep
  else:
    optional = {
      name
      for name in optional
      if any(name in other.header for other in raws)
      and not difflib.get_close_matches(name, known, cutoff=0.8)
      and labels.alike(name) not in map(labels.alike, known)
    }
  for name in sorted(needed - optional):
    if name not in raw.header:
      raise errors.UserError(
        f'{foreign.name_of(raw.path)} has no column "{name}"'
        + errors.did_you_mean(name, known)
        + ''.join(f'; {r}' for r in raw.remarks if 'not UTF-8' in r)
      )


def _without_index(raw, options, remarks: list[str]) -> delimited.Raw:
  """Leaves out what pandas stores as an index, and says so."""
  if options.keep is not None:
    return raw
  path, left = foreign.name_of(raw.path), leaks.unnamed(raw)
  remarks += [f'{path}: {why}, is left out' for why in left.values()]
  own = [name for name in raw.header if leaks.is_index(name)]
  own += [name for name in raw.index if name in raw.columns]
  for name in dict.fromkeys(own):
    if name not in options.text and name not in options.drop:
      left[name] = name
      remarks.append(
        f'{path}: column "{name}" is an index of pandas and is left out; to'
        ' keep it, store it as a column of another name (reset_index)'
      )
  kept = {k: part for k, part in raw.columns.items() if k not in left}
  return raw._replace(columns=kept)


def _without_units(raw, options, remarks: list[str]) -> delimited.Raw:
  """Leaves out a first row that holds no number but units, as 'kg'."""
  numeric = {k: c for k, c in raw.columns.items() if not options.is_text(k)}
  if raw.lines is None or raw.rows < 2 or not numeric:
    return raw
  units = {}
  for name, cells in numeric.items():
    first = cells[0] if cells.dtype == object else ''
    if cells.dtype != object and not np.isnan(cells[0]):
      return raw
    if options.is_no_number(first):
      continue
    if numbers.is_number(first) or not _numbers_follow(cells[1:], options):
      return raw
    units[name] = first
  words = [part for name, part in raw.columns.items() if options.is_text(name)]
  if not units or any(
    part[0] is not None and part[0] in part[1:] for part in words
  ):
    return raw
  shown = ', '.join(f'{name} in {unit[:20]}' for name, unit in units.items())
  remarks.append(
    f'{foreign.name_of(raw.path)} {raw.place(0)} holds units and is left out:'
    f' {shown[:200]}'
  )
  rest = {name: part[1:] for name, part in raw.columns.items()}
  return raw._replace(columns=rest, lines=raw.lines[1:])


def _numbers_follow(cells, options) -> bool:
  known = [cell for cell in cells if not options.is_no_number(cell)]
  return bool(known) and all(map(numbers.is_number, known[:100]))
