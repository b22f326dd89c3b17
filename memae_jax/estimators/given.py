"""Samples as people give them to an estimator: arrays, frames and pictures."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from memae_jax.runtime import errors

KINDS = (
  'an array [n, D] or [n, H, W, C], a frame of pandas or polars, or a list of'
  ' pictures'
)
_TABLE = 2  # Dimensions of a table.
_MODES = ('L', 'RGB', 'I;16')  # Of Pillow, whose numbers are brightnesses.
_TEXT = ('str', 'categor', 'enum', 'date', 'time')  # In names of types.


def stacked(X: Any) -> Any:
  """Returns a list of pictures as one array; anything else as it is.

  Args:
    X: samples; pictures are of Pillow, or arrays [H, W] or [H, W, C].

  Raises:
    UserError: X is no samples at all, or its pictures differ in size or mode.
  """
  if isinstance(X, (str, bytes, os.PathLike)):
    raise errors.UserError(
      f'X is {X!r:.40}; give {KINDS}, or train a file or folder by'
      ' memae_jax.train'
    )
  if _is_picture(X):
    raise errors.UserError('X is one picture; give a list of pictures')
  if hasattr(X, 'toarray'):
    raise errors.UserError(
      f'X is sparse ({type(X).__name__}), which is not supported; give'
      ' X.toarray()'
    )
  if not isinstance(X, Sequence) and not hasattr(X, '__array__'):
    raise errors.UserError(f'X is {type(X).__name__}; give {KINDS}')
  _refuse_text(X)
  if not isinstance(X, Sequence):
    return X
  if not len(X):
    raise errors.UserError(f'X is empty; give {KINDS}')
  if any(map(_is_picture, X)):
    _check_modes(X)
    X = [np.asarray(picture) for picture in X]
  if not all(isinstance(x, np.ndarray) and x.ndim >= _TABLE for x in X):
    return _of_lists(X)
  for i, picture in enumerate(X):
    if picture.shape != X[0].shape:
      raise errors.UserError(
        f'X[{i}] has shape {picture.shape}, but X[0] has {X[0].shape}; resize'
        ' all pictures to one size'
      )
    if picture.dtype != X[0].dtype:
      raise errors.UserError(
        f'X[{i}] is {picture.dtype}, but X[0] is {X[0].dtype}; give all'
        ' pictures in one type'
      )
  return np.stack(X)


def _of_lists(X: Sequence[Any]) -> np.ndarray:
  """Returns nested lists of numbers as an array.

  Raises:
    UserError: they have several lengths, or hold text.
  """
  try:
    array = np.asarray(X)
  except ValueError as error:  # Of NumPy, over two lines.
    raise errors.UserError(
      f'the {len(X)} samples of X have several lengths; give {KINDS}'
    ) from error
  _refuse_text(array)
  return array


def check_rows(X: Any) -> None:
  """Raises UserError for an array of one dimension."""
  if getattr(X, 'ndim', _TABLE) == 1 and not hasattr(X, 'columns'):
    raise errors.UserError(
      f'X has one dimension, {X.shape[0]} numbers. Reshape your data:'
      ' X.reshape(1, -1) is one sample, X.reshape(-1, 1) one column'
    )


def is_images(X: Any) -> bool:
  """Returns whether samples from `stacked` have more than columns."""
  return getattr(X, 'ndim', _TABLE) > _TABLE


def check_dimensions(X: Any, wanted: Sequence[int]) -> None:
  """Raises UserError for samples of another kind than those of `fit`.

  Args:
    X: samples from `stacked`.
    wanted: shape of a sample of `fit`, with its channels.
  """
  shape, one = tuple(getattr(X, 'shape', ())), tuple(wanted)
  if len(one) == 1:
    if is_images(X):
      raise errors.UserError(
        f'X has shape {shape}, but fit() had a table of {one[0]} columns;'
        f' give an array [n, {one[0]}]'
      )
    return
  if shape == one or (one[-1] == 1 and shape == one[:-1]):
    raise errors.UserError(
      f'X is one picture, of shape {shape}; give X[None], which is a batch'
    )
  if not is_images(X):
    raise errors.UserError(
      f'X has shape {shape}, but fit() had pictures of shape'
      f' {one}; give an array [n{"".join(f", {n}" for n in one)}]'
    )


def check_finite(
  array: np.ndarray, names: Sequence[str] | None, missing: str
) -> None:
  """Raises UserError for a number that is missing or infinite.

  Args:
    array: [n, ...] samples.
    names: of the columns of a table, or None.
    missing: `data.missing`; "median" takes missing numbers of tables.
  """
  if array.dtype.kind != 'f' or np.isfinite(np.sum(array)):
    return
  is_table = array.ndim == _TABLE
  takes_missing = is_table and missing == 'median'
  refused = np.isinf(array) if takes_missing else ~np.isfinite(array)
  if not refused.any():
    return
  row, *place = (int(i[0]) for i in np.nonzero(refused))
  kind = 'NaN' if np.isnan(array[row, *place]) else 'infinity'
  at = f'at {", ".join(map(str, place))}'
  if is_table:
    at = f'in column {place[0]}' if names is None else f'in "{names[place[0]]}"'
  rows = int(refused.reshape(len(array), -1).any(axis=1).sum())
  raise errors.UserError(
    f'X contains {kind} {at}, row {row} ({rows} of {len(array)} rows); mend or'
    ' drop it'
    + (
      ', or set config={"data.missing": "median"}'
      if is_table and kind == 'NaN'
      else ''
    )
  )


def check_varies(array: np.ndarray) -> None:
  """Raises UserError if all samples of `fit` are equal.

  Args:
    array: [n, ...] samples.
  """
  if all((part == array[:1]).all() for part in np.array_split(array, 8)):
    raise errors.UserError(
      f'all {len(array)} samples of X are equal, so there is nothing to learn;'
      ' give samples that vary as normal ones do'
    )


def check_new(array: np.ndarray, trained: np.ndarray) -> None:
  """Raises UserError if samples are among those of `fit`.

  Args:
    array: [v, ...] samples.
    trained: [n, ...] those of `fit`.
  """
  as_bytes = lambda rows: [row.tobytes() for row in rows.astype(np.float64)]
  known = set(as_bytes(trained))
  same = [i for i, row in enumerate(as_bytes(array)) if row in known]
  if same:
    raise errors.UserError(
      f'{len(same)} of {len(array)} samples of X, the first at row {same[0]},'
      ' are equal to some that fit() had, and would make alarm rates too low;'
      ' leave them out'
    )


def _is_picture(x: Any) -> bool:
  """Returns whether something is a picture of Pillow, which may be absent."""
  return hasattr(x, 'mode') and hasattr(x, 'getbands')


def _check_modes(X: Sequence[Any]) -> None:
  """Raises UserError for pictures whose numbers are no brightnesses."""
  for i, picture in enumerate(X):
    mode = getattr(picture, 'mode', None)
    if mode not in _MODES:
      found = f'a picture of mode {mode}' if mode else type(picture).__name__
      raise errors.UserError(
        f'X[{i}] is {found}; convert all, such as by .convert("RGB") or "L" of'
        ' Pillow'
      )
    if mode != X[0].mode:
      raise errors.UserError(
        f'X[{i}] is a picture of mode {mode}, but X[0] of {X[0].mode}; convert'
        ' all to one, such as by .convert("RGB") of Pillow'
      )


def _refuse_text(X: Any) -> None:
  """Raises UserError for an array or a frame of text, or a column twice."""
  if isinstance(X, np.ndarray) and X.dtype.kind in 'SU':
    raise errors.UserError(
      f'X is an array of text ({X.dtype}); give numbers, and encode'
      ' categories, for example by OneHotEncoder of scikit-learn'
    )
  if not (hasattr(X, 'columns') and hasattr(X, 'dtypes')):
    return
  names = [str(name) for name in X.columns]
  for name in names:
    if names.count(name) > 1:
      raise errors.UserError(
        f'X has column "{name}" {names.count(name)} times; give it once'
      )
  for name, kind in zip(names, list(X.dtypes)):
    text = str(kind).lower()
    if any(word in text for word in _TEXT):
      raise errors.UserError(
        f'column "{name}" of X is {kind}, not numbers; encode it, for example'
        ' by OneHotEncoder or OrdinalEncoder of scikit-learn, or drop it'
      )
