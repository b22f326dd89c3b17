"""Reads the anomalous frames of videos from a MATLAB script, as UCSD gives.

Each video has a statement such as TestVideoFile{end+1}.gt_frame = [61:180];
the index may also be a number; without an index, the next video is meant.
Scripts may also set variables to numbers. Statements that only print or clear
are ignored, and all others are refused.
"""

import pathlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from memae_jax.data import listing
from memae_jax.data.videos import matlab_ranges
from memae_jax.runtime import errors

_FIELD = 'gt_frame'
_IDLE = frozenset(
  'addpath clc clear clearvars close disp fprintf format more save'.split()
)
_PAIRS = {')': '(', ']': '[', '}': '{'}


class Frames(NamedTuple):
  """Numbers of the anomalous frames of a video.

  numbers: [n] float64 as written, not checked.
  line: of the script, from 1.
  """

  numbers: np.ndarray
  line: int


def read(text: str, where: str) -> list[Frames]:
  """Returns the anomalous frames of each video.

  Args:
    text: of the script.
    where: its name, for messages.

  Raises:
    UserError: MATLAB or this reader refuses a statement; its line is named.
  """
  script = _Script(where)
  for statement in _statements(matlab_ranges.tokens(text, where), where):
    script.run(statement)
  return script.frames()


def _statements(words, where) -> list[list[matlab_ranges.Token]]:
  """Splits the tokens of a script into statements that are not empty."""
  statements, opened = [[]], []
  for word in words:
    if word.kind == 'operator' and word.text in '[({':
      opened.append(word)
    elif word.kind == 'operator' and word.text in _PAIRS:
      if not opened or opened.pop().text != _PAIRS[word.text]:
        raise matlab_ranges.refusal(
          where, word.line, f'"{word.text}" closes no bracket'
        )
    if not opened and word.kind == 'operator' and word.text in (';', ',', '\n'):
      statements.append([])
    else:
      statements[-1].append(word)
  if opened:
    raise matlab_ranges.refusal(
      where, opened[-1].line, f'"{opened[-1].text}" is not closed'
    )
  return [statement for statement in statements if statement]


class _Target(NamedTuple):
  """Left side of an assignment: NAME INDEX .FIELD; two may be empty."""

  name: matlab_ranges.Token
  index: Sequence[matlab_ranges.Token]
  field: Sequence[matlab_ranges.Token]

  @property
  def is_frames(self) -> bool:
    """Returns whether the assignment sets the frames of videos."""
    return (self.field or [self.name])[0].text == _FIELD


def _target(words) -> _Target | None:
  """Returns the target that the left side of "=" says; None: it is not one."""
  texts = [word.text for word in words]
  at = texts.index('.') if '.' in texts else len(words)
  target = _Target(words[0], words[1:at], words[at + 1 :])
  is_name = words[0].kind == 'name' and texts[-1] != '.'
  has_index = not target.index or target.index[0].text in ('{', '(')
  return target if is_name and has_index else None


class _Script:
  """State of a script after the statements that were run so far."""

  def __init__(self, where: str):
    self._where = where
    self._variables = {}
    self._budget = matlab_ranges.budget()
    self._lengths = {}  # Elements of each list, as `end` counts them.
    self._videos = {}  # List -> number of the video, from 1 -> Frames.
    self._unnumbered = []  # Names of targets without an index.
    self._is_function = False

  def run(self, words: Sequence[matlab_ranges.Token]) -> None:
    """Runs one statement; raises UserError if it is not understood."""
    texts = [word.text for word in words]
    if texts[0] == 'function' and not self._videos:
      self._is_function = True
      return
    if texts[0] in _IDLE:
      return
    if self._is_function and texts in (['end'], ['return']):
      return
    at = texts.index('=') if texts.count('=') == 1 else 0
    target, value = _target(words[:at]) if at else None, words[at + 1 :]
    if not target or not value:
      raise self._refusal(
        words[0],
        f'"{" ".join(texts)[:40]}" is not understood; expected lines like'
        f' TestVideoFile{{end+1}}.{_FIELD} = [1:5];',
      )
    if target.is_frames:
      self._set_frames(target, value)
    elif target.index or target.field:  # For instance, the name of a video.
      if target.index:
        self._number(target)
      self._variables[target.name.text] = self._refusal(
        target.name, 'only a part of it is set'
      )
    else:
      self._set_variable(target.name.text, value)

  def frames(self) -> list[Frames]:
    """Returns the anomalous frames of each video, once all statements ran."""
    if not self._videos:
      raise errors.UserError(
        f'{self._where} has no {_FIELD}; expected a line like'
        f' TestVideoFile{{end+1}}.{_FIELD} = [1:5]; for each video'
      )
    if len(self._videos) > 1:
      names = ' and '.join(f'"{name or _FIELD}"' for name in self._videos)
      raise errors.UserError(
        f'{self._where} has {_FIELD} in several lists, {names}; keep one'
      )
    ((name, videos),) = self._videos.items()
    for number in range(1, self._lengths[name] + 1):
      if number not in videos:
        raise errors.UserError(
          f'{self._where} has {_FIELD} of video {max(videos)}, but no {_FIELD}'
          f' of video {number}; write [] where no frame is anomalous'
        )
    return [videos[number] for number in sorted(videos)]

  def _refusal(self, word, message):
    return matlab_ranges.refusal(self._where, word.line, message)

  def _expression(self, words, **more):
    return matlab_ranges.Expression(
      words, self._where, {**self._variables, **more}, self._budget
    )

  def _set_frames(self, target, value) -> None:
    """Sets the frames of one video, or of all videos of a list."""
    if len(target.field) > 1:
      raise self._refusal(target.name, f'set all of {_FIELD} at once')
    if value[0].text == '{' and not target.index:
      name, all_frames = target.name.text, self._list(value)
      start = 1
    else:
      all_frames = [self._value(value)]
      name = target.name.text if target.index else ''
      start = self._number(target) if target.index else self._next(target)
    videos = self._videos.setdefault(name, {})
    for number, frames in enumerate(all_frames, start):
      # As in MATLAB, a later statement replaces an earlier one.
      videos[number] = Frames(frames.ravel(), target.name.line)
    self._lengths[name] = max(self._lengths.get(name, 0), *videos)

  def _number(self, target) -> int:
    """Returns which element of a list is set; the list grows up to it."""
    name = target.name.text
    length = self._lengths.get(name, 0)
    expression = self._expression(
      target.index[1:], end=np.array([[float(length)]])
    )
    index = expression.arguments(target.index[-1].text)
    number = max(index)
    # A list is one row or one column: {3}, {1,3} or {3,1}.
    if len(index) > 2 or sorted(index)[:-1] not in ([], [1]) or number < 1:
      raise self._refusal(target.name, 'give the number of one video')
    self._lengths[name] = max(length, number)
    return number

  def _next(self, target) -> int:
    """Returns the number of a video whose frames are set without an index."""
    self._unnumbered.append(target.name.text)
    names = list(dict.fromkeys(self._unnumbered))
    if names != sorted(names, key=lambda n: listing.natural(pathlib.Path(n))):
      raise self._refusal(
        target.name,
        f'"{names[-1]}" comes after "{names[-2]}"; put them in order',
      )
    return len(self._unnumbered)

  def _value(self, words) -> np.ndarray:
    """Returns the value [r, c] of tokens, all of which it must take."""
    expression = self._expression(words)
    value = expression.value()
    if expression.next.text:
      raise expression.unexpected()
    return value

  def _list(self, words) -> list[np.ndarray]:
    """Reads {[...], [...]}, the frames of one video after the other."""
    expression = self._expression(words)
    expression.take('{')
    rows = expression.rows('{')
    if expression.next.text:
      raise expression.unexpected()
    if len(rows) > 1 and max(map(len, rows)) > 1:
      raise self._refusal(words[0], 'a list of videos is one row or one column')
    return [frames for row in rows for frames in row]

  def _set_variable(self, name, words) -> None:
    """Sets a variable to a number, a matrix or an empty list."""
    self._videos.pop(name, None)
    self._lengths[name] = 0
    texts = [word.text for word in words]
    if texts[:2] == ['cell', '('] and texts[-1] == ')':
      self._lengths[name] = max(self._expression(words[2:]).arguments(')'))
      return
    try:
      self._variables[name] = self._value(words)
    except errors.UserError as error:  # Raised where the variable is used.
      self._variables[name] = error
