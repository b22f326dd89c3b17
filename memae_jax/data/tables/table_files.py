"""Reads tables from users' files as inputs, for training and for a scorer."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.data import labels, leaks, types
from memae_jax.data.tables import (
  columns,
  date_columns,
  numbers,
  read_table,
)
from memae_jax.runtime import errors, foreign

_NO_CATEGORY = '(missing)'
# More categories than this, and than half as many as rows, are taken for ids.
_MOST_CATEGORIES = 100


def load(paths: Sequence[str], config: Any) -> types.Samples:
  """Reads csv or parquet files with the same columns.

  Args:
    paths: path of the data and, if there is one, of the test set.
    config: the resolved `config.data`.

  Raises:
    UserError: a file cannot be read, lacks a value, or does not fit the other
      file or the config; names the file, row and column.
  """
  label, key = config.label_column, config.key_column
  options = _options(paths, config)
  tables = read_table.read(paths, options)
  date_formats = date_columns.read(
    tables.tables, config.date_columns, options, config.date_order
  )
  dates = date_columns.columns(date_formats, config.date_parts)
  for table in tables.tables:
    _check_values(table, config.missing, label, key)
  sizes = [table.raw.rows for table in tables.tables]
  labels_, keys = (
    [table.columns.pop(name, None) for table in tables.tables]
    for name in (label, key)
  )
  parts = [_inputs(table) for table in tables.tables]
  dropped = [
    n for n in parts[0] if leaks.counts_rows(n, _in_each_file(parts, n))
  ]
  for part in parts:
    for name in dropped:
      part.pop(name, None)
  _check_same_columns(paths, parts)
  warnings = leaks.order_warnings(
    {
      name: _in_each_file(parts, name)
      for name in parts[0]
      if name not in config.categorical_columns
    }
  )
  values, categories = _joined(parts, config.categorical_columns)
  inputs = columns.Encoded(values, categories, dates)
  _check_memory(inputs)
  return types.Samples(
    inputs=inputs,
    columns=inputs.columns,
    sizes=sizes,
    labels=labels_,
    keys=np.concatenate(keys) if key else None,
    notes=_notes(tables.formats, date_formats),
    remarks=(
      *tables.remarks,
      *date_columns.remarks(date_formats, dates),
      *(
        f'column "{name}" only counts the rows, as reset_index of pandas leaves'
        ' it, and is left out; to keep it, give it another name'
        for name in dropped
      ),
    ),
    warnings=warnings,
  )


def _joined(parts: list[dict[str, np.ndarray]], categorical):
  """Returns columns over all files, and the categories of some.

  Each column leaves `parts` as it is taken, so that there is no second table.
  """
  values, categories = {}, {}
  for name in list(parts[0]):
    of_files = [part.pop(name) for part in parts]
    column = of_files[0] if len(parts) == 1 else np.concatenate(of_files)
    if name in categorical:
      column, categories[name] = _coded(name, column)
    values[name] = column
  return values, categories


def _options(paths, config) -> read_table.Options:
  special = (config.label_column, config.key_column)
  text = {*filter(None, special), *config.categorical_columns}
  text |= set(config.date_columns)
  return read_table.Options(
    text=frozenset(text),
    optional=frozenset({config.label_column} if len(paths) > 1 else ()),
    drop=frozenset(config.drop_columns),
    separator=config.separator,
    encoding=config.encoding,
    decimal=config.decimal,
    thousands=config.thousands,
    missing_marks=config.missing_marks,
  )


def _notes(formats: Mapping[str, numbers.Format], dates) -> dict[str, Any]:
  notes = {}
  if formats:
    notes['number_formats'] = {n: f._asdict() for n, f in formats.items()}
  if dates:
    notes['date_formats'] = date_columns.to_json(dates)
  return notes


def _in_each_file(parts, name: str) -> list[np.ndarray]:
  return [part[name] for part in parts if name in part]


def _inputs(table: read_table.Table) -> dict[str, np.ndarray]:
  """Returns the columns of a file; it forgets the text that they were."""
  if not table.columns:
    raise errors.UserError(
      f'{foreign.name_of(table.raw.path)} has no column left to use as input'
    )
  table.raw.columns.clear()
  return table.columns


def _check_same_columns(paths, parts) -> None:
  file_names = [foreign.name_of(path) for path in paths]
  expected = list(parts[0])
  for path, part in zip(file_names[1:], parts[1:]):
    for name in expected:
      if name not in part:
        raise errors.UserError(
          f'{path} has no column "{name}", but {file_names[0]} has; list it in'
          f' data.drop_columns, or add it to {path}'
        )
    for name in part:
      if name not in expected:
        raise errors.UserError(
          f'{path} has a column "{name}", but {file_names[0]} has not; list it'
          f' in data.drop_columns, or add it to {file_names[0]}'
        )


def _check_values(
  table: read_table.Table, rule: str, label: str, key: str
) -> None:
  """Raises UserError for infinite and missing values; fills missing text.

  Missing categories become a category of their own, and missing keys ''.
  Missing numbers stay NaN unless `rule` is 'error'.
  """
  path = foreign.name_of(table.raw.path)
  for name, column in table.columns.items():
    if column.dtype == object:
      missing = np.equal(column, None)
    else:
      missing = np.isnan(column)
      infinite = np.isinf(column)
      if infinite.any():
        place = table.raw.place(int(infinite.argmax()))
        raise errors.UserError(
          f'{path} {place}: column "{name}" is infinite; mend or drop the row'
        )
    if not missing.any():
      continue
    place = table.raw.place(int(missing.argmax()))
    if name == label:
      raise errors.UserError(
        f'{path} {place}: label column "{name}" has no value; fill it in or'
        ' drop the row'
      )
    if name == key:
      column[missing] = ''
    elif rule == 'error':
      raise errors.UserError(
        f'{path} {place}: column "{name}" has no value; fill it in, or set'
        ' data.missing to "median"'
      )
    elif column.dtype == object:
      column[missing] = _NO_CATEGORY  # A category of its own.


def _coded(name: str, cells: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
  """Returns [S] int32 indices into the sorted categories, and the categories.

  Raises:
    UserError: there are so many categories that they are rather keys.
  """
  codes, names, _ = labels.codes(cells, labels.category_key)
  count = len(names)
  if count > _MOST_CATEGORIES and 2 * count > len(cells):
    size = foreign.size_of(4 * count * len(cells))
    raise errors.UserError(
      f'column "{name}" has {count} categories in {len(cells)} rows, which'
      f' would take {size} and say little; drop it (data.drop_columns,'
      f' drop={name}), or make it the data.key_column by which rows are found'
    )
  return codes, names


def _check_memory(inputs: columns.Encoded) -> None:
  """Raises UserError if the inputs would take more memory than there is."""
  rows, width = inputs.shape
  size = 4 * rows * (width + 2 * len(inputs.columns))  # float32 and columns.
  if size > foreign.memory():
    largest = max(inputs.columns, key=lambda column: len(column.categories))
    advice, count = ';', len(largest.categories)
    if count:
      advice = (
        f', {count} of them the categories of column "{largest.name}"; drop it,'
        ' or'
      )
    raise errors.UserError(
      f'{rows} rows of {width} inputs would take'
      f' {foreign.size_of(size)}{advice} give a part of the rows'
    )


def unseen(
  path: pathlib.Path, meta: Mapping[str, Any]
) -> tuple[dict[str, list[Any]], np.ndarray]:
  """Reads new rows as a trained network takes them.

  Columns that the training data did not have are left out.

  Args:
    path: path of a csv or parquet file.
    meta: `input` of a scorer's meta.json.

  Returns:
    The places of the rows, {'row': numbers from 0} and, if there is a key
    column, {its name: keys}; and the inputs [S, D].

  Raises:
    UserError: the file cannot be read, lacks a column or a value, or has an
      unknown category; names the file, row and column.
  """
  if not path.is_file() or not path.name.lower().endswith(read_table.SUFFIXES):
    raise errors.UserError(
      f'{foreign.name_of(path)} is no table; give a file that ends in one of'
      f' {", ".join(read_table.SUFFIXES)}, or a .npy file of encoded rows'
    )
  options = options_of(meta)
  (table,) = read_table.read([path], options).tables
  return encoded(table, meta, options)


def options_of(meta: Mapping[str, Any]) -> read_table.Options:
  """Returns the options by which new rows are read.

  Args:
    meta: `input` of a scorer's meta.json.
  """
  trained = types.columns_of_json(meta['columns'])
  key = meta.get('key_column', '')
  formats = meta.get('number_formats', {})
  text = {c.name for c in trained if c.categories or c.parts}
  text |= {key} if key else set()
  return read_table.Options(
    text=frozenset(text),
    optional=frozenset({key}),
    keep=frozenset({c.name for c in trained} | text),
    formats={n: numbers.Format(**f) for n, f in formats.items()},
    separator=meta.get('separator', ''),
    encoding=meta.get('encoding', ''),
    missing_marks=tuple(meta.get('missing_marks', ())),
  )


def encoded(
  table: read_table.Table, meta: Mapping[str, Any], options: read_table.Options
) -> tuple[dict[str, list[Any]], np.ndarray]:
  """Encodes new rows as the training rows were, see `unseen`.

  Args:
    table: the rows.
    meta: `input` of a scorer's meta.json.
    options: by which the table was read.

  Raises:
    UserError: a value is missing, or a category unknown.
  """
  trained = types.columns_of_json(meta['columns'])
  key = meta.get('key_column', '')
  dates = {column.name: column.parts for column in trained if column.parts}
  of_dates = date_columns.from_json(meta.get('date_formats', {}))
  date_columns.read([table], list(dates), options, formats=of_dates)
  _check_values(table, meta['missing'], '', key)
  values = {}
  for column in trained:
    cells = table.columns[column.name]
    values[column.name] = (
      _known_codes(column, cells, meta, table) if column.categories else cells
    )
  categories = {c.name: c.categories for c in trained}
  inputs, _ = columns.encode(values, categories, dates)
  places = {'row': list(range(table.raw.rows))}
  if key in table.columns:
    places[key] = table.columns[key].tolist()
  return places, inputs


def _known_codes(column, cells, meta, table) -> np.ndarray:
  """Returns [S] int32 indices into the categories; -1 for unknown ones.

  Raises:
    UserError: `meta` says that unknown categories are errors, and there is one.
  """
  index = {labels.category_key(c): i for i, c in enumerate(column.categories)}
  keys = {cell: labels.category_key(cell) for cell in dict.fromkeys(cells)}
  code = {cell: index.get(same, -1) for cell, same in keys.items()}
  codes = np.fromiter((code[cell] for cell in cells), np.int32, len(cells))
  if (codes < 0).any() and meta['unknown_category'] == 'error':
    row = int((codes < 0).argmax())
    raise errors.UserError(
      f'{foreign.name_of(table.raw.path)} {table.raw.place(row)}: column'
      f' "{column.name}" has no category "{cells[row][:40]}"'
      + errors.did_you_mean(cells[row], column.categories)
      + '; remove the row, or train with data.unknown_category "zero"'
    )
  return codes
