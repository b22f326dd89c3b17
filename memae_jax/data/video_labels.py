"""Labels of the frames of test videos, from the files that publishers give.

A label is 0 (normal) or 1 (anomalous). Known are

  .npy   one label for each frame of all videos, one video after the other
  .csv   columns video and label (others are ignored), rows in order of frames
  .m     UCSD: gt_frame = [61:180]; for each video, counted from 1
  .mat   "gt": for each video [2, n], first and last frames, counted from 1

or a folder with one file for each video: NAME.npy, NAME.csv (column label),
NAME.mat ("volLabel": masks, as of CUHK Avenue; or "l": labels), or a folder of
masks NAME or NAME_gt, where a frame is anomalous if any pixel is not black.
"""

import csv
import pathlib
import re
from collections.abc import Sequence

import numpy as np
import scipy.io

from memae_jax import errors
from memae_jax.data import decoding, listing, pictures

_SUFFIXES = ('.npy', '.csv', '.mat')


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
  if path.is_dir():
    found = _folder(path, names, lengths)
  elif not path.is_file():
    raise errors.UserError(f'{path} of data.label_path does not exist')
  elif path.suffix == '.npy':
    found = _split(path, _npy(path), lengths)
  elif path.suffix == '.csv':
    found = _table(path, names)
  elif path.suffix in ('.m', '.mat'):
    spans = _script(path) if path.suffix == '.m' else _cells(path)
    found = _filled(path, spans, names, lengths)
  else:
    raise errors.UserError(
      f'{path} is no file of labels; expected .npy, .csv, .m, .mat or a folder'
    )
  for name, labels, length in zip(names, found, lengths):
    if len(labels) != length:
      raise errors.UserError(
        f'{path} has {len(labels)} labels for video "{name}", which has'
        f' {length} frames'
      )
    check(labels, f'{path}, video "{name}"')
  return [labels.astype(np.uint8) for labels in found]


def check(labels: np.ndarray, where: str) -> None:
  """Refuses labels other than 0 and 1 with a UserError."""
  bad = ~np.isin(labels, (0, 1))
  if bad.any():
    frame = int(bad.argmax())
    raise errors.UserError(
      f'{where}: the label of frame {frame} is {labels[frame]}; expected 0 or 1'
    )


def _folder(path, names, lengths) -> list[np.ndarray]:
  there = {}
  for entry in path.iterdir():
    if entry.name.startswith('.'):
      continue
    if entry.is_dir():
      there[entry.name.removesuffix('_gt')] = entry
    elif entry.suffix in _SUFFIXES:
      there[entry.stem] = entry
  for name in names:
    if name not in there:
      raise errors.UserError(
        f'{path} has no labels of video "{name}"; expected {name}.npy, .csv,'
        ' .mat or a folder of masks'
      )
  extra = sorted(set(there) - set(names))
  if extra:
    raise errors.UserError(
      f'{there[extra[0]]} labels a video "{extra[0]}" that is not among the'
      f' {len(names)} test videos; add the video, or remove the labels'
    )
  return [_one(there[name], length) for name, length in zip(names, lengths)]


def _one(path, length) -> np.ndarray:
  """Reads the labels of one video."""
  if path.is_dir():
    files = [f for f in listing.files(path) if f.suffix in pictures.SUFFIXES]
    if not files:
      raise errors.UserError(f'{path} has no mask; put some there')
    return decoding.masks(files, length, 0).any(axis=(1, 2))
  if path.suffix == '.npy':
    return _npy(path)
  if path.suffix == '.csv':
    rows = _rows(path, ('label',))
    return np.array([_number(row, place) for place, row in rows])
  return mat_masks_or_labels(path)[1]


def mat_masks_or_labels(
  path: pathlib.Path,
) -> tuple[np.ndarray | None, np.ndarray]:
  """Reads a .mat file of one video.

  Returns:
    masks [n, H, W] bool (None where it holds labels only) and labels [n].

  Raises:
    UserError: it cannot be read, or holds neither "volLabel" nor "l".
  """
  content = _mat(path)
  if 'volLabel' in content:
    try:
      masks = np.stack([m.astype(bool) for m in content['volLabel'].ravel()])
      return masks, masks.any(axis=(1, 2))
    except (ValueError, AttributeError) as error:
      raise errors.UserError(
        f'{path}: "volLabel" is no list of masks of one size'
      ) from error
  if 'l' in content:
    return None, content['l'].ravel()
  raise errors.UserError(
    f'{path} has neither "volLabel" nor "l" (it has'
    f' {", ".join(sorted(content)) or "nothing"})'
  )


def _mat(path) -> dict[str, np.ndarray]:
  try:
    content = scipy.io.loadmat(path)
  except Exception as error:  # Whatever SciPy raises on damaged files.
    raise errors.UserError(
      f'{path} cannot be read as a .mat file of version 5'
      f' ({" ".join(str(error).split())[:200]})'
    ) from error
  return {k: v for k, v in content.items() if not k.startswith('__')}


def _npy(path) -> np.ndarray:
  try:
    labels = np.load(path, allow_pickle=False)
  except (OSError, ValueError, EOFError) as error:
    raise errors.UserError(
      f'{path} is no readable npy file: {error}'
    ) from error
  if (
    labels.size != max(labels.shape, default=0)
    or labels.dtype.kind not in 'iufb'
  ):
    raise errors.UserError(
      f'{path} holds {labels.dtype} of shape {labels.shape}; expected one label'
      ' for each frame'
    )
  return labels.ravel()


def _split(path, labels, lengths) -> list[np.ndarray]:
  if len(labels) != sum(lengths):
    raise errors.UserError(
      f'{path} has {len(labels)} labels, but the {len(lengths)} test videos'
      f' have {sum(lengths)} frames'
    )
  return np.split(labels, np.cumsum(lengths)[:-1])


def _rows(path, columns) -> list[tuple[str, dict[str, str]]]:
  """Returns the place and the cells of each row."""
  with path.open(newline='', encoding='utf-8-sig') as file:
    table = csv.DictReader(file)
    for column in columns:
      if column not in (table.fieldnames or ()):
        raise errors.UserError(
          f'{path} has no column "{column}"'
          + errors.did_you_mean(column, table.fieldnames or ())
        )
    return [(f'{path} line {table.line_num}', row) for row in table]


def _number(row, place) -> float:
  try:
    return float(row['label'])
  except (TypeError, ValueError) as error:
    raise errors.UserError(
      f'{place}: the label is "{row["label"]}"; expected 0 or 1'
    ) from error


def _table(path, names) -> list[np.ndarray]:
  found = {name: [] for name in names}
  for place, row in _rows(path, ('video', 'label')):
    if row['video'] not in found:
      raise errors.UserError(
        f'{place}: there is no test video "{row["video"]}"'
        + errors.did_you_mean(row['video'], names)
      )
    found[row['video']].append(_number(row, place))
  return [np.array(labels) for labels in found.values()]


def _script(path) -> list[np.ndarray]:
  """Returns [n, 2] first and last frames of each video."""
  text = re.sub(r'%.*', '', path.read_text(errors='replace'))
  return [
    np.array(re.findall(r'(\d+)\s*:\s*(\d+)', spans), int).reshape(-1, 2)
    for spans in re.findall(r'gt_frame\s*=\s*\[([^\]]*)\]', text)
  ]


def _cells(path) -> list[np.ndarray]:
  content = _mat(path)
  if 'gt' not in content or content['gt'].dtype != object:
    raise errors.UserError(
      f'{path} has no list "gt" of the anomalous spans of each video (it has'
      f' {", ".join(sorted(content)) or "nothing"})'
    )
  cells = list(content['gt'].ravel())
  if any(cell.size and len(cell) != 2 for cell in cells):
    raise errors.UserError(
      f'{path}: a cell of "gt" is not of shape [2, n], first and last frames'
    )
  return [cell.T.astype(int).reshape(-1, 2) for cell in cells]


def _filled(path, spans, names, lengths) -> list[np.ndarray]:
  if len(spans) != len(names):
    raise errors.UserError(
      f'{path} has labels of {len(spans)} videos, but there are {len(names)}'
      ' test videos'
    )
  found = [np.zeros(length, np.uint8) for length in lengths]
  for name, labels, some in zip(names, found, spans):
    for first, last in some:
      if not 1 <= first <= last <= len(labels):
        raise errors.UserError(
          f'{path}: frames {first} to {last} of video "{name}" are anomalous,'
          f' but it has {len(labels)} frames'
        )
      labels[first - 1 : last] = 1
  return found
