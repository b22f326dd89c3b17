"""A user's own file (npz, csv, csv.gz, parquet) as a Source."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from memae_jax import errors
from memae_jax.data import npz, readers, tables, types

SUFFIXES = ('.npz', '.csv', '.csv.gz', '.parquet')


class _Part(NamedTuple):
  """One file: numeric columns as float32, the others as text."""

  columns: dict[str, np.ndarray]
  labels: np.ndarray | None  # [S] text.


def load(config) -> types.Source:
  """Loads `data.path` and, as the test set, `data.test_path`.

  Raises:
    UserError: naming file, row and column of what is wrong.
  """
  _check_fields(config)
  paths = [path for path in (config.path, config.test_path) if path]
  if all(path.endswith('.npz') for path in paths):
    inputs, columns, labels, sizes = npz.load(paths, config)
  else:
    inputs, columns, labels, sizes = _load_tables(paths, config)
  is_test = np.repeat(np.arange(len(paths)) == 1, sizes)
  places = {'row': np.concatenate([np.arange(size) for size in sizes])}
  if config.test_path:
    places = {'file': np.repeat(np.array(paths, object), sizes)} | places
  source = types.Source(
    name='arrays',
    inputs=inputs,
    labels=np.zeros(len(inputs), np.int32),
    label_names=('normal',),
    normal_labels=(0,),
    is_test=is_test if config.test_path else None,
    columns=columns,
    places=places,
    labelled=False,
  )
  if labels is None:
    return source
  codes, names = _codes(labels)
  return source._replace(
    labels=codes, label_names=names, normal_labels=(), labelled=True
  )


def _check_fields(config) -> None:
  if not config.path:
    raise errors.UserError(
      'config field "data.path" is empty; data set "arrays" needs a file'
    )
  for path in filter(None, (config.path, config.test_path)):
    if not path.endswith(SUFFIXES):
      raise errors.UserError(
        f'{path} is of no known kind; expected {", ".join(SUFFIXES)}'
      )
  if config.test_path == config.path:
    raise errors.UserError(
      f'data.path and data.test_path are both {config.path}; the test set'
      ' must be another file'
    )
  if config.test_path and config.protocol != 'given':
    raise errors.UserError(
      'config field "data.test_path" is set, but data.protocol'
      f' "{config.protocol}" makes its own test set; use "given"'
    )
  if config.test_path and (
    config.path.endswith('.npz') != config.test_path.endswith('.npz')
  ):
    raise errors.UserError(
      f'{config.path} and {config.test_path}: an npz file and a table do not'
      ' go together'
    )
  dropped = set(config.drop_columns)
  for name in (config.label_column, *config.categorical_columns):
    if name in dropped:
      raise errors.UserError(
        f'config field "data.drop_columns" drops "{name}", which another'
        ' field uses'
      )
  if config.label_column and config.label_column in config.categorical_columns:
    raise errors.UserError(
      'config field "data.categorical_columns" has the label column'
      f' "{config.label_column}"; leave it out'
    )


def _load_tables(paths: Sequence[str], config):
  parts = [_read_table(path, config) for path in paths]
  names = list(parts[0].columns)
  for path, part in zip(paths[1:], parts[1:]):
    for name in names:
      if name not in part.columns:
        raise errors.UserError(
          f'{path} has no column "{name}", but {paths[0]} has'
        )
    for name in part.columns:
      if name not in names:
        raise errors.UserError(
          f'{path} has a column "{name}", but {paths[0]} has not; list it in'
          ' data.drop_columns, or add it there'
        )
  values, categories = {}, {}
  for name in names:
    values[name] = np.concatenate([part.columns[name] for part in parts])
    if name in config.categorical_columns:
      values[name], categories[name] = _codes(values[name])
  inputs, columns = tables.encode(values, categories)
  labels = None
  if config.label_column:
    labels = np.concatenate([part.labels for part in parts])
  sizes = [len(next(iter(part.columns.values()))) for part in parts]
  return inputs, columns, labels, sizes


def _read_table(path: str, config) -> _Part:
  text = set(config.categorical_columns)
  if config.label_column:
    text.add(config.label_column)
  table = readers.table(path, sorted(text), sorted(set(config.drop_columns)))
  columns = dict(table.columns)
  for name, column in columns.items():
    if name in text:
      missing = np.equal(column, None)
    else:
      missing = np.isnan(column)
      if np.isinf(column).any():
        place = table.place(int(np.isinf(column).argmax()))
        raise errors.UserError(
          f'{path} {place}: column "{name}" is infinite or beyond float32;'
          ' mend or drop the row'
        )
    if not missing.any():
      continue
    place = table.place(int(missing.argmax()))
    if name == config.label_column:
      raise errors.UserError(
        f'{path} {place}: label column "{name}" has no value; fill it in or'
        ' drop the row'
      )
    if config.missing == 'error':
      raise errors.UserError(
        f'{path} {place}: column "{name}" has no value; fill it in, or set'
        ' data.missing to "median"'
      )
    if name in text:
      column[missing] = '(missing)'  # A category of its own.
  labels = columns.pop(config.label_column, None)
  if not columns:
    raise errors.UserError(f'{path} has no column left to use as input')
  return _Part(columns, labels)


def _codes(text: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
  """Returns [S] int32 indices into the sorted distinct names, and these."""
  names = tuple(sorted(set(text), key=_natural))
  index = {name: i for i, name in enumerate(names)}
  codes = np.fromiter((index[cell] for cell in text), np.int32, len(text))
  return codes, names


def _natural(name: str):
  """Sorts '2' before '10', and numbers before words."""
  return (0, int(name), name) if name.isdecimal() else (1, 0, name)
