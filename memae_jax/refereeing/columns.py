"""Reads scores and labels from an npy, npz or csv file, or a folder of these.

A folder has one file for each video, named as the video. A table, or an npz
file, has `score` and `label`, and may have `video` and `frame` (from 0 in each
video). Plurals are taken, too. Nothing is ever unpickled.
"""

import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from memae_jax.data import listing
from memae_jax.data.tables import npz, numbers, read_table
from memae_jax.runtime import errors, foreign, paths

NAMES = ('score', 'label', 'video', 'frame')
ALIKE = {  # Spellings of the names in files.
  'score': ('score', 'scores'),
  'label': ('label', 'labels'),
  'video': ('video', 'videos'),
  'frame': ('frame', 'frames'),
}
MOST = 10_000_000  # Frames of a video; more are taken for a mistake.
_HUGE = 1e100  # Its square is still finite.
_ARRAYS = ('.npy', '.npz')
Place = Callable[[int], str]  # Says where a row is.


class Columns(NamedTuple):
  """Columns of one source, of T samples each.

  path: of the file or folder, for messages.
  score: [T] float64; label: [T] bool; None where the source has none.
  video: [T] text, the video of each sample, or None.
  frame: [T] int64, its index there, or None.
  remarks: lines on how it was read.
  """

  path: str
  score: np.ndarray | None = None
  label: np.ndarray | None = None
  video: np.ndarray | None = None
  frame: np.ndarray | None = None
  remarks: tuple[str, ...] = ()

  @property
  def size(self) -> int:
    """Number of samples."""
    return next(len(c) for c in self[1:5] if c is not None)

  def videos(self) -> dict[str, np.ndarray]:
    """Returns the places [n] of the samples of each video, in order."""
    names, place = np.unique(self.video, return_inverse=True)
    found = {str(n): np.flatnonzero(place == i) for i, n in enumerate(names)}
    return dict(sorted(found.items(), key=lambda item: item[1][0]))


def read(name: str, flag: str, main: str) -> Columns:
  """Reads a file or folder.

  Args:
    name: its path.
    flag: that has it, for messages.
    main: 'score' or 'label': what a bare array is, and what it must have.

  Raises:
    UserError: it is damaged, of another kind, or a value is none that a score
      or label can have; names the file and the place.
  """
  path = paths.local(name, flag)
  if path.is_dir():
    return _folder(path, flag, main)
  return _file(foreign.file(path, flag), main)


def _folder(path: pathlib.Path, flag: str, main: str) -> Columns:
  """Reads one file for each video; videos are in the order of their names."""
  shown, parts = foreign.name_of(path), {}
  files = [
    file
    for file in listing.files(path)
    if file.name.lower().endswith((*_ARRAYS, *read_table.SUFFIXES))
  ]
  if not files:
    raise errors.UserError(
      f'{shown} has no npy, npz or csv file; {flag} takes a file, or a folder'
      ' with one file for each video'
    )
  for file in sorted(files, key=listing.natural):
    video = foreign.name_of(file.relative_to(path).as_posix())
    for suffix in (*_ARRAYS, *read_table.SUFFIXES[::-1]):
      if video.lower().endswith(suffix):
        video = video[: -len(suffix)]
        break
    part = _file(file, main)
    if part.video is not None:
      raise errors.UserError(
        f'{part.path} has a column "video", but in a folder the name of the'
        ' file is the video; remove it, or give this file alone'
      )
    if video in parts:
      raise errors.UserError(
        f'{shown} has two files of video "{video}"; leave one'
      )
    parts[video] = part
  kinds = {}
  for part in parts.values():
    has = tuple(n for n in NAMES if getattr(part, n) is not None)
    kinds.setdefault(has, part.path)
  if len(kinds) > 1:
    (one, first), (other, second), *_ = kinds.items()
    raise errors.UserError(
      f'{first} has {", ".join(one)}, but {second} has {", ".join(other)};'
      ' give all files of a folder alike'
    )
  joined = {
    column: np.concatenate([getattr(part, column) for part in parts.values()])
    for column in next(iter(kinds))
  }
  joined['video'] = np.repeat(
    np.array(list(parts)), [part.size for part in parts.values()]
  )
  remarks = tuple(line for part in parts.values() for line in part.remarks)
  return Columns(shown, **joined, remarks=remarks)


def _file(path: pathlib.Path, main: str) -> Columns:
  """Reads one file."""
  lower, shown = path.name.lower(), foreign.name_of(path)
  if lower.endswith(_ARRAYS):
    found, remarks, place = _arrays(path, main), (), 'index {}'.format
  elif lower.endswith(read_table.SUFFIXES):
    found, remarks, place = _table(path, main)
  else:
    raise errors.UserError(
      f'{shown} is of no kind that is read; give npy, npz, csv or parquet'
    )
  out = {}
  for column, values in found.items():
    values, remark = _vector(shown, column, values)
    remarks += (remark,) if remark else ()
    out[column] = _TYPED[column](shown, values, place)
  sizes = {column: len(values) for column, values in out.items()}
  if len(set(sizes.values())) > 1:
    (first, n), (other, m) = next(
      (a, b) for a in sizes.items() for b in sizes.items() if a[1] != b[1]
    )
    raise errors.UserError(
      f'{shown} has {n:,} values of {first}, but {m:,} of {other}; give one of'
      ' each for each sample'
    )
  return Columns(shown, **out, remarks=remarks)


def _arrays(path: pathlib.Path, main: str) -> dict[str, np.ndarray]:
  """Returns the arrays of an npy or npz file by `NAMES`."""
  content, shown = npz.arrays(path), foreign.name_of(path)
  if not content:
    raise errors.UserError(f'{shown} has no array')
  if path.suffix.lower() == '.npy':
    return {main: content['inputs']}
  found = _named(shown, content, 'arrays')
  if not found and len(content) == 1:
    return {main: next(iter(content.values()))}
  if main not in found:
    raise errors.UserError(
      f'{shown} has arrays {", ".join(map(foreign.name_of, content))}, but no'
      f' "{main}"; name it so'
    )
  return found


def _table(
  path: pathlib.Path, main: str
) -> tuple[dict[str, np.ndarray], tuple[str, ...], Place]:
  """Returns the columns of a table by `NAMES`, remarks, and places of rows."""
  every = frozenset(name for names in ALIKE.values() for name in names)
  options = read_table.Options(
    text=every,  # As numbers they might be read in a format of a country.
    keep=every,
    optional=every,
  )
  read = read_table.read([path], options)
  (table,) = read.tables
  shown = foreign.name_of(path)
  found = _named(shown, table.columns, 'columns')
  if main not in found:
    known = [name for name in table.raw.header if not name.startswith('\x00')]
    listed = ', '.join(f'"{foreign.name_of(n)[:30]}"' for n in known[:8])
    raise errors.UserError(
      f'{shown} has no column "{main}"; its first line has'
      f' {listed or "no names"}'
    )
  for column in found.keys() - {'video'}:
    found[column] = _plain(shown, column, found[column], table.raw.place)
  return found, read.remarks, table.raw.place


def _plain(path: str, column: str, cells: np.ndarray, place: Place):
  """Returns cells [T] as float64, NaN where there is nothing."""
  if cells.dtype.kind in 'biuf':
    return cells
  out = np.full(len(cells), np.nan)
  for i, cell in enumerate(cells.tolist()):
    if cell is None:
      continue
    if not numbers.is_plain(cell):
      raise errors.UserError(
        f'{path}: {column} "{foreign.name_of(cell)[:40]}" at {place(i)} is no'
        ' number; write it as 0.5 or 1e-3'
      )
    out[i] = numbers.plain(cell)
  return out


def _named(
  path: str, content: Mapping[str, Any], kind: str
) -> dict[str, np.ndarray]:
  """Picks what has one of the names that are known."""
  out = {}
  for column, names in ALIKE.items():
    there = [name for name in names if name in content]
    if len(there) > 1:
      raise errors.UserError(
        f'{path} has {kind} "{there[0]}" and "{there[1]}"; leave one'
      )
    if there:
      out[column] = content[there[0]]
  return out


def _vector(
  path: str, column: str, values: np.ndarray
) -> tuple[np.ndarray, str]:
  """Returns an array as [T], and what was done for it, or ''."""
  values = np.asarray(values)
  kinds = 'OU' if column == 'video' else 'biuf'
  if column == 'video' and values.dtype.kind in 'iu':
    values = values.astype(str)
  if values.dtype.kind not in kinds:
    raise errors.UserError(
      f'{path}: {column} is {_kind(values.dtype)}; expected'
      f' {"text" if column == "video" else "numbers"}'
    )
  if not values.size:
    raise errors.UserError(f'{path}: {column} is empty')
  shape = values.shape
  if values.ndim == 1:
    return values, ''
  if not values.ndim or sum(n > 1 for n in shape) > 1:
    raise errors.UserError(
      f'{path}: {column} has shape {list(shape)}; give one value for each'
      ' sample, [T]'
    )
  return values.ravel(), f'read {column} {list(shape)} of {path} as one row'


def _kind(dtype: np.dtype) -> str:
  """Names a type of array for people."""
  names = {'O': 'Python objects', 'U': 'text', 'S': 'text', 'c': 'complex'}
  return names.get(dtype.kind, str(dtype))


def _score(path: str, values: np.ndarray, place: Place) -> np.ndarray:
  values = values.astype(np.float64)
  bad = np.flatnonzero(~np.isfinite(values))
  if bad.size:
    raise errors.UserError(
      f'{path}: {bad.size:,} of {values.size:,} scores are not finite, the'
      f' first at {place(bad[0])}; mend them, or leave these samples out'
    )
  bad = np.flatnonzero(np.abs(values) > _HUGE)
  if bad.size:
    raise errors.UserError(
      f'{path}: score {values[bad[0]]:g} at {place(bad[0])} is too large to'
      f' compute with; keep scores within {_HUGE:g}'
    )
  return values


def _label(path: str, values: np.ndarray, place: Place) -> np.ndarray:
  bad = np.flatnonzero(~np.isin(values, (0, 1)))
  if bad.size:
    raise errors.UserError(
      f'{path}: label {values[bad[0]]:g} at {place(bad[0])}; labels are 0'
      ' (normal) and 1 (anomalous)'
    )
  return values.astype(bool)


def _frame(path: str, values: np.ndarray, place: Place) -> np.ndarray:
  number = values.astype(np.float64)
  bad = ~(np.isfinite(number) & (number == np.round(number)))
  bad = np.flatnonzero(bad | (number < 0) | (number >= MOST))
  if bad.size:
    raise errors.UserError(
      f'{path}: frame {number[bad[0]]:.12g} at {place(bad[0])}; frames are'
      f' whole numbers from 0 in each video, below {MOST:,}'
    )
  return number.astype(np.int64)


def _video(path: str, values: np.ndarray, place: Place) -> np.ndarray:
  bad = [i for i, value in enumerate(values.tolist()) if value in (None, '')]
  if bad:
    raise errors.UserError(
      f'{path}: the video at {place(bad[0])} has no name; fill it in'
    )
  return np.array([foreign.name_of(str(v))[:200] for v in values.tolist()])


_TYPED = {'score': _score, 'label': _label, 'frame': _frame, 'video': _video}
