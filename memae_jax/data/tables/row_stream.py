"""Rows of a table that come one after another, read as those of its files."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from memae_jax.data import stream_samples
from memae_jax.data.tables import delimited, read_table, table_files
from memae_jax.runtime import errors

_NAME = 'the stream'  # In place of the path of a file, in messages.


class _Raw(delimited.Raw):
  """One row of a stream."""

  def place(self, row: int) -> str:
    """Returns the place of the row in the stream, counted from 0."""
    return f'row {self.lines[row]}'


class Rows(stream_samples.Singles):
  """Rows: values by column, or encoded ones."""

  def __init__(self, meta: Mapping[str, Any], prepared: Callable[..., Any]):
    """Begins a stream.

    Args:
      meta: `input` of a scorer's meta.json.
      prepared: see `stream_samples.Singles`.
    """
    super().__init__(prepared)
    self._meta, self._options = meta, table_files.options_of(meta)
    self._key = meta.get('key_column', '')

  def read(self, sample: Any) -> tuple[np.ndarray, str]:
    """Returns the inputs [D] of a row, and its key or ''.

    Args:
      sample: {column: value}, where a value is text as in a file, a number, a
        truth value, or None where it is missing; columns that the training
        table did not have are left out; so is a Series of pandas read. Or
        the inputs [D], encoded.

    Raises:
      UserError: it lacks a column or a value, or has an unknown category.
    """
    if hasattr(sample, 'to_dict'):
      sample = sample.to_dict()
    if not isinstance(sample, Mapping):
      return super().read(sample)
    columns = {
      name: _column(name, value, self._options)
      for name, value in sample.items()
      if self._options.wants(name)
    }
    names = tuple(map(str, sample))
    raw = _Raw(_NAME, names, columns, np.array([self._index]))
    (table,) = read_table.of_raws([raw], self._options).tables
    places, inputs = table_files.encoded(table, self._meta, self._options)
    return self._fitting(inputs[0]), places.get(self._key, [''])[0]


def cell(
  name: str, value: Any, options: read_table.Options, where: str = _NAME
) -> float | str | None:
  """Returns a value as a cell of a table, a number or text.

  Args:
    name: of its column.
    value: text as in a file, a number, a truth value, or None.
    options: by which rows are read.
    where: begins an error message.

  Returns:
    Text of a column of text, or None where it has no value; and of any column
    where the value is text. Else a number, NaN where there is no value.

  Raises:
    UserError: it is something else.
  """
  if options.is_text(name):
    text = '' if value is None else str(value).strip()
    return None if options.is_no_text(text) else text
  if isinstance(value, str):
    return value.strip()
  try:
    return np.nan if value is None else float(value)
  except (TypeError, ValueError, OverflowError) as error:
    raise errors.UserError(
      f'{where}: column "{name[:40]}" holds a {type(value).__name__} that is no'
      ' number; give a number, text as in a file, or nothing'
    ) from error


def _column(name: str, value: Any, options: read_table.Options) -> np.ndarray:
  """Returns a value as a column of one row, of numbers or of text."""
  found = cell(name, value, options)
  kind = np.float64 if isinstance(found, float) else object
  return np.array([found], kind)
