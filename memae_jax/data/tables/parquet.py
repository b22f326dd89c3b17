"""Reads tables from parquet files, as `delimited` does from text."""

import pathlib
from typing import Any

import numpy as np

from memae_jax.data.tables import delimited
from memae_jax.runtime import errors, foreign

_CELLS = 2**23  # That are read at once, beside the columns that were read.


def read(path: pathlib.Path, options) -> delimited.Raw:
  """Reads a parquet file; numbers that are stored as text stay text.

  Args:
    path: path of the file.
    options: a `read_table.Options`.

  Raises:
    UserError: the file is damaged, too large, or has a column of another type;
      names the file and the column.
  """
  name = foreign.name_of(path)
  try:
    import pyarrow as pa
    from pyarrow import parquet
  except ImportError as error:
    raise errors.UserError(
      f"{name} needs pyarrow; pip install 'memae_jax[parquet]'"
    ) from error
  with foreign.reading(path, 'parquet file', 'copy or write it again'):
    with parquet.ParquetFile(path) as file:
      _check_size(name, file.metadata)
      index = _index(file.schema_arrow)
      header = [field.strip() for field in file.schema_arrow.names]
      delimited.check_header(path, header)
      header = [key or delimited.unnamed(i) for i, key in enumerate(header)]
      wanted = [i for i, key in enumerate(header) if options.wants(key)]
      columns = {}
      for i, column in _columns(file, wanted):
        if pa.types.is_dictionary(column.type):
          column = column.cast(column.type.value_type)
        columns[header[i]] = _column(pa, name, header[i], column, options)
  return delimited.Raw(str(path), tuple(header), columns, index=index)


def _columns(file, wanted: list[int]):
  """Yields numbers and columns of a file, some of which are read at a time.

  Args:
    file: a `ParquetFile`.
    wanted: numbers of columns.
  """
  names = file.schema_arrow.names
  each = max(1, _CELLS // max(file.metadata.num_rows, 1))
  if len(set(names)) < len(names) or any('.' in name for name in names):
    each = len(names)  # Names do not tell columns apart, so all are read.
  for start in range(0, len(wanted), each):
    group = wanted[start : start + each]
    is_all = each >= len(names)
    content = file.read(None if is_all else [names[i] for i in group])
    if not is_all and content.num_columns != len(group):
      raise ValueError('its columns are not those of its schema')
    for place, i in enumerate(group):
      # Columns come in the order of the file, whatever that of the names is.
      yield i, content.column(i if is_all else place)


def _check_size(name: str, metadata) -> None:
  """Raises UserError if the file announces more cells than memory holds."""
  size = 8 * metadata.num_rows * metadata.num_columns
  if size > foreign.memory():
    raise errors.UserError(
      f'{name} announces {metadata.num_rows:,} rows, which would take'
      f' {foreign.size_of(size)}; give a part of them'
    )


def _index(schema) -> tuple[str, ...]:
  """Names of the columns that pandas says are its index."""
  try:
    stored = (schema.pandas_metadata or {}).get('index_columns', ())
    return tuple(key.strip() for key in stored if isinstance(key, str))
  except (
    ValueError,
    AttributeError,
    TypeError,
  ):  # Damaged metadata are ignored.
    return ()


def _column(pa: Any, path, name, column, options) -> np.ndarray:
  """Returns a column as [S] float64 or text.

  Raises:
    UserError: it has another type.
  """
  kind, types = column.type, pa.types
  if types.is_binary(kind) or types.is_large_binary(kind):
    column = column.cast(pa.string())  # Raises unless it is UTF-8.
    kind = column.type
  is_word = (
    types.is_string(kind)
    or types.is_large_string(kind)
    or types.is_string_view(kind)
  )
  is_number = (
    types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
  )
  is_bool = types.is_boolean(kind)
  if types.is_timestamp(kind):  # Python has no shorter times.
    column = column.cast(pa.timestamp('us', kind.tz), safe=False)
  if options.is_text(name) and not types.is_nested(kind):
    cells = ('' if c is None else str(c).strip() for c in column.to_pylist())
    return np.array(
      [None if options.is_no_text(c) else c for c in cells], object
    )
  if is_word or is_bool:
    cells = ('' if c is None else str(c).strip() for c in column.to_pylist())
    return np.array(list(cells), object)
  if not is_number:
    raise errors.UserError(
      f'{path}: column "{name}" is of type {kind}; list it in'
      f' {"data.date_columns or " if types.is_temporal(kind) else ""}'
      'data.drop_columns, or store it as a number'
    )
  return column.cast(pa.float64(), safe=False).to_numpy()
