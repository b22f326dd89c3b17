"""New rows in a data frame of pandas or polars, read as those of files."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from memae_jax.data import types
from memae_jax.data.tables import (
  delimited,
  read_table,
  row_stream,
  table_files,
)
from memae_jax.runtime import errors

_NAME = 'the frame'  # In place of the path of a file, in messages.


def is_raw(samples: Any, meta: Mapping[str, Any]) -> bool:
  """Returns whether samples are a frame with categories or dates as they were.

  Args:
    samples: a frame, or anything else.
    meta: `input` of a scorer's meta.json.
  """
  given = {c for c in getattr(samples, 'columns', ()) if isinstance(c, str)}
  trained = types.columns_of_json(meta['columns'])
  return any(c.name in given for c in trained if c.categories or c.parts)


def encoded(samples: Any, meta: Mapping[str, Any]) -> np.ndarray:
  """Returns the rows of a frame as a network takes them, [B, D].

  Args:
    samples: frame whose columns are those of the training table; others are
      left out.
    meta: `input` of a scorer's meta.json.

  Raises:
    UserError: it lacks a column or a value, or has an unknown category.
  """
  options = table_files.options_of(meta)
  names = [str(name) for name in samples.columns]
  columns = {
    name: _column(name, samples[name], options)
    for name in names
    if options.wants(name)
  }
  raw = delimited.Raw(_NAME, tuple(names), columns)
  (table,) = read_table.of_raws([raw], options).tables
  return table_files.encoded(table, meta, options)[1]


def _column(name: str, cells: Any, options: read_table.Options) -> np.ndarray:
  """Returns a column as numbers, or as text where cells hold text.

  Raises:
    UserError: it holds text and numbers, or something else.
  """
  array = np.asarray(cells)
  if array.dtype.kind in 'iufb' and not options.is_text(name):
    return array.astype(np.float64)
  if array.dtype.kind == 'M':  # As text in ISO 8601, and not as integers.
    array = array.astype('datetime64[us]').astype(object)
  values = [
    row_stream.cell(name, None if _is_missing(v) else v, options, _NAME)
    for v in array.tolist()
  ]
  numeric = [isinstance(value, float) for value in values]
  if all(numeric):
    return np.array(values)
  if not any(numeric):
    return np.array(values, object)
  if np.isnan([v for v in values if isinstance(v, float)]).all():
    return np.array(
      ['' if is_ else v for v, is_ in zip(values, numeric)], object
    )
  raise errors.UserError(
    f'{_NAME}: column "{name[:40]}" holds text and numbers; give one of both'
  )


def _is_missing(value: Any) -> bool:
  """Returns whether a value is None, NaN, or NaT or NA of pandas."""
  is_nan = isinstance(value, float) and value != value
  return (
    value is None or is_nan or type(value).__name__ in ('NAType', 'NaTType')
  )
