"""Reads labels of the frames of test videos, in the formats of publishers.

A label is 0 (normal) or 1 (anomalous). Known are

  .npy   one label for each frame of all videos, one video after the other
  .csv   columns label, video and perhaps frame, see `label_tables`
  .m     UCSD: gt_frame = [61:180]; for each video, counted from 1, see
         `matlab_script`
  .mat   "gt": for each video [2, n], first and last frames, counted from 1; or
         labels as in .npy

or a folder with one file for each video: NAME.npy, NAME.csv (column label),
NAME.mat ("volLabel": masks, as in CUHK Avenue; or "l": labels), or a folder of
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
    lengths: number of frames of each.

  Returns:
    [n] uint8 for each video.

  Raises:
    UserError: a file is wrong or does not fit; file and video are named.
  """
  path = path.expanduser()
  if path.is_dir():
    labels = _folder(path, names, lengths)
  elif path.is_file():
    labels = _file(path, names, lengths)
  else:
    raise errors.UserError(
      f'{foreign.name_of(path)} of data.label_path does not exist'
    )
  for name, of_video, length in zip(names, labels, lengths):
    if len(of_video) != length:
      raise errors.UserError(
        f'{foreign.name_of(path)} has {len(of_video)} labels for video'
        f' "{name}", which has {length} frames'
      )
    check(of_video, f'{foreign.name_of(path)}, video "{name}"')
  return [of_video.astype(np.uint8) for of_video in labels]


def remark(origin: str, labels: Sequence[np.ndarray]) -> str:
  """Returns the line that says how many labels were read, and from where.

  Args:
    origin: where the labels are from, such as the name of a file.
    labels: [n] of each test video.
  """
  frames = sum(map(len, labels))
  anomalous = sum(int(np.count_nonzero(of_video)) for of_video in labels)
  return (
    f'labels from {origin}: {len(labels)} videos, {anomalous:,} of {frames:,}'
    ' frames anomalous'
  )


def check(labels: np.ndarray, where: str) -> None:
  """Raises UserError if a label is neither 0 nor 1.

  Args:
    labels: [n], of the frames of a video.
    where: the file and the video, for the message.
  """
  bad = ~np.isin(labels, (0, 1))
  if bad.any():
    frame = int(bad.argmax())
    raise errors.UserError(
      f'{where}: the label of frame {frame} is {labels[frame]}; expected 0 or 1'
    )


def _kind(path) -> str:
  """Returns the suffix of a file in lower case, '.csv' also for '.csv.gz'."""
  suffixes = [suffix.lower() for suffix in path.suffixes]
  if suffixes[-2:] == ['.csv', '.gz']:
    return '.csv'
  return suffixes[-1] if suffixes else ''


def _file(path, names, lengths) -> list[np.ndarray]:
  """Reads the labels of all videos from one file."""
  kind = _kind(path)
  if kind == '.npy':
    return _split(path, _npy(path, lengths), lengths)
  if kind in _TABLES:
    labels = label_tables.read(path, names, lengths)
    is_flat = isinstance(labels, np.ndarray)
    return _split(path, labels, lengths) if is_flat else labels
  if kind == '.m':
    script = matlab_script.read(foreign.text(path), foreign.name_of(path))
    return _of_script(path, script, names, lengths)
  if kind == '.mat':
    spans, labels = mat_files.spans_or_labels(path)
    if spans is None:
      return _split(path, labels, lengths)
    return _of_spans(path, spans, names, lengths)
  raise errors.UserError(
    f'{foreign.name_of(path)} is not a file of labels; expected .npy, .csv,'
    ' .m, .mat or a folder'
  )


def _folder(path, names, lengths) -> list[np.ndarray]:
  """Reads the labels of all videos from a folder with a file for each."""
  entries = {}
  for entry in sorted(path.iterdir()):
    if entry.name.startswith('.'):
      continue
    if not entry.is_dir() and entry.suffix.lower() not in _SUFFIXES:
      continue
    name = entry.name if entry.is_dir() else entry.stem
    name = name.removesuffix('_gt')
    if name in entries:
      raise errors.UserError(
        f'{foreign.name_of(path)} labels video "{name}" twice, by'
        f' {entries[name].name} and {entry.name}; remove one'
      )
    entries[name] = entry
  of_video = video_names.match(entries, names)
  files = {of_video.get(name, name): entry for name, entry in entries.items()}
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
  """Reads the labels [n] of one video from its file or its folder of masks."""
  if path.is_dir():
    files = decode_image.files(path)
    if not files:
      raise errors.UserError(
        f'{foreign.name_of(path)} has no masks; put one for each frame there'
      )
    return decode_video.masks(files, length, 0).any(axis=(1, 2))
  kind = _kind(path)
  if kind == '.npy':
    return _npy(path, [length])
  if kind == '.mat':
    return mat_files.masks_or_labels(path)[1]
  return label_tables.read_one(path, length)


def _npy(path, lengths) -> np.ndarray:
  """Reads the labels of all videos, [N], or [V, n] if all have n frames."""
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
  """Splits the labels [N] of all videos into those of each."""
  if len(labels) != sum(lengths):
    raise errors.UserError(
      f'{foreign.name_of(path)} has {len(labels)} labels, but the'
      f' {len(lengths)} test videos have {sum(lengths)} frames'
    )
  return np.split(labels, np.cumsum(lengths)[:-1])


def _of_script(path, script, names, lengths) -> list[np.ndarray]:
  """Returns the labels of each video from the frames that a script lists."""
  _check_videos(path, len(script), names)
  labels = [np.zeros(length, np.uint8) for length in lengths]
  for name, of_video, (numbers, line) in zip(names, labels, script):
    where = f'{foreign.name_of(path)} line {line}'
    for wrong in numbers[(numbers % 1 != 0) | (numbers < 1)][:1]:
      raise errors.UserError(
        f'{where}: {wrong:g} is not a frame of video "{name}"; frames are whole'
        ' numbers from 1'
      )
    if numbers.size and numbers.max() > len(of_video):
      raise _beyond(where, numbers.min(), numbers.max(), name, len(of_video))
    of_video[numbers.astype(np.int64) - 1] = 1
  return labels


def _of_spans(path, spans, names, lengths) -> list[np.ndarray]:
  """Returns the labels of each video from its spans of anomalous frames."""
  _check_videos(path, len(spans), names)
  labels = [np.zeros(length, np.uint8) for length in lengths]
  for name, of_video, video_spans in zip(names, labels, spans):
    for first, last in video_spans:
      if not 1 <= first <= last <= len(of_video):
        where = foreign.name_of(path)
        raise _beyond(where, first, last, name, len(of_video))
      of_video[first - 1 : last] = 1
  return labels


def _check_videos(path, videos, names) -> None:
  """Refuses a file for another number of videos than there are."""
  if videos != len(names):
    raise errors.UserError(
      f'{foreign.name_of(path)} has labels of {videos} videos, but there are'
      f' {len(names)} test videos'
    )


def _beyond(where, first, last, name, length) -> errors.UserError:
  """Returns the error that labelled frames lie beyond the end of a video."""
  return errors.UserError(
    f'{where}: frames {first:.0f} to {last:.0f} of video "{name}" are'
    f' anomalous, but it has {length} frames'
  )
