"""Labels of the frames of videos in a table of text, a row for each frame.

Its first row names the columns, in any order and letter case:

  label   0 or 1, false or true, or normal and anomalous
  video   the name of a video; without it, labels are those of all videos, one
          video after the other
  frame   the number of the frame, from 0 or 1, or the name of its picture;
          without it, rows are in order

Columns are separated by commas, semicolons, tabs or bars; other columns are
ignored. Labels alone need no first row.
"""

import collections
import csv
import io
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from memae_jax.data import listing
from memae_jax.data.videos import video_names
from memae_jax.runtime import errors, foreign

# What people call the columns, without case, blanks and marks; the first that
# is there counts.
_LABEL = 'label labels anomaly anomalous abnormal isanomaly isanomalous gt'
_VIDEO = 'video videoname videoid clip'
_FRAME = 'frame frameid framenumber frameno frameindex image file filename'
_WORDS = {
  'normal': 0.0,
  'anomalous': 1.0,
  'anomaly': 1.0,
  'abnormal': 1.0,
  'false': 0.0,
  'true': 1.0,
  'no': 0.0,
  'yes': 1.0,
}
_NUMBER = re.compile(r'[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,2})?')
_SEPARATORS = ',;\t|'
_LONGEST = 300  # Letters of a cell.


class _Table(NamedTuple):
  """Cells as text: [n] of each column, None where there is no such column.

  others: columns that are not known, by name.
  """

  place: str
  lines: Sequence[int]
  labels: Sequence[str]
  videos: Sequence[str] | None
  frames: Sequence[str] | None
  others: dict[str, Sequence[str]]


def read(
  path: pathlib.Path, names: Sequence[str], lengths: Sequence[int]
) -> list[np.ndarray] | np.ndarray:
  """Reads the labels of all test videos.

  Args:
    path: of the file.
    names: of the test videos, in order.
    lengths: frames of each.

  Returns:
    [n] float64 for each video, or [N] of all frames, one video after the other.

  Raises:
    UserError: naming the line of what is wrong.
  """
  table = _read(path)
  labels = _labels(table)
  videos = table.videos
  if videos is None and len(names) > 1:
    videos = _folders(table.frames)
  if videos is None:
    return _of_one(table, labels, sum(lengths))
  of_video = video_names.match(videos, names)
  rows: dict[str, list[int]] = {name: [] for name in names}
  for row, video in enumerate(videos):
    if video not in of_video:
      raise errors.UserError(
        f'{table.place} line {table.lines[row]}: there is no test video'
        f' "{video[:_LONGEST]}"' + errors.did_you_mean(video, names)
      )
    rows[of_video[video]].append(row)
  _check_order(table, rows.values())
  return [
    labels[_order(table, some, length, name)]
    for (name, some), length in zip(rows.items(), lengths)
  ]


def read_one(path: pathlib.Path, length: int) -> np.ndarray:
  """Reads the labels [n] float64 of one video.

  Args:
    path: of the file.
    length: frames of the video.

  Raises:
    UserError: naming the line of what is wrong.
  """
  table = _read(path)
  if len(set(table.videos or ())) > 1:
    raise errors.UserError(
      f'{table.place} is of one video, but names {len(set(table.videos))}'
    )
  return _of_one(table, _labels(table), length)


def _of_one(table, labels, length) -> np.ndarray:
  rows = range(len(labels))
  _check_order(table, [rows])
  return labels[_order(table, rows, length)]


def _read(path) -> _Table:
  place = foreign.name_of(path)
  text = foreign.text(path)
  with foreign.reading(path, 'csv'):
    rows = _cells(text)
    if not rows:
      raise ValueError('it is empty')
    if len(rows[0][1]) == 1 and _NUMBER.fullmatch(rows[0][1][0]):
      lines, labels = zip(*((line, cells[0]) for line, cells in rows))
      return _Table(place, lines, labels, None, None, {})
  (_, header), *rows = rows
  columns = {
    what: _column(place, header, names)
    for what, names in (('label', _LABEL), ('video', _VIDEO), ('frame', _FRAME))
  }
  if columns['label'] is None:
    raise errors.UserError(
      f'{place} has no column "label"' + errors.did_you_mean('label', header)
    )
  for line, cells in rows:
    if len(cells) != len(header):
      raise errors.UserError(
        f'{place} line {line} has {len(cells)} cells, but the first row has'
        f' {len(header)}'
      )
    if len(max(cells, key=len)) > _LONGEST:
      raise errors.UserError(
        f'{place} line {line}: a cell has more than {_LONGEST} letters'
      )
  cells = list(zip(*(cells for _, cells in rows))) or [()] * len(header)
  known = [None if at is None else cells[at] for at in columns.values()]
  others = {
    name: cells[at]
    for at, name in enumerate(header)
    if at not in columns.values()
  }
  return _Table(place, [line for line, _ in rows], *known, others)


def _cells(text: str) -> list[tuple[int, list[str]]]:
  """Returns the line and the cells of each row that is not empty."""
  marked = re.match(r'sep=(.)\r?\n', text, re.IGNORECASE)  # Of Excel.
  start = text.lstrip().partition('\n')[0]
  separator = max(_SEPARATORS, key=start.count)
  reader = csv.reader(
    io.StringIO(text, newline=''),
    delimiter=marked[1] if marked else separator,
    skipinitialspace=True,
    strict=True,
  )
  found = []
  for cells in reader:
    cells = [cell.strip() for cell in cells]
    width = len(found[0][1]) if found else len(cells)
    while len(cells) > width and not cells[-1]:  # A separator too many.
      cells.pop()
    if any(cells) and not (marked and reader.line_num == 1):
      found.append((reader.line_num, cells))
  return found


def _column(place, header, names) -> int | None:
  """Returns which column has the first of some names that is there."""
  plain = [re.sub(r'[\W_]', '', name).casefold() for name in header]
  for name in names.split():
    if plain.count(name) > 1:
      raise errors.UserError(
        f'{place}: two columns have the name "{name}"; keep one'
      )
    if name in plain:
      return plain.index(name)
  return None


def _label(cell: str) -> float | None:
  word = _WORDS.get(cell.casefold())
  if word is not None:
    return word
  try:
    return float(cell.replace(',', '.'))
  except ValueError:
    return None


def _labels(table) -> np.ndarray:
  known = {cell: _label(cell) for cell in set(table.labels)}
  for line, cell in zip(table.lines, table.labels):
    if known[cell] is None:
      raise errors.UserError(
        f'{table.place} line {line}: the label is "{cell}"; expected 0 or 1'
      )
  return np.array([known[cell] for cell in table.labels], np.float64)


def _folders(frames) -> list[str] | None:
  """Returns the folder of each picture, if all have one."""
  folders = [_path(frame).parent.name for frame in frames or ()]
  return folders if all(folders) and folders else None


def _path(cell) -> pathlib.PurePosixPath:
  return pathlib.PurePosixPath(cell.replace('\\', '/'))


def _order(table, rows, length, video='') -> np.ndarray:
  """Returns some rows in the order of their frames, [n] int64.

  Where there are more or fewer than the video has frames, they come as they
  are: this is refused later, with both numbers.

  Raises:
    UserError: a frame is missing, twice there, or no frame.
  """
  rows = np.array(rows, np.int64)
  if table.frames is None or len(rows) != length or not length:
    return rows
  of = f'of video "{video}"' if video else '(there is no column "video")'
  keys = [_frame(table, row) for row in rows]
  ((usual, _),) = collections.Counter(k[::2] for k in keys).most_common(1)
  for row, key in zip(rows, keys):
    if key[::2] != usual:  # All but the numbers.
      raise errors.UserError(
        f'{table.place} line {table.lines[row]}: frame "{table.frames[row]}"'
        f' {of} is not named as the others'
      )
  order = sorted(range(length), key=keys.__getitem__)
  for one, two in zip(order, order[1:]):
    if keys[one] == keys[two]:
      lines = sorted(table.lines[rows[at]] for at in (one, two))
      raise errors.UserError(
        f'{table.place} line {lines[1]}: frame "{table.frames[rows[two]]}" {of}'
        f' was in line {lines[0]} already'
      )
  numbers = _numbers([keys[at] for at in order])
  steps = np.diff(numbers)
  if len(set(steps)) > 1:
    at = int(np.argmax(steps > min(steps)))
    raise errors.UserError(
      f'{table.place}: after frame "{table.frames[rows[order[at]]]}" {of} comes'
      f' "{table.frames[rows[order[at + 1]]]}"; label all frames'
    )
  return rows[order]


def _frame(table, row) -> tuple[str | int, ...]:
  """Returns what a frame is sorted by, see `_key`."""
  key = _key(table.frames[row])
  if key is None:
    raise errors.UserError(
      f'{table.place} line {table.lines[row]}: the frame is'
      f' "{table.frames[row]}"; expected a whole number'
    )
  return key


def _key(cell) -> tuple[str | int, ...] | None:
  """Returns a number or, as on disk, a name; None: no number of a frame."""
  if not _NUMBER.fullmatch(cell):
    return tuple(listing.natural(_path(cell)))
  number = float(cell)
  return None if number % 1 or number < 0 else ('', int(number), '')


def _check_order(table, videos) -> None:
  """Refuses rows in another order than that of a column that counts them."""
  if table.frames is not None:
    return
  for name, cells in table.others.items():
    keys = [[_key(cells[row]) for row in rows] for rows in videos]
    if any(None in some for some in keys):
      continue
    steps = [set(np.diff(_numbers(sorted(some)))) for some in keys]
    counts = all(len(some) < 2 or len(s) == 1 for some, s in zip(keys, steps))
    if counts and any(some != sorted(some) for some in keys):
      raise errors.UserError(
        f'{table.place}: rows are not in the order of column "{name}"; name it'
        ' "frame" if it counts the frames, else leave it out'
      )


def _numbers(keys) -> list[int]:
  """Returns the one number that differs; nothing if there is more."""
  if len({key[::2] for key in keys}) > 1:
    return []
  differing = [some for some in zip(*keys) if len(set(some)) > 1]
  return list(differing[0]) if len(differing) == 1 else []
