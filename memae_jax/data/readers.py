"""Reads a user's csv or parquet file; every complaint names the place."""

import csv
import gzip
import io
import itertools
import pathlib
import zlib
from collections.abc import Callable, Collection
from typing import NamedTuple

import numpy as np

from memae_jax import errors

MISSING = frozenset(('', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL', 'None'))
_BLOCK = 1000  # Rows that are held as Python strings at once.


class Table(NamedTuple):
  """Columns by name: float32 with NaN, or text with None, where missing."""

  columns: dict[str, np.ndarray]
  place: Callable[[int], str]  # 'line 7' of the file, for messages.


def open_file(path: str) -> pathlib.Path:
  """Returns the path of an existing regular file.

  Raises:
    UserError: there is none.
  """
  found = pathlib.Path(path).expanduser()
  if not found.exists():
    raise errors.UserError(f'{path} does not exist; check data.path')
  if not found.is_file():
    raise errors.UserError(f'{path} is no file; data.path takes one file')
  return found


def table(path: str, text: Collection[str], drop: Collection[str]) -> Table:
  """Reads a csv (or csv.gz) or parquet file.

  Args:
    path: of the file.
    text: names of the columns that are read as text (labels, categories).
    drop: names of the columns that are left out.

  Raises:
    UserError: naming file, row and column of what is wrong.
  """
  file = open_file(path)
  kind = _parquet if file.suffix == '.parquet' else _csv
  read = kind(file, frozenset(text), frozenset(drop))
  if not len(next(iter(read.columns.values()), ())):
    raise errors.UserError(f'{path} has no rows of data')
  return read


def _check_header(path, header: list[str], text, drop) -> None:
  if len(header) == 1 and any(mark in header[0] for mark in ';\t|'):
    raise errors.UserError(
      f'{path}: the header is one column, "{header[0][:40]}"; separate the'
      ' columns by commas'
    )
  for i, name in enumerate(header):
    if not name:
      raise errors.UserError(
        f'{path}: column {i + 1} has no name; name it in the header, or write'
        ' the file without an index'
      )
    if name in header[:i]:
      raise errors.UserError(f'{path}: two columns have the name "{name}"')
  if all(_is_number(name) for name in header):
    raise errors.UserError(
      f'{path}: the first line is numbers; it must be the column names'
    )
  for name in sorted(text | drop):
    if name not in header:
      raise errors.UserError(
        f'{path} has no column "{name}"' + errors.did_you_mean(name, header)
      )


def _is_number(cell: str) -> bool:
  try:
    return float(cell) is not None
  except ValueError:
    return False


def _csv(path: pathlib.Path, text, drop) -> Table:
  try:
    opened = path.open('rb')
    if path.suffix == '.gz':  # Unpacked whole, so that its checksum counts.
      with opened:
        opened = io.BytesIO(gzip.decompress(opened.read()))
    with opened, io.TextIOWrapper(opened, 'utf-8-sig', newline='') as file:
      return _csv_table(path, csv.reader(file, strict=True), text, drop)
  except (EOFError, zlib.error, gzip.BadGzipFile) as error:
    raise errors.UserError(
      f'{path} is no complete gzip file ({error}); copy or pack it again'
    ) from error
  except UnicodeDecodeError as error:
    raise errors.UserError(
      f'{path} is not UTF-8 text (byte {error.start} of a block:'
      f' {error.reason}); save it as UTF-8'
    ) from error
  except csv.Error as error:
    raise errors.UserError(f'{path} is no readable csv: {error}') from error
  except OSError as error:
    raise errors.UserError(f'{path} cannot be read: {error}') from error


def _csv_table(path, reader, text, drop) -> Table:
  header = [name.strip() for name in next(reader, [])]
  if not header:
    raise errors.UserError(f'{path} is empty; its first line must name columns')
  _check_header(path, header, text, drop)
  rows = _csv_rows(path, reader, len(header))
  parts = {name: [] for name in header if name not in drop}
  lines = []
  while block := list(itertools.islice(rows, _BLOCK)):
    numbers, cells = zip(*block)
    lines.extend(numbers)
    cells = dict(zip(header, zip(*cells)))
    try:
      for name, part in parts.items():
        part.append((_words if name in text else _numbers)(cells[name]))
    except ValueError:
      wrong = {name: cells[name] for name in parts if name not in text}
      raise _text_in(path, numbers, wrong) from None
  columns = {
    name: np.concatenate(part) if part else np.empty(0)
    for name, part in parts.items()
  }
  return Table(columns, lambda row: f'line {lines[row]}')


def _csv_rows(path, reader, width):
  for cells in reader:
    if len(cells) == width:
      yield reader.line_num, cells
    elif cells:  # A blank line is no row.
      raise errors.UserError(
        f'{path} line {reader.line_num} has {len(cells)} cells, but the'
        f' header has {width}'
      )


def _words(cells) -> np.ndarray:
  stripped = (cell.strip() for cell in cells)
  return np.array([None if c in MISSING else c for c in stripped], object)


def _numbers(cells) -> np.ndarray:
  """Raises ValueError if a cell is text."""
  try:
    values = [float(cell) for cell in cells]
  except ValueError:
    values = [np.nan if c.strip() in MISSING else float(c) for c in cells]
  return to_float32(np.array(values, np.float64))


def _text_in(path, lines, columns) -> errors.UserError:
  """What to say where columns, {name: cells}, hold text and not numbers."""
  texts = {}
  for name, cells in columns.items():
    for line, cell in zip(lines, cells):
      if cell.strip() not in MISSING and not _is_number(cell):
        texts.setdefault(name, (line, cell))
  line, cell = next(iter(texts.values()))
  names = ', '.join(f'"{name}"' for name in texts)
  what = f'columns {names} hold' if len(texts) > 1 else f'column {names} holds'
  return errors.UserError(
    f'{path} line {line}: {what} text, "{cell[:40]}"; name each in'
    ' data.categorical_columns (a category) or data.drop_columns (left out)'
  )


def to_float32(values: np.ndarray) -> np.ndarray:
  """Returns float64; see `host_stage` for what float32 holds of it."""
  return values.astype(np.float64)


def _parquet(path: pathlib.Path, text, drop) -> Table:
  try:
    import pyarrow as pa
    from pyarrow import parquet
  except ImportError as error:
    raise errors.UserError(
      f"{path} needs pyarrow; pip install -e '.[parquet]'"
    ) from error
  try:
    content = parquet.ParquetFile(path).read()
  except (pa.ArrowException, OSError) as error:
    reason = str(error).splitlines()[0]
    raise errors.UserError(
      f'{path} is no readable parquet file: {reason}'
    ) from error
  _check_header(path, content.column_names, text, drop)
  columns = {}
  for name, column in zip(content.column_names, content.columns):
    if pa.types.is_dictionary(column.type):
      column = column.cast(column.type.value_type)
    kind = column.type
    is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    is_number = any(
      check(kind)
      for check in (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_boolean,
        pa.types.is_decimal,
      )
    )
    if name in drop:
      continue
    if name in text and (is_text or is_number):
      cells = column.to_pylist()
      columns[name] = _words('' if c is None else str(c) for c in cells)
    elif is_number and name not in text:
      values = column.cast(pa.float64(), safe=False).to_numpy()
      columns[name] = to_float32(values)
    else:
      raise errors.UserError(
        f'{path}: column "{name}" is of type {kind}; list it in'
        + (' data.categorical_columns or' if is_text else '')
        + ' data.drop_columns'
      )
  return Table(columns, lambda row: f'row {row}')
