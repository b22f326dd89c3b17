"""Text files of tables: csv and its kin, of any encoding and separator."""

import collections
import csv
import io
import itertools
import pathlib
from typing import NamedTuple

import numpy as np

from memae_jax.data.tables import encodings, numbers
from memae_jax.runtime import errors, foreign

SEPARATORS = {
  'comma': ',',
  'semicolon': ';',
  'tab': '\t',
  'bar': '|',
  'blank': ' ',
}
_BLOCK = 1000  # Rows that are held as Python strings at once.
_SAMPLE = 2**16  # Characters that the separator is guessed from.


class _NotPlain(Exception):
  """A numeric column holds what NumPy does not read as a number."""


class Raw(NamedTuple):
  """The columns of one file.

  header: the names of all columns, also of those that are left out.
  columns: [S] each: float64 with NaN where missing, or text without blanks
    around it, None where a column of text has no value.
  place: of a row, such as 'line 7' of the file, for messages.
  separator: between cells; '' where the file has no text.
  remarks: how it was read.
  index: names of the columns that pandas stored as an index.
  marks: {column: {mark: cells}} of plain columns, where marks stand for
    missing values.
  """

  path: str
  header: tuple[str, ...]
  columns: dict[str, np.ndarray]
  lines: np.ndarray | None = None
  separator: str = ''
  remarks: tuple[str, ...] = ()
  index: tuple[str, ...] = ()
  marks: dict[str, dict[str, int]] = {}

  def place(self, row: int) -> str:
    """Where a row stands in the file."""
    if self.lines is None:
      return f'row {row}'
    return f'line {self.lines[row]}'

  @property
  def rows(self) -> int:
    """How many there are."""
    return len(next(iter(self.columns.values()), ()))


def read(path: pathlib.Path, options, as_text: bool) -> Raw | None:
  """Reads a text file, packed by gzip or not.

  Args:
    path: of the file.
    options: `readers.Options`.
    as_text: numeric columns come as the text of their cells, else as numbers.

  Returns:
    the columns, or None where one is no plain numbers: to be read as text.

  Raises:
    UserError: naming file, line and what is wrong.
  """
  with foreign.reading(path, _kind(path), _mend(path)):
    encoding, said = options.encoding, ()
    if not encoding:
      encoding, said = encodings.guess(path)
    try:
      return _table(path, encoding, said, options, as_text)
    except (UnicodeDecodeError, LookupError) as error:
      raise errors.UserError(
        f'{foreign.name_of(path)} is not text of data.encoding "{encoding}"'
        f' ({foreign.reason(error)}); name another, or leave it empty'
      ) from error


def _kind(path: pathlib.Path) -> str:
  return 'gzip file of csv' if path.suffix.lower() == '.gz' else 'csv'


def _mend(path: pathlib.Path) -> str:
  packed = path.suffix.lower() == '.gz'
  return 'copy or pack it again' if packed else 'mend or save it again'


def _table(path, encoding, said, options, as_text) -> Raw | None:
  with _text(path, encoding) as file:
    sample = file.read(_SAMPLE)
  if '\x00' in sample[:1]:
    raise errors.UserError(f'{foreign.name_of(path)} is no text')
  skipped = _comments(sample)
  if skipped:
    said += (
      f'{foreign.name_of(path)}: comments at the top ({skipped} lines) are'
      ' left out',
    )
    sample = ''.join(sample.splitlines(keepends=True)[skipped:])
  declared = sample.partition('\n')[0].strip().lower()
  if declared.startswith('sep=') and len(declared) == 5:  # Of Excel.
    skipped, mark = skipped + 1, declared[4]
  else:
    mark = SEPARATORS.get(options.separator) or _separator(sample)
  if mark != ',' and not options.separator:
    word = {v: k for k, v in SEPARATORS.items()}.get(mark, f'"{mark}"')
    said += (f'read {foreign.name_of(path)} with separator {word}',)
  with _text(path, encoding) as file:
    lines = iter(file)
    for _ in range(skipped):
      next(lines)
    if mark == ' ':
      lines = (' '.join(line.split()) + '\n' for line in lines)
    try:
      reader = csv.reader(lines, strict=True, delimiter=mark)
      raw = _columns(path, reader, options, as_text, skipped)
    except _NotPlain:
      return None
    except csv.Error as error:
      raise errors.UserError(
        f'{foreign.name_of(path)} is no readable csv: {error}'
      ) from error
  return raw._replace(separator=mark, remarks=(*said, *raw.remarks))


def _text(path, encoding) -> io.TextIOWrapper:
  return io.TextIOWrapper(foreign.opened(path), encoding, newline='')


def _comments(sample: str) -> int:
  """Lines at the top that begin with "#", but for one that names columns.

  Such a one, as NumPy writes it, stands before numbers and has as many cells.
  """
  lines = sample.splitlines()
  count = len(list(itertools.takewhile(lambda x: x.startswith('#'), lines)))
  if not 0 < count < len(lines):
    return 0
  mark = _separator('\n'.join(lines[count:]))
  last, after = (lines[i].split(mark) for i in (count - 1, count))
  names = len(last) == len(after) and any(map(numbers.is_number, after))
  return count - names


def _separator(sample: str) -> str:
  """The mark that parts header and rows into like numbers of cells.

  Of several, the one that leaves the most numbers; then the comma.
  """
  lines = sample.splitlines(keepends=True)
  if len(sample) == _SAMPLE and len(lines) > 1:
    lines.pop()  # It may be cut.
  fits, widest = {}, {}
  for mark in ',;\t|':
    try:
      rows = list(itertools.islice(csv.reader(lines, delimiter=mark), 50))
    except csv.Error:
      continue
    rows = [row for row in rows if row]
    width = len(rows[0]) if rows else 0
    widest[mark] = width
    if width > 1 and {len(row) for row in rows} == {width}:
      cells = [cell.strip() for row in rows[1:] for cell in row]
      fits[mark] = sum(map(numbers.is_number, cells)) / max(len(cells), 1)
  if fits:
    return max(fits, key=fits.get)
  mark = max(widest, key=widest.get, default=',')
  return mark if widest.get(mark, 0) > 1 else _blank(lines)


def _blank(lines: list[str]) -> str:
  """A blank, if rows of one cell become rows of several numbers by it."""
  rows = [line.split() for line in lines[:50] if line.strip()]
  widths = {len(row) for row in rows}
  whole = [line.strip() for line in lines[1:50] if line.strip()]
  if len(widths) == 1 and widths != {1} and len(rows) > 1:
    if not any('"' in line or numbers.is_number(line) for line in whole):
      cells = [cell for row in rows[1:] for cell in row]
      if 2 * sum(map(numbers.is_number, cells)) >= len(cells):
        return ' '
  return ','


def check_header(path, header: list[str]) -> None:
  """Refuses names that stand twice, and a first line that holds no names.

  Raises:
    UserError: naming the column.
  """
  name_of = foreign.name_of(path)
  seen = set()
  for name in filter(None, header):
    if name in seen:
      raise errors.UserError(f'{name_of}: two columns have the name "{name}"')
    seen.add(name)
  if seen and all(map(numbers.is_number, seen)):
    raise errors.UserError(
      f'{name_of}: the first line is numbers; it must be the column names'
    )


def unnamed(column: int) -> str:
  """The key of a column without a name, counted from 0; no header has it."""
  return f'\x00{column}'


def _columns(path, reader, options, as_text, skipped) -> Raw:
  header = [name.strip() for name in next(reader, [])]
  if not any(header):
    raise errors.UserError(
      f'{foreign.name_of(path)} is empty; its first line must name columns'
    )
  check_header(path, header)
  header = [name or unnamed(i) for i, name in enumerate(header)]
  wanted = [name for name in header if options.wants(name)]
  parts = {name: [] for name in wanted}
  marks = {name: collections.Counter() for name in wanted}
  lines = [np.empty(0, np.int64)]
  rows = _rows(path, reader, len(header), skipped)
  while block := list(itertools.islice(rows, _BLOCK)):
    line, cells = zip(*block)
    lines.append(np.array(line, np.int64))
    cells = dict(zip(header, zip(*cells)))
    for name in wanted:
      if options.is_text(name):
        part = _words(cells[name], options)
      elif as_text:
        part = np.array([cell.strip() for cell in cells[name]], object)
      else:
        part = _plain(cells[name], options, marks[name])
      parts[name].append(part)
  columns = {
    name: np.concatenate(part) if part else np.empty(0)
    for name, part in parts.items()
  }
  lines = np.concatenate(lines)
  return Raw(str(path), tuple(header), columns, lines, marks=marks)


def _rows(path, reader, width, skipped):
  """Yields (line, cells); an empty cell after the last one may be left over.

  A blank line is no row.
  """
  over = None
  for cells in reader:
    if not cells or (len(cells) == 1 < width and not cells[0].strip()):
      continue
    line = reader.line_num + skipped
    if over is None:
      over = len(cells) == width + 1 and not cells[-1].strip()
    if over and len(cells) == width + 1 and not cells[-1].strip():
      cells = cells[:-1]
    elif over or len(cells) != width:
      raise errors.UserError(
        f'{foreign.name_of(path)} line {line} has {len(cells)} cells, but the'
        f' header has {width}; quote cells that hold the separator'
      )
    yield line, cells


def _words(cells, options) -> np.ndarray:
  stripped = (cell.strip() for cell in cells)
  return np.array(
    [None if options.is_no_text(c) else c for c in stripped], object
  )


def _plain(cells, options, marks) -> np.ndarray:
  try:
    if '_' in ''.join(cells):  # As in 1_000, which is looked at.
      raise ValueError
    return np.array(list(map(float, cells)), np.float64)
  except ValueError:
    values = [_plain_or_missing(cell.strip(), options, marks) for cell in cells]
    return np.array(values, np.float64)


def _plain_or_missing(cell: str, options, marks) -> float:
  try:
    return numbers.plain(cell)
  except ValueError:
    if not options.is_no_number(cell):
      raise _NotPlain from None
    marks[cell] += 1
    return np.nan
