"""Data set "arrays": a user's file (npz, csv, parquet or text) as a Source."""

from collections.abc import Sequence

import numpy as np

from memae_jax.data import labels, types
from memae_jax.data.tables import npz, read_table, table_files
from memae_jax.runtime import errors, foreign

_SCORE_COLUMNS = ('network', 'row', 'label', 'anomalous', 'score', 'flagged')
SUFFIXES = ('.npz', *read_table.SUFFIXES)


def load(config) -> types.Source:
  """Loads `data.path` and, as the test set, `data.test_path`.

  Args:
    config: the resolved `config.data`.

  Raises:
    UserError: a field or a file is wrong; the message names the file, row and
      column.
  """
  _check_fields(config)
  paths = [path for path in (config.path, config.test_path) if path]
  loader = npz if _is_npz(config.path) else table_files
  samples = loader.load(paths, config)
  text, keep, remarks = _labels(paths, samples, config)
  is_test = np.repeat(np.arange(len(paths)) == 1, samples.sizes)
  places = {'row': np.concatenate([np.arange(size) for size in samples.sizes])}
  if config.test_path:
    files = np.array([foreign.name_of(path) for path in paths], object)
    places = {'file': np.repeat(files, samples.sizes)} | places
  if samples.keys is not None:
    places[config.key_column] = samples.keys
  source = types.Source(
    name='arrays',
    inputs=samples.inputs[keep],
    labels=np.zeros(len(samples.inputs), np.int32)[keep],
    label_names=('normal',),
    normal_labels=(0,),
    is_test=is_test[keep] if config.test_path else None,
    columns=samples.columns,
    places={name: part[keep] for name, part in places.items()},
    labelled=False,
    notes=samples.notes,
    remarks=(*samples.remarks, *remarks),
    warnings=samples.warnings,
  )
  if text is None:
    return _with_dropped(source, len(samples.inputs), paths)
  codes, names, spellings = labels.codes(text)
  spelled = '; '.join(
    f'{name} also as {", ".join(others)}' for name, others in spellings.items()
  )
  return source._replace(
    labels=codes,
    label_names=names,
    normal_labels=(),
    labelled=True,
    remarks=source.remarks
    + ((f'labels written: {spelled}',) if spelled else ()),
  )


def _is_npz(path: str) -> bool:
  return path.lower().endswith('.npz')


def _with_dropped(source, total: int, paths) -> types.Source:
  """Adds how many training rows are left out, where the test has no labels."""
  count = total - len(source.inputs)
  if not count:
    return source
  why = (
    'training rows of other labels than the normal ones;'
    f' {foreign.name_of(paths[1])} has no labels'
  )
  return source._replace(dropped=({'count': count, 'why': why},))


def _labels(paths: Sequence[str], samples: types.Samples, config):
  """Joins the labels of the files.

  Returns:
    The labels [S] text, or None; the rows to keep, [S] bool or a slice of all;
    and remarks.

  Raises:
    UserError: one file has labels, the other has none, and `normal_labels` does
      not say what that means.
  """
  all_rows = slice(None)
  train, *test = samples.labels
  if train is None and not any(part is not None for part in test):
    return None, all_rows, ()
  if train is not None and all(part is not None for part in test):
    return np.concatenate(samples.labels), all_rows, ()
  names = [foreign.name_of(path) for path in paths]
  if not config.normal_labels:
    unlabelled = names[0] if train is None else names[1]
    raise errors.UserError(
      f'{unlabelled} has no labels "{config.label_column}", but the other file'
      ' has; name the normal ones in data.normal_labels (normal=)'
    )
  quoted = ' or '.join(f'"{label}"' for label in config.normal_labels)
  if train is None:  # Then all its rows are normal.
    train = np.full(samples.sizes[0], config.normal_labels[0], object)
    return np.concatenate([train, *test]), all_rows, (
      f'{names[0]} has no labels "{config.label_column}": all its'
      f' {samples.sizes[0]} rows count as normal ("{train[0]}")',
    )  # fmt: skip
  normal = {labels.key(label) for label in config.normal_labels}
  keep = np.array([labels.key(label) in normal for label in train], bool)
  if not keep.any():
    raise errors.UserError(
      f'{names[0]} has no row with the label {quoted}; check'
      ' data.normal_labels (normal=)'
    )
  keep = np.concatenate([keep, np.ones(samples.sizes[1], bool)])
  return None, keep, (
    f'{names[1]} has no labels "{config.label_column}": scores only; the'
    f' {int(keep[: samples.sizes[0]].sum())} rows of {names[0]} with the label'
    f' {quoted} train',
  )  # fmt: skip


def _check_fields(config) -> None:
  """Raises UserError if fields of `data` are missing or do not go together."""
  if not config.path:
    raise errors.UserError(
      'config field "data.path" is empty; data set "arrays" needs a file'
    )
  for path in filter(None, (config.path, config.test_path)):
    if not path.lower().endswith(SUFFIXES):
      raise errors.UserError(
        f'{path} has an unknown suffix; expected {", ".join(SUFFIXES)}'
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
  if config.test_path and (_is_npz(config.path) != _is_npz(config.test_path)):
    raise errors.UserError(
      f'{config.path} and {config.test_path}: an npz file and a table do not'
      ' go together'
    )
  dropped = set(config.drop_columns)
  key = (config.key_column,) if config.key_column else ()
  used = (*key, *config.categorical_columns, *config.date_columns)
  for name in (config.label_column, *used):
    if name in dropped:
      raise errors.UserError(
        f'config field "data.drop_columns" drops "{name}", which another'
        ' field uses'
      )
  for field in ('categorical_columns', 'date_columns'):
    if config.label_column and config.label_column in config[field]:
      raise errors.UserError(
        f'config field "data.{field}" has the label column'
        f' "{config.label_column}"; leave it out'
      )
  for name in config.date_columns:
    if name in config.categorical_columns:
      raise errors.UserError(
        f'config field "data.date_columns" has "{name}", which'
        ' data.categorical_columns has, too; a column is of one kind'
      )
  if key and config.key_column in ('file', *_SCORE_COLUMNS):
    raise errors.UserError(
      f'config field "data.key_column" is "{config.key_column}", which is a'
      ' column of scores.csv; rename it in the file'
    )
  if key and config.key_column in (config.label_column, *used[1:]):
    raise errors.UserError(
      f'config field "data.key_column" is "{config.key_column}", which another'
      ' field uses'
    )
