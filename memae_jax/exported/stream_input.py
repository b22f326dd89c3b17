"""Samples of a stream from bytes that arrive on a pipe.

  tables             a csv line for each row after a header, or a JSON object
                     {"column": value} for each row
  pictures, frames   the path of a file for each line
  with a size        raw pixels, a frame after another, as `ffmpeg -f rawvideo`
                     writes them

What is broken is yielded as its UserError, and the samples after it follow.
"""

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import numpy as np

from memae_jax.data.tables import delimited
from memae_jax.runtime import errors, strict_json

_MOST = 2**20  # Bytes of a line.
PIXELS = {'rgb24': 3, 'gray': 1}  # Bytes of a pixel, by FFmpeg's names.


def size(text: str) -> tuple[int, int]:
  """Returns the width and height that a text such as "360x240" names.

  Raises:
    UserError: it names none.
  """
  words = text.lower().split('x')
  if len(words) != 2 or not all(w.isdecimal() and 0 < int(w) for w in words):
    raise errors.UserError(
      f'--size is "{text}"; give WIDTHxHEIGHT of raw frames, such as 360x240'
    )
  return int(words[0]), int(words[1])


def samples(
  file: BinaryIO, meta: Mapping[str, Any], raw: str = '', pixels: str = 'rgb24'
) -> Iterator[Any]:
  """Yields samples as `stream.Stream.over` takes them, as soon as they arrive.

  Args:
    file: a pipe or file of bytes.
    meta: `input` of a scorer's meta.json.
    raw: size of raw frames, see `size`; '': there are none.
    pixels: of raw frames, a name in `PIXELS`.

  Raises:
    UserError: the first line does not fit the scorer.
  """
  if meta['kind'] != 'table':
    if raw:
      return _frames(file, *size(raw), PIXELS[pixels])
    return _paths(file)
  if raw:
    raise errors.UserError(
      '--size is of raw frames, but the scorer is of a table; leave it out'
    )
  return _rows(file, meta)


def _frames(file, width: int, height: int, channels: int) -> Iterator[Any]:
  """Yields raw frames [H, W, C] uint8."""
  count = width * height * channels
  while content := file.read(count):
    if len(content) < count:
      yield errors.UserError(
        f'the stream ends within a frame: {len(content)} of {count} bytes'
      )
      return
    yield np.frombuffer(content, np.uint8).reshape(height, width, channels)


def _lines(file) -> Iterator[bytes | errors.UserError]:
  """Yields lines without their ends, and without those that are blank."""
  is_rest = False
  while line := file.readline(_MOST):
    is_whole = line.endswith(b'\n') or len(line) < _MOST
    if is_rest or not is_whole:
      if not is_rest:
        yield errors.UserError(f'a line has more than {_MOST} bytes')
      is_rest = not is_whole
    elif line.strip():
      yield line.rstrip(b'\r\n')


def _paths(file) -> Iterator[Any]:
  """Yields the paths of pictures, one in each line."""
  for line in _lines(file):
    is_broken = isinstance(line, errors.UserError)
    yield line if is_broken else line.decode('utf-8', 'surrogateescape')


def _rows(file, meta) -> Iterator[Any]:
  """Yields rows, {column: value}."""
  lines = _lines(file)
  first = next(lines, None)
  if first is None:
    return
  if isinstance(first, errors.UserError):
    raise first
  if first.lstrip(b'\xef\xbb\xbf \t').startswith(b'{'):
    yield _object(first)
    for line in lines:
      yield line if isinstance(line, errors.UserError) else _object(line)
    return
  encoding = meta.get('encoding') or 'utf-8'
  read = _Csv(first, meta, 'utf-8-sig' if encoding == 'utf-8' else encoding)
  for line in lines:
    yield line if isinstance(line, errors.UserError) else read.row(line)


def _object(line: bytes) -> Any:
  """Returns the object of a line of JSON, or the UserError that it has none."""
  try:
    found = strict_json.loads(line)
    strict_json.check(found, dict)
    return found
  except ValueError as error:
    return errors.UserError(f'a line is no object of JSON ({error})')


class _Csv:
  """Lines of csv below a header."""

  def __init__(self, header: bytes, meta: Mapping[str, Any], encoding: str):
    """Reads the header.

    Raises:
      UserError: it names not all columns that the network takes, or two by
        one name.
    """
    needed = {column['name'] for column in meta['columns']}
    known = delimited.SEPARATORS.get(meta.get('separator', ''))
    split = lambda mark: self._cells(_text(header, encoding), mark)
    marks = [known] if known else delimited.SEPARATORS.values()
    found = {mark: needed & set(split(mark)) for mark in marks}
    self._mark = max(found, key=lambda mark: len(found[mark]))
    self._encoding = encoding
    self._names = split(self._mark)
    delimited.check_header('the stream', self._names)
    for name in sorted(needed - found[self._mark]):
      raise errors.UserError(
        f'the first line of the stream has no column "{name}"'
        + errors.did_you_mean(name, self._names)
        + '; it must name the columns'
      )

  def row(self, line: bytes) -> Any:
    """Returns the cells of a line by column, or the UserError."""
    try:
      cells = self._cells(_text(line, self._encoding), self._mark)
      if len(cells) == len(self._names) + 1 and not cells[-1]:
        cells.pop()
      if len(cells) != len(self._names):
        raise errors.UserError(
          f'a line has {len(cells)} cells, but the header has'
          f' {len(self._names)}; quote cells that hold the separator'
        )
    except errors.UserError as error:
      return error
    return dict(zip(self._names, cells))

  def _cells(self, text: str, mark: str) -> list[str]:
    """Returns the cells of a line, without blanks around them."""
    if mark == ' ':
      text = ' '.join(text.split())
    try:
      rows = list(csv.reader(io.StringIO(text), strict=True, delimiter=mark))
    except csv.Error as error:
      raise errors.UserError(f'a line is no readable csv ({error})') from error
    return [cell.strip() for cell in rows[0]] if rows else []


def _text(line: bytes, encoding: str) -> str:
  """Returns a line as text.

  Raises:
    UserError: it is not of that encoding.
  """
  try:
    return line.decode(encoding)
  except (UnicodeDecodeError, LookupError) as error:
    raise errors.UserError(f'a line is not text of {encoding}') from error
