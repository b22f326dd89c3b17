"""Labels of the frames of test videos, from the files that publishers give.

A label is 0 (normal) or 1 (anomalous). Known are

  .npy   one label for each frame of all videos, one video after the other
  .csv   columns label, video and perhaps frame, see `label_tables`
  .m     UCSD: gt_frame = [61:180]; for each video, counted from 1, see
         `matlab_script`
  .mat   "gt": for each video [2, n], first and last frames, counted from 1; or
         labels as of .npy

or a folder with one file for each video: NAME.npy, NAME.csv (column label),
NAME.mat ("volLabel": masks, as of CUHK Avenue; or "l": labels), or a folder of
masks NAME or NAME_gt, where a frame is anomalous if any pixel is not black.
"""

import pathlib
from collections.abc import Sequence

import numpy as np

from memae_jax.data.images import decode_image
from memae_jax.data.videos import (
  decode_video,
  label_tables,
  mat_files,
  matlab_script,
  video_names,
)
from memae_jax.runtime import errors, foreign

_TABLES = ('.csv', '.tsv')
_SUFFIXES = ('.npy', '.mat', *_TABLES)


def read(
  path: pathlib.Path, names: Sequence[str], lengths: Sequence[int]
) -> list[np.ndarray]:
  """Reads the labels of all test videos.

  Args:
    path: a file or folder as above.
    names: of the test videos, in order.
    lengths: frames of each.

  Returns:
    [n] uint8 for each video.

  Raises:
    UserError: naming file and video of what is wrong or does not fit.
  """
  path = path.expanduser()
  kind = _kind(path)
  if path.is_dir():
    found = _folder(path, names, lengths)
  elif not path.is_file():
    raise errors.UserError(
      f'{foreign.name_of(path)} of data.label_path does not exist'
    )
  elif kind == '.npy':
    found = _split(path, _npy(path, lengths), lengths)
  elif kind in _TABLES:
    found = label_tables.read(path, names, lengths)
    if isinstance(found, np.ndarray):
      found = _split(path, found, lengths)
  elif kind == '.m':
    script = matlab_script.read(foreign.text(path), foreign.name_of(path))
    found = _of_script(path, script, names, lengths)
  elif kind == '.mat':
    spans, labels = mat_files.spans_or_labels(path)
    found = (
      _split(path, labels, lengths)
      if spans is None
      else _of_spans(path, spans, names, lengths)
    )
  else:
    raise errors.UserError(
      f'{foreign.name_of(path)} is no file of labels; expected .npy, .csv, .m,'
      ' .mat or a folder'
    )
  for name, labels, length in zip(names, found, lengths):
    if len(labels) != length:
      raise errors.UserError(
        f'{foreign.name_of(path)} has {len(labels)} labels for video "{name}",'
        f' which has {length} frames'
      )
    check(labels, f'{foreign.name_of(path)}, video "{name}"')
  return [labels.astype(np.uint8) for labels in found]


def remark(origin: str, labels: Sequence[np.ndarray]) -> str:
  """Returns the line that says what was read.

  Args:
    origin: where the labels are from, such as the name of a file.
    labels: [n] of each test video.
  """
  frames = sum(len(some) for some in labels)
  anomalous = sum(int(np.count_nonzero(some)) for some in labels)
  return (
    f'labels from {origin}: {len(labels)} videos, {anomalous:,} of {frames:,}'
    ' frames anomalous'
  )


def check(labels: np.ndarray, where: str) -> None:
  """Refuses labels other than 0 and 1 with a UserError."""
  bad = ~np.isin(labels, (0, 1))
  if bad.any():
    frame = int(bad.argmax())
    raise errors.UserError(
      f'{where}: the label of frame {frame} is {labels[frame]}; expected 0 or 1'
    )


def _kind(path) -> str:
  suffixes = [suffix.lower() for suffix in path.suffixes]
  if suffixes[-2:] == ['.csv', '.gz']:
    return '.csv'
  return suffixes[-1] if suffixes else ''


def _folder(path, names, lengths) -> list[np.ndarray]:
  there = {}
  for entry in sorted(path.iterdir()):
    if entry.name.startswith('.'):
      continue
    if not entry.is_dir() and entry.suffix.lower() not in _SUFFIXES:
      continue
    name = entry.name if entry.is_dir() else entry.stem
    name = name.removesuffix('_gt')
    if name in there:
      raise errors.UserError(
        f'{foreign.name_of(path)} labels video "{name}" twice, by'
        f' {there[name].name} and {entry.name}; remove one'
      )
    there[name] = entry
  of_video = video_names.match(there, names)
  files = {of_video.get(name, name): entry for name, entry in there.items()}
  for name in names:
    if name not in files:
      raise errors.UserError(
        f'{foreign.name_of(path)} has no labels of video "{name}"; expected'
        f' {name}.npy, .csv, .mat or a folder of masks'
      )
  extra = sorted(set(files) - set(names))
  if extra:
    raise errors.UserError(
      f'{foreign.name_of(files[extra[0]])} labels a video "{extra[0]}" that is'
      f' not among the {len(names)} test videos; add the video, or remove the'
      ' labels'
    )
  return [_one(files[name], length) for name, length in zip(names, lengths)]


def _one(path, length) -> np.ndarray:
  """Reads the labels of one video."""
  if path.is_dir():
    files = decode_image.files(path)
    if not files:
      raise errors.UserError(
        f'{foreign.name_of(path)} has no mask; put some there'
      )
    return decode_video.masks(files, length, 0).any(axis=(1, 2))
  kind = _kind(path)
  if kind == '.npy':
    return _npy(path, [length])
  if kind == '.mat':
    return mat_files.masks_or_labels(path)[1]
  return label_tables.read_one(path, length)


def _npy(path, lengths) -> np.ndarray:
  labels = foreign.npy(path)
  by_video = (len(lengths), max(lengths, default=0))
  is_flat = labels.size == max(labels.shape, default=0)
  if labels.dtype.kind not in 'iufb' or not (
    is_flat or (labels.shape == by_video and len(set(lengths)) == 1)
  ):
    raise errors.UserError(
      f'{foreign.name_of(path)} holds {labels.dtype} of shape {labels.shape};'
      ' expected one label for each frame'
    )
  return np.array(labels).ravel()


def _split(path, labels, lengths) -> list[np.ndarray]:
  if len(labels) != sum(lengths):
    raise errors.UserError(
      f'{foreign.name_of(path)} has {len(labels)} labels, but the'
      f' {len(lengths)} test videos have {sum(lengths)} frames'
    )
  return np.split(labels, np.cumsum(lengths)[:-1])


def _of_script(path, script, names, lengths) -> list[np.ndarray]:
  _check_videos(path, len(script), names)
  found = [np.zeros(length, np.uint8) for length in lengths]
  for name, labels, (numbers, line) in zip(names, found, script):
    where = f'{foreign.name_of(path)} line {line}'
    for wrong in numbers[(numbers % 1 != 0) | (numbers < 1)][:1]:
      raise errors.UserError(
        f'{where}: {wrong:g} is no frame of video "{name}"; frames are whole'
        ' numbers from 1'
      )
    if numbers.size and numbers.max() > len(labels):
      raise _beyond(where, numbers.min(), numbers.max(), name, labels)
    labels[numbers.astype(np.int64) - 1] = 1
  return found


def _of_spans(path, spans, names, lengths) -> list[np.ndarray]:
  _check_videos(path, len(spans), names)
  found = [np.zeros(length, np.uint8) for length in lengths]
  for name, labels, some in zip(names, found, spans):
    for first, last in some:
      if not 1 <= first <= last <= len(labels):
        raise _beyond(foreign.name_of(path), first, last, name, labels)
      labels[first - 1 : last] = 1
  return found


def _check_videos(path, videos, names) -> None:
  if videos != len(names):
    raise errors.UserError(
      f'{foreign.name_of(path)} has labels of {videos} videos, but there are'
      f' {len(names)} test videos'
    )


def _beyond(where, first, last, name, labels) -> errors.UserError:
  return errors.UserError(
    f'{where}: frames {first:.0f} to {last:.0f} of video "{name}" are'
    f' anomalous, but it has {len(labels)} frames'
  )
