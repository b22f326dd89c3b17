"""Tables of users' files as numbers, for training and for the scorer."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.data import labels, leaks, types
from memae_jax.data.tables import columns as tables
from memae_jax.data.tables import numbers, read_table
from memae_jax.runtime import errors, foreign

_NO_CATEGORY = '(missing)'
_MOST_CATEGORIES = 100  # From here on, more than half as many as rows are ids.


def load(paths: Sequence[str], config: Any) -> types.Samples:
  """Reads csv or parquet files of like columns.

  Args:
    paths: the data and, if any, the test set.
    config: the resolved `config.data`.

  Raises:
    UserError: naming file, row and column of what is wrong.
  """
  label, key = config.label_column, config.key_column
  found = read_table.read(paths, _options(paths, config))
  for table in found.tables:
    _check_values(table, config.missing, label, key)
  parts = [_inputs(table, label, key) for table in found.tables]
  dropped = [n for n in parts[0] if leaks.counts_rows(n, _each(parts, n))]
  parts = [{n: c for n, c in p.items() if n not in dropped} for p in parts]
  _check_same_columns(paths, parts)
  values, categories = {}, {}
  for name in parts[0]:
    values[name] = np.concatenate([part[name] for part in parts])
    if name in config.categorical_columns:
      values[name], categories[name] = _coded(name, values[name])
  _check_memory(values, categories)
  inputs, columns = tables.encode(values, categories)
  numeric = {n: _each(parts, n) for n in parts[0] if n not in categories}
  keys = None
  if key:
    keys = np.concatenate([table.columns[key] for table in found.tables])
  return types.Samples(
    inputs=inputs,
    columns=columns,
    sizes=[table.raw.rows for table in found.tables],
    labels=[table.columns.get(label) for table in found.tables],
    keys=keys,
    notes=_notes(found.formats),
    remarks=found.remarks
    + tuple(
      f'column "{name}" only counts the rows, as reset_index of pandas leaves'
      ' it, and is left out; to keep it, give it another name'
      for name in dropped
    ),
    warnings=leaks.order_warnings(numeric),
  )


def _options(paths, config) -> read_table.Options:
  special = (config.label_column, config.key_column)
  text = {*filter(None, special), *config.categorical_columns}
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


def _notes(formats: Mapping[str, numbers.Format]) -> dict[str, Any]:
  if not formats:
    return {}
  return {'number_formats': {n: f._asdict() for n, f in formats.items()}}


def _each(parts, name: str) -> list[np.ndarray]:
  return [part[name] for part in parts if name in part]


def _inputs(table: read_table.Table, label: str, key: str):
  """The columns of a file that are inputs."""
  left = {n: c for n, c in table.columns.items() if n not in (label, key)}
  if not left:
    raise errors.UserError(
      f'{foreign.name_of(table.raw.path)} has no column left to use as input'
    )
  return left


def _check_same_columns(paths, parts) -> None:
  shown = [foreign.name_of(path) for path in paths]
  names = list(parts[0])
  for path, part in zip(shown[1:], parts[1:]):
    for name in names:
      if name not in part:
        raise errors.UserError(
          f'{path} has no column "{name}", but {shown[0]} has'
        )
    for name in part:
      if name not in names:
        raise errors.UserError(
          f'{path} has a column "{name}", but {shown[0]} has not; list it in'
          ' data.drop_columns, or add it there'
        )


def _check_values(
  table: read_table.Table, rule: str, label: str, key: str
) -> None:
  """Refuses what is infinite or missing; names a missing category."""
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
  """Returns [S] int32 indices into the sorted categories, and these."""
  codes, names, _ = labels.codes(cells, labels.category_key)
  count = len(names)
  if count > _MOST_CATEGORIES and 2 * count > len(cells):
    size = foreign.size_of(4 * count * len(cells))
    raise errors.UserError(
      f'column "{name}" has {count} categories in {len(cells)} rows, which'
      f' would take {size} and tell next to nothing; drop it'
      f' (data.drop_columns, drop={name}), or name it data.key_column to find'
      ' the rows by it'
    )
  return codes, names


def _check_memory(values, categories) -> None:
  """Refuses more inputs than memory holds, before any is laid out."""
  rows = len(next(iter(values.values())))
  width = sum(len(categories.get(name, ())) or 1 for name in values)
  size = 12 * rows * width  # As float64, then float32.
  if size > foreign.memory():
    most = max(categories, key=lambda n: len(categories[n]), default='')
    why = ''
    if most:
      count = len(categories[most])
      why = f', {count} of them the categories of column "{most}"; drop it, or'
    raise errors.UserError(
      f'{rows} rows of {width} inputs would take {foreign.size_of(size)}{why}'
      ' give a part of the rows'
    )


def unseen(
  path: pathlib.Path, wanted: Mapping[str, Any]
) -> tuple[dict[str, list[Any]], np.ndarray]:
  """Reads new rows as a trained network takes them.

  Columns that it does not know are left out.

  Args:
    path: of a csv or parquet file.
    wanted: `input` of a scorer's meta.json.

  Returns:
    What each row is found by, {'row': numbers}, with the key column if there
    is one; and the rows [S, D].

  Raises:
    UserError: naming file, row and column of what is wrong.
  """
  if not path.is_file() or not path.name.lower().endswith(read_table.SUFFIXES):
    raise errors.UserError(
      f'{foreign.name_of(path)} is no table; give a file of'
      f' {", ".join(read_table.SUFFIXES)}, or a .npy file of encoded rows'
    )
  known = [
    types.Column(c['name'], tuple(c['categories'])) for c in wanted['columns']
  ]
  key = wanted.get('key_column', '')
  formats = wanted.get('number_formats', {})
  text = {c.name for c in known if c.categories} | ({key} if key else set())
  options = read_table.Options(
    text=frozenset(text),
    optional=frozenset({key}),
    keep=frozenset({c.name for c in known} | text),
    formats={n: numbers.Format(**f) for n, f in formats.items()},
    separator=wanted.get('separator', ''),
    encoding=wanted.get('encoding', ''),
    missing_marks=tuple(wanted.get('missing_marks', ())),
  )
  (table,) = read_table.read([path], options).tables
  _check_values(table, wanted['missing'], '', key)
  values = {}
  for column in known:
    cells = table.columns[column.name]
    values[column.name] = (
      _known_codes(column, cells, wanted, table) if column.categories else cells
    )
  categories = {c.name: c.categories for c in known}
  inputs, _ = tables.encode(values, categories)
  places = {'row': list(range(table.raw.rows))}
  if key in table.columns:
    places[key] = table.columns[key].tolist()
  return places, inputs


def _known_codes(column, cells, wanted, table) -> np.ndarray:
  """Indices into the categories of the training; -1: none of them."""
  index = {labels.category_key(c): i for i, c in enumerate(column.categories)}
  keys = {cell: labels.category_key(cell) for cell in dict.fromkeys(cells)}
  code = {cell: index.get(same, -1) for cell, same in keys.items()}
  codes = np.fromiter((code[cell] for cell in cells), np.int32, len(cells))
  if (codes < 0).any() and wanted['unknown_category'] == 'error':
    row = int((codes < 0).argmax())
    raise errors.UserError(
      f'{foreign.name_of(table.raw.path)} {table.raw.place(row)}: column'
      f' "{column.name}" has no category "{cells[row][:40]}"'
      + errors.did_you_mean(cells[row], column.categories)
      + '; remove the row, or train with data.unknown_category "zero"'
    )
  return codes
