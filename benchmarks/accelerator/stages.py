"""Stages whose rows are measured once, however often the command ends.

A stage is a list of tasks, each of which makes one row. A row is written as
soon as it is there, to the folder of work and to that of results; the same
command goes on at the first row that is missing. A task starts only if the time
that is left seems to be enough for it.
"""

import json
import pathlib
import re
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from memae_jax.runtime import atomic, errors, strict_json

NOT_RUN = 'not run on an accelerator'
_PATIENCE = 240.0  # Seconds after which a row is given up for good.
_NAME = re.compile(r'[A-Za-z0-9._-]+')
_FILE = {  # Shape of the file of a stage.
  'stage': str,
  'device': str,
  'complete': bool,
  'seconds': float,
  'rows': {str: {'row_seconds': float}},
}


class OutOfTime(Exception):
  """A row could not be made in the time that it had."""


class Clock:
  """Time that a call of the command has."""

  def __init__(self, minutes: float):
    """Starts the clock; `total` is all time in seconds."""
    self.total = 60 * minutes
    self._end = time.monotonic() + self.total

  def left(self) -> float:
    """Returns the seconds that are left, at least 0."""
    return max(self._end - time.monotonic(), 0.0)


class Task(NamedTuple):
  """Function that makes a row.

  Attributes:
    key: of the row.
    run: takes the seconds that are left and returns the row; raises OutOfTime.
      A row with `unfinished` is made again by the next call of the command.
  """

  key: str
  run: Callable[[float], dict[str, Any]]


class Stage(NamedTuple):
  """List of tasks, and the name of their file.

  Attributes:
    name: of the file, without `.json`.
    about: its rows, in a few words.
    tasks: returns the tasks; called when the stage begins.
    least: seconds that the first row is expected to need.
    keeps: whether a task that is out of time goes on where it was in the next
      call, so that no row is too slow to begin.
  """

  name: str
  about: str
  tasks: Callable[[], Iterable[Task]]
  least: float = 30.0
  keeps: bool = False


class Book:
  """Rows of a stage and their files, NAME.json, each complete at any time."""

  def __init__(
    self,
    stage: Stage,
    folders: Sequence[pathlib.Path],
    device: str,
    facts: dict[str, Any],
    elsewhere: Sequence[pathlib.Path] = (),
  ):
    """Takes up the rows that are there.

    Args:
      stage: that the rows are of.
      folders: in each of which the file is kept.
      device: on which rows are made.
      facts: further entries of the file.
      elsewhere: folders of earlier results, which are only read.

    Raises:
      UserError: a file in `folders` is damaged, or of another device.
    """
    if not _NAME.fullmatch(stage.name):
      raise ValueError(
        f'"{stage.name}" is not a name of a file on every system'
      )
    self._paths = [folder / f'{stage.name}.json' for folder in folders]
    others = [folder / f'{stage.name}.json' for folder in elsewhere]
    contents = [_read(path, device) for path in self._paths]
    contents += [_read(path, device, strict=False) for path in others]
    worth = lambda content: (content['complete'], len(content['rows']))
    self.content = max(
      (content for content in contents if content),
      key=worth,
      default={
        'stage': stage.name,
        'about': stage.about,
        'device': device,
        **facts,
        'complete': False,
        'cut': None,
        'seconds': 0.0,
        'rows': {},
      },
    )
    self._write()

  @property
  def rows(self) -> dict[str, dict[str, Any]]:
    """Rows by key."""
    return self.content['rows']

  @property
  def complete(self) -> bool:
    """True if the stage is done."""
    return self.content['complete']

  def is_done(self, key: str) -> bool:
    """Returns whether a row is there and finished."""
    return key in self.rows and not self.rows[key].get('unfinished')

  def slowest(self) -> float:
    """Returns the seconds of the slowest row, 0 without rows."""
    return max((row['row_seconds'] for row in self.rows.values()), default=0)

  def add(self, key: str, row: dict[str, Any], seconds: float) -> None:
    """Adds a row, which took so many seconds, and writes the files."""
    self.rows[key] = row | {'row_seconds': round(seconds, 1)}
    self.content['seconds'] = round(self.content['seconds'] + seconds, 1)
    self._write()

  def end(self, cut: str | None) -> None:
    """Writes that the stage is done (None), or why it was cut."""
    self.content |= {'complete': cut is None, 'cut': cut}
    self._write()

  def _write(self) -> None:
    text = json.dumps(self.content, indent=1, allow_nan=False) + '\n'
    for path in self._paths:
      if not path.exists() or path.read_text() != text:
        atomic.write(path, text)


def _read(
  path: pathlib.Path, device: str, strict: bool = True
) -> dict[str, Any] | None:
  """Returns the content of a file of a stage, or None if there is none.

  Raises:
    UserError: the file is damaged, or `strict` and of another device.
  """
  try:
    content = strict_json.load(path, _FILE, 'file of a stage', 'remove it')
  except FileNotFoundError:
    return None
  if content['device'] == device:
    return content
  if strict:
    raise errors.UserError(
      f'{path} was measured on "{content["device"]}", but this is "{device}";'
      ' give another --to'
    )
  return None


def _needed(stage: Stage, book: Book, clock: Clock) -> float:
  """Returns the seconds that the next row may need.

  They are never more than a new call of the command has.
  """
  if stage.keeps or not book.slowest():
    return stage.least
  return min(1.3 * book.slowest(), 0.8 * clock.total)


def run(stage: Stage, book: Book, clock: Clock) -> None:
  """Makes the rows that are missing, while there is time."""
  if book.complete:
    return
  tasks = list(stage.tasks())
  for number, task in enumerate(tasks):
    if book.is_done(task.key):
      continue
    needed, left = _needed(stage, book, clock), clock.left()
    if left < needed:
      book.end(
        f'{left:.0f} s were left before row {number + 1} of {len(tasks)},'
        f' "{task.key}", which may need {needed:.0f}; run the command again'
      )
      return
    begun = time.monotonic()
    try:
      row = task.run(left)
    except OutOfTime:
      if stage.keeps or left < _PATIENCE:
        book.end(
          f'row {number + 1} of {len(tasks)}, "{task.key}", had {left:.0f} s,'
          ' which was too little; run the command again'
        )
        return
      row = {'failed': f'it took over {left:.0f} s'}
    book.add(task.key, row, time.monotonic() - begun)
    print(stage.name, task.key, json.dumps(book.rows[task.key]), flush=True)
  missing = [task.key for task in tasks if not book.is_done(task.key)]
  book.end(f'unfinished: {", ".join(missing)}' if missing else None)
