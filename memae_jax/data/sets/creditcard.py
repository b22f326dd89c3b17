"""Card payments in the form of the ULB table, a tenth of a percent frauds.

The table (Dal Pozzolo et al. 2015; `creditcard.csv` of Kaggle) has Time,
seconds since its first row; V1 to V28, principal components of what the
publisher keeps secret; Amount; and Class, 1 for a fraud. The components were
fitted on the whole table, frauds and the future included, which nobody can
undo.
"""

import pathlib
from collections.abc import Sequence

import ml_collections
import numpy as np

from memae_jax.data import registry, types
from memae_jax.data.tables import columns, table_files
from memae_jax.runtime import errors, foreign

TIME, AMOUNT, CLASS = 'Time', 'Amount', 'Class'
COMPONENTS = tuple(f'V{i}' for i in range(1, 29))
COLUMNS = (TIME, *COMPONENTS, AMOUNT, CLASS)
ROWS, FRAUDS = 284_807, 492  # Of the published table.
FILES = ('creditcard.csv', 'creditcard.csv.gz', 'creditcard.parquet')
LABELS = ('normal', 'fraud')
_DAY, _HOUR = 86_400.0, 3_600.0  # Seconds.


def load(config) -> types.Source:
  """Reads `data.path`, or else the prepared file.

  The second half of the seconds is the test set of the protocol "given".

  Args:
    config: the resolved `config.data`; `time_input` says what networks see of
      the time.

  Returns:
    Source of rows [S, D] with the amount and the time of each payment.

  Raises:
    UserError: there is no file, it has other columns, or a value is wrong.
  """
  path = config.path or _prepared(config)
  return read(path, config)


def read(path: str, config) -> types.Source:
  """Reads a file of the form of the table, see `load`.

  Args:
    path: of the file.
    config: the resolved `config.data`.
  """
  for name in config.drop_columns:
    if name in COLUMNS:
      raise errors.UserError(
        f'config field "data.drop_columns" drops "{name}", which data set'
        ' "creditcard" needs; Time is an input only by data.time_input'
      )
  fields = {'label_column': CLASS, 'key_column': '', 'categorical_columns': ()}
  samples = table_files.load(
    [path], ml_collections.FrozenConfigDict(config.to_dict() | fields)
  )
  _check_columns(path, [column.name for column in samples.columns])
  names = [column.name for column in samples.columns]
  values = {name: samples.inputs[:, i] for i, name in enumerate(names)}
  _check_payments(path, values)
  payments = types.Payments(values[AMOUNT], values[TIME])
  is_test = payments.seconds >= boundary(payments.seconds)
  labels = _labels(path, samples.labels[0])
  inputs, encoded = columns.encode(
    {
      **_OF_TIME[config.time_input](values[TIME]),
      **{name: values[name] for name in (*COMPONENTS, AMOUNT)},
    },
    {},
  )
  return types.Source(
    name='creditcard',
    inputs=inputs,
    labels=labels,
    label_names=LABELS,
    normal_labels=(0,),
    is_test=is_test,
    columns=encoded,
    payments=payments,
    places={
      'row': np.arange(len(labels)),
      TIME: payments.seconds,
      AMOUNT: payments.amount,
    },
    notes=samples.notes,
    remarks=(*samples.remarks, *_remarks(config, labels, payments, is_test)),
    warnings=tuple(w for w in samples.warnings if f'"{TIME}"' not in w),
  )


def boundary(seconds: np.ndarray) -> float:
  """Returns the time from which on payments are tested.

  It is the middle between the first and the last payment or, of a day and more,
  the end of a whole day of 86,400 seconds that is less than an hour from there:
  of the published table the first day trains and the second is tested.

  Args:
    seconds: [S], since the first row.
  """
  first, last = float(seconds.min()), float(seconds.max())
  middle = (first + last) / 2
  days = round(middle / _DAY) * _DAY
  is_near = last - first >= _DAY and abs(days - middle) < _HOUR
  return days if is_near else middle


def _prepared(config) -> str:
  folder = registry.data_dir(config.data_dir) / 'creditcard'
  for name in FILES:
    if (folder / name).is_file():
      return str(folder / name)
  raise errors.UserError(
    f'data set "creditcard" is not prepared in {folder}; name the file (path=,'
    ' data.path), or run python -m memae_jax.data.prepare creditcard'
    ' --manual_dir=FOLDER with the folder of creditcard.csv'
  )


def _check_columns(path: str, names: Sequence[str]) -> None:
  """Raises UserError if a file has not the columns of the table."""
  file_name = foreign.name_of(pathlib.Path(path))
  wanted = [name for name in COLUMNS if name != CLASS]
  missing = [name for name in wanted if name not in names]
  other = [name for name in names if name not in wanted]
  form = 'the table of card payments has Time, V1 to V28, Amount and Class'
  if missing:
    listed = ', '.join(f'"{name}"' for name in missing[:3])
    more = f' and {len(missing) - 3} more' if len(missing) > 3 else ''
    raise errors.UserError(
      f'{file_name} has no column {listed}{more}; {form}; for another table use'
      ' configs/arrays.py'
    )
  if other:
    raise errors.UserError(
      f'{file_name} has a column "{other[0]}", but {form}; leave it out'
      f' (data.drop_columns), or use configs/arrays.py'
    )


def _check_payments(path: str, values) -> None:
  """Raises UserError for a payment without amount or time, or below 0."""
  for name in (TIME, AMOUNT):
    for wrong, why in (
      (np.isnan(values[name]), 'has no value'),
      (values[name] < 0, 'is negative'),
    ):
      if wrong.any():
        raise errors.UserError(
          f'{foreign.name_of(pathlib.Path(path))} row {int(wrong.argmax())}:'
          f' column "{name}" {why}; mend or drop the row'
        )


def _labels(path: str, cells: np.ndarray) -> np.ndarray:
  """Returns [S] int32, 1 for a fraud; cells are 0 and 1, quoted or not."""
  known = {'0': 0, '1': 1, '0.0': 0, '1.0': 1}
  kinds = {cell: known.get(cell.strip("'")) for cell in dict.fromkeys(cells)}
  for cell, kind in kinds.items():
    if kind is None:
      raise errors.UserError(
        f'{foreign.name_of(pathlib.Path(path))} row'
        f' {int((cells == cell).argmax())}: column "{CLASS}" holds'
        f' "{cell[:40]}", but it must be 0, or 1 for a fraud'
      )
  return np.fromiter((kinds[cell] for cell in cells), np.int32, len(cells))


def _remarks(config, labels, payments, is_test) -> tuple[str, ...]:
  rows, frauds = len(labels), int(labels.sum())
  is_published = (rows, frauds) == (ROWS, FRAUDS)
  counts = f'{rows:,} payments, {frauds:,} of them frauds' + (
    ', as published'
    if is_published
    else f'; the published table has {ROWS:,} and {FRAUDS:,}'
  )
  if config.protocol != 'given':
    return (counts,)
  return (
    counts,
    f'split by time: the {int((~is_test).sum()):,} payments before second'
    f' {boundary(payments.seconds):,.0f} train and validate, the'
    f' {int(is_test.sum()):,} later ones are tested',
  )


def _time_of_day(seconds: np.ndarray) -> dict[str, np.ndarray]:
  angle = 2 * np.pi * seconds / _DAY
  return {
    'Time of day (sine)': np.sin(angle),
    'Time of day (cosine)': np.cos(angle),
  }


# What networks see of the time, by value of `data.time_input`.
_OF_TIME = {
  'none': lambda seconds: {},
  'time_of_day': _time_of_day,
  'seconds': lambda seconds: {TIME: seconds},
}
