"""Dates as people write them, and the inputs that they become.

A date is a number of days since 1970, in UTC where its cell has a time zone.
A network sees these days, scaled as any number, so where the count begins does
not matter; and hour, weekday and season as sine and cosine, so that 23:59 lies
beside 0:00 and Sunday beside Monday. This module needs NumPy only: a scorer
reads new files by the form of the training.
"""

import datetime
import math
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PARTS = ('days', 'hour', 'weekday', 'season')  # What a column may become.
_YEAR = 365.2425  # Days.
_EPOCH = datetime.date(1970, 1, 1).toordinal()
_MONDAY = 4  # Day 4, counted from 0, was the first Monday of 1970.
_MONTHS = (
  'january february march april may june july august september october november'
  ' december'
).split()
_WORDS = {
  'year': 'the year first',
  'day': 'the day first',
  'month': 'the month first',
  'name': 'names of months',
  'seconds': 'seconds since 1970',
  'milliseconds': 'milliseconds since 1970',
}
_TIME = (
  r'(?:(?:[T ] *)(?P<hour>\d{1,2}):(?P<minute>\d{2})'
  r'(?::(?P<second>\d{2}(?:[.,]\d+)?))? ?(?P<half>[AaPp]\.?[Mm]\.?)?)?'
  r' ?(?P<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?'
)
_D, _M, _Y = r'(?P<day>\d{1,2})', r'(?P<month>\d{1,2})', r'(?P<year>\d{4})'
_NAME = r'(?P<name>[A-Za-z]{3,9})\.?'
# {form: what a cell of it looks like}; several forms may fit a cell.
_FORMS = {
  'year': rf'{_Y}(?P<mark>[-/.]){_M}(?P=mark){_D}',
  'packed': r'(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})',
  'day': rf'{_D}(?P<mark>[-/.]){_M}(?P=mark){_Y}',
  'month': rf'{_M}(?P<mark>[-/]){_D}(?P=mark){_Y}',
  'name': rf'(?:{_D}[-/. ]*{_NAME}[-/., ]*{_Y}|'
  + rf'{_NAME} *{_D}(?:st|nd|rd|th)?,? *{_Y})'
  .replace('<day>', '<day2>').replace('<name>', '<name2>')
  .replace('<year>', '<year2>'),
}  # fmt: skip
_CELLS = {form: re.compile(text + _TIME) for form, text in _FORMS.items()}
_SECONDS = re.compile(r'\d{9,10}(?:\.\d+)?')
_MILLISECONDS = re.compile(r'\d{12,13}(?:\.0*)?')


class Format(NamedTuple):
  """Form of the dates in a column.

  form: 'year', 'day' or 'month', whichever comes first; 'name' of a month;
    'seconds' or 'milliseconds' since 1970.
  zone: True if cells have a time zone.
  timed: True if a cell has a time of day.
  """

  form: str
  zone: bool = False
  timed: bool = False

  def describe(self) -> str:
    """Returns the form as a part of a remark."""
    return _WORDS[self.form] + (', in UTC' if self.zone else '')


class Unreadable(ValueError):
  """A cell is no date of the form; `why` says what is wrong with it."""

  def __init__(self, cell: str, why: str):
    super().__init__(cell, why)
    self.cell, self.why = cell, why


class Ambiguous(ValueError):
  """A cell is one date with the day first, and another with the month first.

  cell: its text. day, month: the dates.
  """

  def __init__(self, cell: str, day: str, month: str):
    super().__init__(cell)
    self.cell, self.day, self.month = cell, day, month


class _Date(NamedTuple):
  """Days since 1970, and whether a cell has a zone and a time of day."""

  days: float
  zone: bool
  timed: bool


def read(
  cells: Sequence[str | None], order: str = '', expected: Format | None = None
) -> tuple[np.ndarray, Format]:
  """Reads a column.

  Args:
    cells: [S] text without blanks around it; None where there is no value.
    order: 'day' or 'month', if one of these comes first; '': the cells say it.
    expected: format that the column must have; None: that of the cells.

  Returns:
    [S] days since 1970, float64, NaN where a cell is None; and the format.

  Raises:
    Unreadable: a cell is no date, or of another form than the others.
    Ambiguous: it stays open whether day or month come first.
  """
  distinct = dict.fromkeys(cells)
  distinct.pop(None, None)
  ways = [expected.form] if expected else _ways(order)
  found = {form: _dates(distinct, form) for form in ways}
  fitting = [form for form in ways if len(found[form]) == len(distinct)]
  if not fitting:
    raise _unreadable(distinct, ways, found)
  _check_order(fitting, found)
  form, dates = fitting[0], found[fitting[0]]
  zone = any(date.zone for date in list(dates.values())[:1])
  if expected:
    zone = expected.zone
  for cell, date in dates.items():
    if date.zone != zone:
      kind = 'a' if zone else 'no'
      raise Unreadable(cell, f'the other dates have {kind} time zone')
  timed = any(date.timed for date in dates.values())
  format = expected or Format(form, zone, timed)
  days = {cell: date.days for cell, date in dates.items()} | {None: np.nan}
  return np.fromiter((days[c] for c in cells), float, len(cells)), format


def _dates(cells, form: str) -> dict[str, _Date]:
  """Returns the dates of cells, up to the first that is none of this form."""
  found = {}
  for cell in cells:
    date = _date(cell, form)
    if date is None:
      break
    found[cell] = date
  return found


def _ways(order: str) -> list[str]:
  """Returns the forms that a column may have, those to prefer first."""
  others = [f for f in ('day', 'month') if order in ('', f)]
  return ['year', *others, 'name', 'seconds', 'milliseconds']


def _unreadable(distinct, ways, found) -> Unreadable:
  """Returns the error for cells that have no form in common."""
  form = max(ways, key=lambda form: len(found[form]))
  cell = next(cell for cell in distinct if cell not in found[form])
  likely = [form] if found[form] else ways
  if any(_CELLS[way].fullmatch(cell) for way in likely if way in _CELLS):
    return Unreadable(cell, 'there is no such day or time')
  if found[form]:
    return Unreadable(cell, f'the dates before it have {_WORDS[form]}')
  wanted = ' or '.join(_WORDS[way] for way in ways)
  return Unreadable(cell, f'a date has {wanted}, such as 2024-01-31 14:05')


def _check_order(fitting: list[str], found) -> None:
  """Raises Ambiguous if day and month may come first, with other dates."""
  if not {'day', 'month'} <= set(fitting):
    return
  for cell, date in found['day'].items():
    other = found['month'][cell]
    if other.days != date.days:
      raise Ambiguous(cell, *map(_iso, (date.days, other.days)))


def _iso(days: float) -> str:
  return datetime.date.fromordinal(math.floor(days) + _EPOCH).isoformat()


def _date(cell: str, form: str) -> _Date | None:
  """Returns the date of a cell; None if it is none of this form."""
  if form in ('seconds', 'milliseconds'):
    pattern, unit = (
      (_SECONDS, 86400) if form == 'seconds' else (_MILLISECONDS, 86400e3)
    )
    return _of_unix(cell, pattern, unit)
  match = _CELLS[form].fullmatch(cell)
  if not match and form == 'year':
    match = _CELLS['packed'].fullmatch(cell)
  if not match:
    return None
  parts = match.groupdict()
  try:
    return _from_parts(parts)
  except ValueError:  # No such day or hour.
    return None


def _of_unix(cell: str, pattern: re.Pattern, unit: float) -> _Date | None:
  if not pattern.fullmatch(cell):
    return None
  return _Date(float(cell) / unit, False, True)


def _from_parts(parts: dict[str, str | None]) -> _Date:
  """Returns the date of the named parts of a cell.

  Raises:
    ValueError: there is no such day or time.
  """
  get = lambda key: parts.get(key) or parts.get(f'{key}2')
  name = get('name')
  month = _month(name) if name else int(parts['month'])
  date = datetime.date(int(get('year')), month, int(get('day')))
  seconds, timed = 0.0, parts['hour'] is not None
  if timed:
    hour = _hour(int(parts['hour']), parts['half'])
    minute = int(parts['minute'])
    second = float((parts['second'] or '0').replace(',', '.'))
    if hour > 23 or minute > 59 or second >= 60:
      raise ValueError(hour)
    seconds = 3600 * hour + 60 * minute + second
  zone = parts['zone']
  if zone and not timed:
    raise ValueError(zone)
  seconds -= _offset(zone)
  days = date.toordinal() - _EPOCH + seconds / 86400
  return _Date(days, bool(zone), timed)


def _month(name: str) -> int:
  """Returns the number of a month, of which at least three letters are given.

  Raises:
    ValueError: there is none of that name.
  """
  for number, full in enumerate(_MONTHS, 1):
    if full.startswith(name.lower()):
      return number
  raise ValueError(name)


def _hour(hour: int, half: str | None) -> int:
  """Returns the hour of the day; `half` is am or pm, or None."""
  if not half:
    return hour
  if not 1 <= hour <= 12:
    raise ValueError(hour)
  return hour % 12 + (12 if half[0] in 'pP' else 0)


def _offset(zone: str | None) -> int:
  """Returns the seconds that a zone is ahead of UTC."""
  if not zone or zone[0] not in '+-':
    return 0
  digits = zone[1:].replace(':', '').ljust(4, '0')
  seconds = 3600 * int(digits[:2]) + 60 * int(digits[2:])
  return -seconds if zone[0] == '-' else seconds


def names(parts: Sequence[str], timed: bool) -> tuple[str, ...]:
  """Returns the names of the inputs of a column.

  Args:
    parts: some of `PARTS`.
    timed: whether there are times of day; without, there is no 'hour'.
  """
  out = []
  for part in parts:
    if part == 'days':
      out.append(part)
    elif part != 'hour' or timed:
      out += [f'{part} sin', f'{part} cos']
  return tuple(out)


def inputs(days: np.ndarray, wanted: Sequence[str]) -> np.ndarray:
  """Returns the inputs [S, P] of a column, float64.

  Args:
    days: [S] from `read`; NaN stays NaN.
    wanted: P names from `names`.
  """
  turns = {
    'hour': lambda: days % 1,
    'weekday': lambda: (np.floor(days) - _MONDAY) % 7 / 7,
    'season': lambda: days % _YEAR / _YEAR,
  }
  out = np.empty((len(days), len(wanted)))
  for i, name in enumerate(wanted):
    part, _, function = name.partition(' ')
    if part == 'days':
      out[:, i] = days
    else:
      of_angle = np.sin if function == 'sin' else np.cos
      out[:, i] = of_angle(2 * np.pi * turns[part]())
  return out


def written(values: np.ndarray, wanted: Sequence[str]) -> str:
  """Writes the inputs of a date: '2024-01-31 14:05', as far as they tell.

  Args:
    values: [P] inputs.
    wanted: their names.
  """
  of = dict(zip(wanted, np.asarray(values, float).tolist()))
  turn = lambda part: (
    math.atan2(of[f'{part} sin'], of[f'{part} cos']) / (2 * math.pi) % 1
  )
  out = []
  if 'days' in of:
    # Days are rounded to float32; with an hour, the nearest day that fits it.
    days = of['days'] + 1e-6
    if 'hour sin' in of:
      days = round(of['days'] - turn('hour'))
    out.append(_iso(days))
  elif 'weekday sin' in of:
    names_ = ('Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun')
    out.append(names_[round(7 * turn('weekday')) % 7])
  elif 'season sin' in of:
    out.append(f'day {int(_YEAR * turn("season")) + 1} of the year')
  if 'hour sin' in of:
    minutes = round(1440 * turn('hour')) % 1440
    out.append(f'{minutes // 60:02d}:{minutes % 60:02d}')
  return ' '.join(out)
