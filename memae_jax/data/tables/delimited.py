"""Reads tables from text files (csv and similar), of any encoding."""

import array
import collections
import csv
import io
import itertools
import pathlib
from collections.abc import Container
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
BLOCK = 1000  # Rows that are Python strings at the same time.
_SPELLINGS = 2**16  # Of cells that are kept once; keys have too many.
_SAMPLE = 2**16  # Characters from which the separator is guessed.


class Raw(NamedTuple):
  """Columns of one file.

  path: path of the file.
  header: keys of all columns, including those that are left out: their names,
    or `unnamed` where a column has no name.
  columns: {key: [S] float64, NaN where missing; or [S] text without blanks
    around it, None where a column of text has no value}.
  lines: [S] number of the line of each row; None where the file is not text.
  separator: the character between cells; '' where the file is not text.
  remarks: lines on how the file was read.
  index: names of the columns that pandas stored as an index.
  marks: {column: {mark: number of cells}} of the marks for missing values in
    columns of plain numbers.
  failed: numeric columns that hold more than plain numbers, and that were not
    read as text; `columns` lacks them.
  """

  path: str
  header: tuple[str, ...]
  columns: dict[str, np.ndarray]
  lines: np.ndarray | None = None
  separator: str = ''
  remarks: tuple[str, ...] = ()
  index: tuple[str, ...] = ()
  marks: dict[str, dict[str, int]] = {}
  failed: frozenset[str] = frozenset()

  def place(self, row: int) -> str:
    """Returns the place of a row in the file, such as 'line 7'."""
    if self.lines is None:
      return f'row {row}'
    return f'line {self.lines[row]}'

  @property
  def rows(self) -> int:
    """Number of rows."""
    return len(next(iter(self.columns.values()), ()))


def read(path: pathlib.Path, options, as_text: Container[str]) -> Raw:
  """Reads a text file, packed by gzip or not.

  Args:
    path: path of the file.
    options: a `read_table.Options`.
    as_text: names of numeric columns that are returned as the text of their
      cells, and not as numbers.

  Raises:
    UserError: the file is damaged or not a table; names the file and the line.
  """
  with foreign.reading(path, _kind(path), _mend(path)):
    encoding, remarks = options.encoding, ()
    if not encoding:
      encoding, remarks = encodings.guess(path)
    try:
      return _table(path, encoding, remarks, options, as_text)
    except (UnicodeDecodeError, LookupError) as error:
      raise errors.UserError(
        f'{foreign.name_of(path)} is not text of data.encoding "{encoding}"'
        f' ({foreign.reason(error)}); name another encoding, or leave it empty'
      ) from error


def _kind(path: pathlib.Path) -> str:
  return 'gzip file of csv' if path.suffix.lower() == '.gz' else 'csv'


def _mend(path: pathlib.Path) -> str:
  packed = path.suffix.lower() == '.gz'
  return 'copy or pack it again' if packed else 'mend or save it again'


def _table(path, encoding, remarks, options, as_text) -> Raw:
  """Reads a file of a known encoding as `read` does; `remarks` come first."""
  with _text(path, encoding) as file:
    sample = file.read(_SAMPLE)
  if '\x00' in sample[:1]:
    raise errors.UserError(
      f'{foreign.name_of(path)} is not text; save the table as csv'
    )
  skipped = _comments(sample)
  if skipped:
    remarks += (
      f'{foreign.name_of(path)}: comments at the top ({skipped} lines) are'
      ' left out',
    )
    sample = ''.join(sample.splitlines(keepends=True)[skipped:])
  first_line = sample.partition('\n')[0].strip().lower()
  if first_line.startswith('sep=') and len(first_line) == 5:  # Excel writes it.
    skipped, separator = skipped + 1, first_line[4]
  else:
    separator = SEPARATORS.get(options.separator) or _guess_separator(sample)
  if separator != ',' and not options.separator:
    words = {mark: word for word, mark in SEPARATORS.items()}
    word = words.get(separator, f'"{separator}"')
    remarks += (f'read {foreign.name_of(path)} with separator {word}',)
  with _text(path, encoding) as file:
    lines = iter(file)
    for _ in range(skipped):
      next(lines)
    if separator == ' ':
      lines = (' '.join(line.split()) + '\n' for line in lines)
    try:
      reader = csv.reader(lines, strict=True, delimiter=separator)
      raw = _columns(path, reader, options, as_text, skipped)
    except csv.Error as error:
      raise errors.UserError(
        f'{foreign.name_of(path)} is no readable csv ({error}); {_mend(path)}'
      ) from error
  return raw._replace(separator=separator, remarks=(*remarks, *raw.remarks))


def _text(path, encoding) -> io.TextIOWrapper:
  return io.TextIOWrapper(foreign.opened(path), encoding, newline='')


def _comments(sample: str) -> int:
  """Returns the number of comments at the top: lines that begin with "#".

  The last one is no comment if it names columns, as NumPy writes them: it
  stands before a row with numbers and has as many cells.
  """
  lines = sample.splitlines()
  count = len(list(itertools.takewhile(lambda x: x.startswith('#'), lines)))
  if not 0 < count < len(lines):
    return 0
  separator = _guess_separator('\n'.join(lines[count:]))
  last_comment, first_row = (
    line.split(separator) for line in lines[count - 1 : count + 1]
  )
  is_header = len(last_comment) == len(first_row)
  is_header = is_header and any(map(numbers.is_number, first_row))
  return count - is_header


def _guess_separator(sample: str) -> str:
  """Returns the character that splits all lines into equally many cells.

  If several characters do, it is the one with the most numbers among the cells
  below the header; of equals, the first of comma, semicolon, tab, bar.
  """
  lines = sample.splitlines(keepends=True)
  if len(sample) == _SAMPLE and len(lines) > 1:
    lines.pop()  # The last line may be cut.
  fits, widest = {}, {}
  for separator in ',;\t|':
    try:
      rows = list(itertools.islice(csv.reader(lines, delimiter=separator), 50))
    except csv.Error:
      continue
    rows = [row for row in rows if row]
    width = len(rows[0]) if rows else 0
    widest[separator] = width
    if width > 1 and {len(row) for row in rows} == {width}:
      cells = [cell.strip() for row in rows[1:] for cell in row]
      fits[separator] = sum(map(numbers.is_number, cells)) / max(len(cells), 1)
  if fits:
    return max(fits, key=fits.get)
  separator = max(widest, key=widest.get, default=',')
  return separator if widest.get(separator, 0) > 1 else _blank_or_comma(lines)


def _blank_or_comma(lines: list[str]) -> str:
  """Returns ' ' if blanks split rows into equally many numbers; else ','."""
  rows = [line.split() for line in lines[:50] if line.strip()]
  widths = {len(row) for row in rows}
  stripped = [line.strip() for line in lines[1:50] if line.strip()]
  if len(widths) == 1 and widths != {1} and len(rows) > 1:
    if not any('"' in line or numbers.is_number(line) for line in stripped):
      cells = [cell for row in rows[1:] for cell in row]
      if 2 * sum(map(numbers.is_number, cells)) >= len(cells):
        return ' '
  return ','


def check_header(path, header: list[str]) -> None:
  """Raises UserError if a name stands twice, or if all names are numbers.

  Args:
    path: path of the file, for messages.
    header: names of the columns, '' where a column has none.
  """
  file_name = foreign.name_of(path)
  seen = set()
  for name in filter(None, header):
    if name in seen:
      raise errors.UserError(
        f'{file_name}: two columns have the name "{name}"; rename one'
      )
    seen.add(name)
  if seen and all(map(numbers.is_number, seen)):
    raise errors.UserError(
      f'{file_name}: the first line is numbers; it must be the column names'
    )


def unnamed(column: int) -> str:
  """Returns the key of a column without a name; no column has it as its name.

  Args:
    column: index of the column, from 0.
  """
  return f'\x00{column}'


def _columns(path, reader, options, as_text, skipped) -> Raw:
  header = [name.strip() for name in next(reader, [])]
  if not any(header):
    raise errors.UserError(
      f'{foreign.name_of(path)} is empty; its first line must name columns'
    )
  check_header(path, header)
  header = [name or unnamed(i) for i, name in enumerate(header)]
  parts = {
    name: _Column(options.is_text(name) or name in as_text)
    for name in header
    if options.wants(name)
  }
  marks = {name: collections.Counter() for name in parts}
  spelled: dict[str, str] = {}  # One object for all cells of the same text.
  failed = set()
  lines = [np.empty(0, np.int64)]
  rows = _rows(path, reader, len(header), skipped)
  while block := list(itertools.islice(rows, BLOCK)):
    line, cells = zip(*block)
    lines.append(np.array(line, np.int64))
    cells = dict(zip(header, zip(*cells)))
    for name in list(parts):
      if options.is_text(name):
        part = _texts(cells[name], options, spelled)
      elif name in as_text:
        part = np.array([cell.strip() for cell in cells[name]], object)
      else:
        part = _numbers(cells[name], options, marks[name])
      if part is None:
        failed.add(name)
        del parts[name], marks[name]
      else:
        parts[name].add(part)
  columns = {name: part.joined() for name, part in parts.items()}
  lines = np.concatenate(lines)
  return Raw(
    str(path),
    tuple(header),
    columns,
    lines,
    marks=marks,
    failed=frozenset(failed),
  )


class _Column:
  """Cells of a column, block after block; numbers grow in place."""

  def __init__(self, is_text: bool):
    self._texts, self._numbers = [] if is_text else None, array.array('d')

  def add(self, part: np.ndarray) -> None:
    if self._texts is None:
      self._numbers.frombytes(part.tobytes())
    else:
      self._texts.append(part)

  def joined(self) -> np.ndarray:
    if self._texts:
      return np.concatenate(self._texts)
    return np.frombuffer(self._numbers) if self._numbers else np.empty(0)


def _rows(path, reader, width, skipped):
  """Yields (number of the line, cells) of each row; blank lines are skipped.

  An empty cell after the last column is left out where the first row has one.

  Raises:
    UserError: a row has more or fewer cells than the header has names.
  """
  has_extra = None
  for cells in reader:
    if not cells or (len(cells) == 1 < width and not cells[0].strip()):
      continue
    line = reader.line_num + skipped
    if has_extra is None:
      has_extra = len(cells) == width + 1 and not cells[-1].strip()
    if has_extra and len(cells) == width + 1 and not cells[-1].strip():
      cells = cells[:-1]
    elif has_extra or len(cells) != width:
      raise errors.UserError(
        f'{foreign.name_of(path)} line {line} has {len(cells)} cells, but the'
        f' header has {width}; quote cells that hold the separator'
      )
    yield line, cells


def _texts(cells, options, spelled: dict[str, str]) -> np.ndarray:
  stripped = (cell.strip() for cell in cells)
  texts = (None if options.is_no_text(cell) else cell for cell in stripped)
  if len(spelled) < _SPELLINGS:
    texts = (spelled.setdefault(text, text) for text in texts)
  return np.array(list(texts), object)


def _numbers(cells, options, marks) -> np.ndarray | None:
  """Returns cells as [n] float64; counts marks for missing values in `marks`.

  None: a cell is neither a plain number nor such a mark.
  """
  try:
    if '_' in ''.join(cells):  # Python would read 1_000 as a number.
      raise ValueError
    return np.array(list(map(float, cells)), np.float64)
  except ValueError:
    values = [
      _number_or_missing(cell.strip(), options, marks) for cell in cells
    ]
    return None if None in values else np.array(values, np.float64)


def _number_or_missing(cell: str, options, marks) -> float | None:
  try:
    return numbers.plain(cell)
  except ValueError:
    if not options.is_no_number(cell):
      return None
    marks[cell] += 1
    return np.nan
