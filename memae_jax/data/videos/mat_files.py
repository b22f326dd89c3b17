"""Reads labels and masks of frames from .mat files as publishers give them."""

import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.io

from memae_jax.runtime import child, errors, foreign

_LABELS = ('l', 'label', 'labels', 'gt')  # Names of a label for each frame.
_HDF5 = b'\x89HDF\r\n\x1a\n'


def masks_or_labels(
  path: pathlib.Path,
) -> tuple[np.ndarray | None, np.ndarray]:
  """Reads a file of one video: masks "volLabel", or labels such as "l".

  Returns:
    masks [n, H, W] bool (None: the file has labels only) and labels [n].

  Raises:
    UserError: the file cannot be read, or holds neither.
  """
  content = _load(path)
  if 'volLabel' in content:
    kind = 'file with "volLabel", a list of masks of one size'
    with foreign.reading(path, kind, 'fetch or save it again'):
      parts = [np.asarray(part) for part in content['volLabel'].ravel()]
      if any(part.ndim != 2 or part.dtype.kind not in 'iufb' for part in parts):
        raise ValueError('a part of it is not a mask')
      masks = np.stack([part.astype(bool) for part in parts])
      return masks, masks.any(axis=(1, 2))
  labels = _vector(content)
  if labels is None:
    raise errors.UserError(
      f'{path} has neither "volLabel" nor "l" (it has {_names(content)})'
    )
  return None, labels


def spans_or_labels(
  path: pathlib.Path,
) -> tuple[list[np.ndarray] | None, np.ndarray | None]:
  """Reads a file of all videos: a list "gt" of spans, or one label per frame.

  Returns:
    two values, of which one is None: [n, 2] int64 first and last anomalous
    frames of each video, counted from 1; and labels [N] of all frames, one
    video after the other.

  Raises:
    UserError: the file cannot be read, or holds neither.
  """
  content = _load(path)
  if 'gt' in content and content['gt'].dtype == object:
    cells = content['gt'].ravel()
    return [_spans(path, i, cell) for i, cell in enumerate(cells, 1)], None
  labels = _vector(content)
  if labels is None:
    raise errors.UserError(
      f'{path} has no list "gt" of the anomalous spans of each video (it has'
      f' {_names(content)})'
    )
  return None, labels


def _spans(path, number, cell) -> np.ndarray:
  """Returns the spans [n, 2] int64 of a video from its cell [2, n] of "gt"."""
  cell = np.asarray(cell)
  if cell.size == 0:
    return np.empty((0, 2), np.int64)
  if cell.ndim != 2 or len(cell) != 2 or cell.dtype.kind not in 'iufb':
    raise errors.UserError(
      f'{path}: cell {number} of "gt" is not of shape [2, n], first and last'
      ' frames'
    )
  is_integer = np.isfinite(cell) & (abs(cell) < 2**53)
  is_integer &= np.where(is_integer, cell, 0.5) % 1 == 0
  if not is_integer.all():
    raise errors.UserError(
      f'{path}: cell {number} of "gt" has {cell[~is_integer][0]}, which is not'
      ' the number of a frame'
    )
  return cell.T.astype(np.int64)


def _vector(content: Mapping[str, np.ndarray]) -> np.ndarray | None:
  """Returns the labels [n] among the variables of a file; None: none are."""
  for name in _LABELS:
    labels = np.asarray(content.get(name, ''))
    if labels.dtype.kind in 'iufb' and labels.size == max(labels.shape):
      return labels.ravel()
  return None


def _names(names: Sequence[str]) -> str:
  """Returns the names of variables, for a message."""
  return ', '.join(sorted(names)) or 'nothing'


def _load(path) -> dict[str, np.ndarray]:
  """Returns the variables of a file by name."""
  kind = '.mat file of version 5 to 7'
  with foreign.reading(path, kind, 'check that you may read it'):
    with path.open('rb') as file:
      start = file.read(520)
  if start.startswith((_HDF5, b'MATLAB 7.3')) or start[512:] == _HDF5:
    raise errors.UserError(
      f'{foreign.name_of(path)} is a .mat file of version 7.3; save it with'
      ' the option -v7'
    )
  return child.read(path, kind, _loadmat, os.fspath(path))


def _loadmat(path: str) -> dict[str, np.ndarray]:
  content = scipy.io.loadmat(path)
  return {
    name: value
    for name, value in content.items()
    if not name.startswith('__') and isinstance(value, np.ndarray)
  }
