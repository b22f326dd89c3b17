"""Reads labels of the frames of videos from a text table, one row per frame.

The first row of the table names the columns, in any order and letter case:

  label   0 or 1, false or true, or normal and anomalous
  video   the name of a video; without it, labels are those of all videos, one
          video after the other
  frame   the number of the frame, from 0 or 1, or the name of its picture;
          without it, rows are in order

Columns are separated by commas, semicolons, tabs or bars; other columns are
ignored. A table of labels alone needs no first row.
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

# Names that people give the columns, without case, blanks and marks. If several
# are in a table, the first of this list counts.
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
_LONGEST = 300  # Letters that a cell may have.


class _Table(NamedTuple):
  """Cells as text: [n] per column, or None where there is no such column.

  place: name of the file, for messages.
  lines: [n], the line of each row in the file.
  labels: [n].
  videos: [n], names of videos.
  frames: [n], numbers of frames or names of pictures.
  others: [n] of each further column, by its name.
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
    lengths: number of frames of each.

  Returns:
    [n] float64 for each video; or, from a table that names no videos, [N] of
    all frames, one video after the other.

  Raises:
    UserError: the table is wrong or does not fit; the line is named.
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
    labels[_order(table, rows[name], length, name)]
    for name, length in zip(names, lengths)
  ]


def read_one(path: pathlib.Path, length: int) -> np.ndarray:
  """Reads the labels [n] float64 of one video.

  Args:
    path: of the file.
    length: number of frames of the video.

  Raises:
    UserError: the table is wrong or does not fit; the line is named.
  """
  table = _read(path)
  if len(set(table.videos or ())) > 1:
    raise errors.UserError(
      f'{table.place} is for one video, but names {len(set(table.videos))};'
      ' leave the column "video" out'
    )
  return _of_one(table, _labels(table), length)


def _of_one(table, labels, length) -> np.ndarray:
  """Returns the labels [n] of a table of one video in the order of frames."""
  rows = range(len(labels))
  _check_order(table, [rows])
  return labels[_order(table, rows, length)]


def _read(path) -> _Table:
  """Reads the cells of a table, and finds its columns by their names."""
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
  columns = [_column(place, header, n) for n in (_LABEL, _VIDEO, _FRAME)]
  if columns[0] is None:
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
  known = [None if at is None else cells[at] for at in columns]
  others = {
    name: cells[at] for at, name in enumerate(header) if at not in columns
  }
  return _Table(place, [line for line, _ in rows], *known, others)


def _cells(text: str) -> list[tuple[int, list[str]]]:
  """Returns the line and the cells of each row that is not empty."""
  marked = re.match(r'sep=(.)\r?\n', text, re.IGNORECASE)  # Excel's mark.
  start = text.lstrip().partition('\n')[0]
  separator = max(_SEPARATORS, key=start.count)
  reader = csv.reader(
    io.StringIO(text, newline=''),
    delimiter=marked[1] if marked else separator,
    skipinitialspace=True,
    strict=True,
  )
  rows = []
  for cells in reader:
    cells = [cell.strip() for cell in cells]
    width = len(rows[0][1]) if rows else len(cells)
    while len(cells) > width and not cells[-1]:  # A separator too many.
      cells.pop()
    if any(cells) and not (marked and reader.line_num == 1):
      rows.append((reader.line_num, cells))
  return rows


def _column(place, header, names) -> int | None:
  """Returns the index of a column by the first of its names that is there.

  Args:
    place: name of the file, for messages.
    header: names of all columns.
    names: names of the column, separated by blanks.
  """
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
  """Returns the label that a cell says; None for any other text."""
  word = _WORDS.get(cell.casefold())
  if word is not None:
    return word
  try:
    return float(cell.replace(',', '.'))
  except ValueError:
    return None


def _labels(table) -> np.ndarray:
  """Returns the labels [n] float64 of a table in the order of its rows."""
  label_of = {cell: _label(cell) for cell in set(table.labels)}
  for line, cell in zip(table.lines, table.labels):
    if label_of[cell] is None:
      raise errors.UserError(
        f'{table.place} line {line}: the label is "{cell}"; expected 0 or 1'
      )
  return np.array([label_of[cell] for cell in table.labels], np.float64)


def _folders(frames) -> list[str] | None:
  """Returns the name of each picture's folder, if all have one."""
  folders = [_path(frame).parent.name for frame in frames or ()]
  return folders if all(folders) and folders else None


def _path(cell) -> pathlib.PurePosixPath:
  """Returns the path of a picture that a cell names, in either notation."""
  return pathlib.PurePosixPath(cell.replace('\\', '/'))


def _order(table, rows, length, video='') -> np.ndarray:
  """Returns the rows of a video in the order of their frames, [n] int64.

  Where there are more or fewer rows than the video has frames, they are
  returned as they are: this is refused later, with both numbers.

  Args:
    table: the table.
    rows: indices of the rows of the video.
    length: number of frames of the video.
    video: its name, for messages; empty: the table names no videos.

  Raises:
    UserError: a frame is missing, is there twice, or is not the name of one.
  """
  rows = np.array(rows, np.int64)
  if table.frames is None or len(rows) != length or not length:
    return rows
  of = f'of video "{video}"' if video else '(there is no column "video")'
  keys = [_frame(table, row) for row in rows]
  ((usual, _),) = collections.Counter(k[::2] for k in keys).most_common(1)
  for row, key in zip(rows, keys):
    if key[::2] != usual:  # The text around the numbers.
      raise errors.UserError(
        f'{table.place} line {table.lines[row]}: frame "{table.frames[row]}"'
        f' {of} is not named like the others'
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
  """Returns the key that a row's frame is sorted by, see `_key`."""
  key = _key(table.frames[row])
  if key is None:
    raise errors.UserError(
      f'{table.place} line {table.lines[row]}: the frame is'
      f' "{table.frames[row]}"; expected a whole number'
    )
  return key


def _key(cell) -> tuple[str | int, ...] | None:
  """Returns the parts of a frame's number or name, text and numbers in turn.

  None stands for a number that cannot be that of a frame.
  """
  if not _NUMBER.fullmatch(cell):
    return tuple(listing.natural(_path(cell)))
  number = float(cell)
  return None if number % 1 or number < 0 else ('', int(number), '')


def _check_order(table, videos) -> None:
  """Refuses a table without column "frame" whose rows may be out of order.

  This is so if another column counts the rows of each video, in an order that
  is not theirs.

  Args:
    table: the table.
    videos: indices of the rows of each video.
  """
  if table.frames is not None:
    return
  for name, cells in table.others.items():
    keys = [[_key(cells[row]) for row in rows] for rows in videos]
    if any(None in part for part in keys):
      continue
    steps = [set(np.diff(_numbers(sorted(part)))) for part in keys]
    counts = all(len(part) < 2 or len(s) == 1 for part, s in zip(keys, steps))
    if counts and any(part != sorted(part) for part in keys):
      raise errors.UserError(
        f'{table.place}: rows are not in the order of column "{name}"; name it'
        ' "frame" if it counts the frames, else leave it out'
      )


def _numbers(keys) -> list[int]:
  """Returns the one number in which keys differ; [] if they differ in more."""
  if len({key[::2] for key in keys}) > 1:
    return []
  differing = [parts for parts in zip(*keys) if len(set(parts)) > 1]
  return list(differing[0]) if len(differing) == 1 else []
