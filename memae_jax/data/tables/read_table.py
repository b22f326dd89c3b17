"""Reads the files of a table, each column by one format over all files.

Training, evaluation and the scorer read through here. This module needs NumPy
only, and pyarrow for parquet files.
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
  """Options by which the files of a table are read.

  text: names of columns that are read as text: labels, categories, keys.
  optional: names in `text` that a file may lack, if another file has them.
  drop: names of columns that are left out.
  keep: names of the only columns that are read, or None for all.
  separator, decimal, thousands: names of marks, from `delimited.SEPARATORS` and
    `numbers.MARKS`; empty: guessed.
  encoding: a name that Python knows; empty: guessed.
  missing_marks: cells that stand for a missing value, beside the usual marks.
  formats: formats that numeric columns must have; columns that it lacks must
    hold plain numbers. None: formats are found from the cells.
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
    """Returns whether a column is read at all."""
    if self.keep is not None:
      return name in self.keep
    is_pandas_index = leaks.is_index(name) and name not in self.text
    return not is_pandas_index and name not in self.drop

  def is_text(self, name: str) -> bool:
    """Returns whether the cells of a column are text, even where all digits."""
    return name in self.text or name.startswith('\x00')

  def is_no_text(self, cell: str) -> bool:
    """Returns whether a cell in a column of text holds no value."""
    return cell in numbers.MISSING or cell in self.missing_marks

  def is_no_number(self, cell: str) -> bool:
    """Returns whether a cell in a numeric column holds no value."""
    return numbers.is_missing(cell, self._folded_marks())

  def _folded_marks(self) -> frozenset[str]:
    return frozenset(mark.strip().casefold() for mark in self.missing_marks)

  def missing_numbers(self) -> list[float]:
    """Returns the missing marks that are numbers, such as -999, as values."""
    return [float(m) for m in self.missing_marks if numbers.is_plain(m)]


class Table(NamedTuple):
  """One file of a table.

  columns: {name: [S] float64 with NaN, or text with None, where missing}.
  raw: the file before numbers were read from text; it knows the places of rows.
  """

  columns: dict[str, np.ndarray]
  raw: delimited.Raw


class Tables(NamedTuple):
  """Files of one table.

  tables: one for each file.
  formats: {column: format} of the numeric columns that are not plain numbers.
  remarks: lines on how the files were read.
  """

  tables: list[Table]
  formats: dict[str, numbers.Format]
  remarks: tuple[str, ...]


def read(paths: Sequence[str], options: Options) -> Tables:
  """Reads text or parquet files, each column by one format over all of them.

  Args:
    paths: paths of the files.
    options: columns to read, and formats of the files.

  Raises:
    UserError: a file is damaged, lacks a column or has a cell that cannot be
      read; names the file, row and column.
  """
  files = [foreign.file(path) for path in paths]
  # Marks of some columns decide what others mean, so these are text, too.
  is_marked = options.decimal == 'comma' or options.thousands
  try:
    return _tables(files, options, is_marked)
  except formats.NeedsText:
    return _tables(files, options, True)


def _tables(
  files: list[pathlib.Path], options: Options, all_text: bool
) -> Tables:
  """Reads files as `read` does.

  Args:
    files: paths of the files.
    options: see `read`.
    all_text: read all numeric columns of text files as text first.

  Raises:
    NeedsText: without `all_text` it stays open what numbers mean.
  """
  return of_raws(_raws(files, options, all_text), options)


def of_raws(raws: Sequence[delimited.Raw], options: Options) -> Tables:
  """Reads columns whose cells are known, see `read`.

  Args:
    raws: the files.
    options: see `read`.

  Raises:
    UserError: see `read`.
    NeedsText: cells that were read as plain numbers may be something else; not
      where `options.formats` are known.
  """
  remarks = [line for raw in raws for line in raw.remarks]
  for raw in raws:
    _check_names(raw, options, raws)
  raws = [_without_index(raw, options, remarks) for raw in raws]
  raws = [_without_units(raw, options, remarks) for raw in raws]
  for raw in raws:
    if not raw.rows:
      raise errors.UserError(
        f'{foreign.name_of(raw.path)} has no rows of data; give a file with'
        ' rows below the header'
      )
  values, column_formats = formats.read(raws, options, remarks)
  tables = [
    Table({name: values[i].get(name, cells)
           for name, cells in raw.columns.items()}, raw)
    for i, raw in enumerate(raws)
  ]  # fmt: skip
  return Tables(tables, column_formats, tuple(dict.fromkeys(remarks)))


class _Every:
  """A container that holds every name."""

  def __contains__(self, name) -> bool:
    return True


def _raws(
  files: list[pathlib.Path], options, all_text: bool
) -> list[delimited.Raw]:
  """Reads all files: plain columns as numbers, the others as text.

  Text takes ten times the memory. Files with semicolons often have decimal
  commas, so there even 1.234 may not be what it looks like: unless formats are
  known, all their columns are text.
  """
  as_text = _Every() if all_text else frozenset(options.formats or ())
  raws = [_raw(file, options, as_text) for file in files]
  if all_text:
    return raws
  if options.formats is None and any(raw.separator == ';' for raw in raws):
    return [_raw(file, options, _Every()) for file in files]
  failed = frozenset().union(*(raw.failed for raw in raws))
  if not failed:
    return raws
  return [_with_text(raw, file, options, failed)
          for raw, file in zip(raws, files)]  # fmt: skip


def _with_text(raw, file, options, names: frozenset[str]) -> delimited.Raw:
  """Returns a file with some of its numeric columns as text."""
  names = names & set(raw.header)
  if raw.lines is None or not names:
    return raw
  text = _raw(file, options._replace(keep=names), names).columns
  columns = {**raw.columns, **text}
  columns = {name: columns[name] for name in raw.header if name in columns}
  marks = {n: found for n, found in raw.marks.items() if n not in names}
  return raw._replace(columns=columns, marks=marks)


def _raw(file: pathlib.Path, options, as_text) -> delimited.Raw:
  if file.suffix.lower() in ('.parquet', '.pq'):
    return parquet.read(file, options)
  return delimited.read(file, options, as_text)


def _check_names(raw: delimited.Raw, options: Options, raws) -> None:
  """Raises UserError if a file lacks a column, or has it by a similar name.

  Args:
    raw: the file.
    options: its options, with the names of columns that it must have.
    raws: all files of the table.
  """
  needed = options.text | options.drop
  names = [key for key in raw.header if not key.startswith('\x00')]
  optional = options.optional
  if options.keep is not None:
    needed = options.keep
  else:
    optional = {
      name
      for name in optional
      if any(name in other.header for other in raws)
      and not difflib.get_close_matches(name, names, cutoff=0.8)
      and labels.alike(name) not in map(labels.alike, names)
    }
  for name in sorted(needed - optional):
    if name not in raw.header:
      raise errors.UserError(
        f'{foreign.name_of(raw.path)} has no column "{name}"'
        + errors.did_you_mean(name, names)
        + ''.join(f'; {r}' for r in raw.remarks if 'not UTF-8' in r)
      )


def _without_index(raw, options, remarks: list[str]) -> delimited.Raw:
  """Leaves out the columns that pandas stored as an index; adds remarks."""
  if options.keep is not None:
    return raw
  path, left_out = foreign.name_of(raw.path), leaks.unnamed(raw)
  remarks += [f'{path}: {why}, is left out' for why in left_out.values()]
  index_names = [name for name in raw.header if leaks.is_index(name)]
  index_names += [name for name in raw.index if name in raw.columns]
  for name in dict.fromkeys(index_names):
    if name not in options.text and name not in options.drop:
      left_out[name] = name
      remarks.append(
        f'{path}: column "{name}" is an index of pandas and is left out; to'
        ' keep it, store it as a column of another name (reset_index)'
      )
  columns = {k: part for k, part in raw.columns.items() if k not in left_out}
  return raw._replace(columns=columns)


def _without_units(raw, options, remarks: list[str]) -> delimited.Raw:
  """Leaves out a first row that has units such as 'kg' in place of numbers."""
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
  texts = [cells for k, cells in raw.columns.items() if options.is_text(k)]
  if not units or any(
    cells[0] is not None and cells[0] in cells[1:] for cells in texts
  ):
    return raw
  listed = ', '.join(f'{name} in {unit[:20]}' for name, unit in units.items())
  remarks.append(
    f'{foreign.name_of(raw.path)} {raw.place(0)} holds units and is left out:'
    f' {listed[:200]}'
  )
  columns = {name: part[1:] for name, part in raw.columns.items()}
  return raw._replace(columns=columns, lines=raw.lines[1:])


def _numbers_follow(cells, options) -> bool:
  filled = [cell for cell in cells if not options.is_no_number(cell)]
  return bool(filled) and all(map(numbers.is_number, filled[:100]))
