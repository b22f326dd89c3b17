"""Numbers as people write them: one format for a column of text cells.

With the decimal mark known, a cell reads in one way: marks between groups of
three digits, a sign, a currency, a unit or a percent sign are seen from the
cell itself. So the format of a column is that mark and what its cells carry.
NumPy only: the scorer reads new files by the formats of the training.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

# No label and no category; more stand for a missing number.
MISSING = frozenset(('', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL', 'None'))
_MARKS = frozenset(
  ' ? ?? na n/a n.a. n.a #n/a #na <na> nan -nan null (null) none nil nat'
  ' missing unknown - -- --- . .. ... * 1.#ind -1.#ind 1.#qnan -1.#qnan'
  ' #div/0! #value! #ref! #num! #name? #null!'.split(' ')
) | {'#n/a n/a'}
_WORDS = {'true': 1.0, 'false': 0.0, 'yes': 1.0, 'no': 0.0, 't': 1.0, 'f': 0.0}
_WORDS |= {'y': 1.0, 'n': 0.0, 'on': 1.0, 'off': 0.0}
_BITS = {'0': 0.0, '1': 1.0, '0.0': 0.0, '1.0': 1.0}

_SAME = str.maketrans(
  dict.fromkeys('\u00a0\u2002\u2003\u2007\u2008\u2009\u202f\u3000', ' ')
  | dict.fromkeys('\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d', '-')
  | {'\u2019': "'", '\uff0b': '+'}
  | dict.fromkeys('\ufeff\u200b\u200e\u200f', None)
)
_CODES = (
  'AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS'
  ' INR ISK JPY KRW MXN MYR NGN NOK NZD PHP PLN RMB RON RUB SAR SEK SGD THB TRY'
  ' TWD UAH USD VND ZAR Rs kr Fr zł Kč Ft'
)
_CODES = _CODES.replace(' ', '|')
_MONEY = rf'[A-Z]{{0,3}}[$€£¥₹₩₽₺₫฿₴₦₪]|(?:{_CODES})\b\.?'
_UNIT = r'(?:[^\W\d_]|[°‰])(?:[^\W\d_]|[°/*·^²³]){0,11}'
_CELL = re.compile(
  rf"""([+-]?)\ ?({_MONEY})?\ ?([+-]?)\ ?
  ((?:\d(?:[\d.,'_\ ]*[\d.,])?|[.,]\d+)(?:[eE][+-]?\d+)?)
  \ ?(%|{_MONEY}|{_UNIT})?(-?)""",
  re.VERBOSE,
)
_NEGATIVE = re.compile(rf'({_MONEY})? ?\(([^()+-]+)\)')
_POINT_MONEY = re.compile(r'[A-Z]*[$£¥₹]|USD|GBP|INR|JPY')
_POWER = r'(?:[eE][+-]?\d+)?'
_DIGITS = {
  mark: re.compile(
    rf'(?:\d+(?:\{mark}\d*)?|\{mark}\d+'
    rf"|[1-9]\d{{0,2}}(?:(?P<t>[\{other}'_ ])\d{{3}})(?:(?P=t)\d{{3}})*"
    rf'(?:\{mark}\d*)?'
    rf'|[1-9]\d?(?:\{other}\d\d)+\{other}\d{{3}}(?:\{mark}\d*)?)' + _POWER
  )
  for mark, other in ('.,', ',.')
}
_NAMES = {'.': 'point', ',': 'comma', ' ': 'blank', "'": 'apostrophe'}
_NAMES |= {'_': 'underscore'}
MARKS = {word: mark for mark, word in _NAMES.items()}  # {'comma': ',', ...}


class Format(NamedTuple):
  """How all cells of a column are read.

  decimal: the mark before decimals, '.' or ','.
  percent: cells end in %, and 12% is 0.12.
  affix: the currency or unit that cells carry, before or after the number.
  words: cells are True or False, yes or no: 1 or 0.
  thousands: the marks between groups of digits that cells have.
  """

  decimal: str = '.'
  percent: bool = False
  affix: str = ''
  words: bool = False
  thousands: str = ''

  @property
  def unit(self) -> str:
    """What a number of the column counts, beside itself."""
    return '%' if self.percent else self.affix


class Reading(NamedTuple):
  """A column under one format.

  values: [S] float64, NaN where a cell is None.
  marked: cells have the decimal mark.
  """

  values: np.ndarray
  format: Format
  marked: bool = False

  def said(self) -> str:
    """How the cells are read, where it is not plain; else ''."""
    format, parts = self.format, []
    if format.words:
      return '1 for true or yes, 0 for false or no'
    if format.decimal == ',' and self.marked:
      parts.append('decimal comma')
    parts += [f'thousands {_NAMES[mark]}' for mark in format.thousands]
    if format.percent:
      parts.append('percent, 12% as 0.12')
    if format.affix:
      parts.append(f'"{format.affix}" left out')
    return 'numbers with ' + ' and '.join(parts) if parts else ''


class Unreadable(ValueError):
  """A cell is no number of the format; `why` says what it lacks, if known."""

  def __init__(self, cell: str, why: str = ''):
    super().__init__(cell, why)
    self.cell, self.why = cell, why


class _Cell(NamedTuple):
  digits: str
  negative: bool
  percent: bool
  affix: str


def is_missing(cell: str, more: frozenset[str] = frozenset()) -> bool:
  """Whether a cell of a numeric column stands for no value.

  Args:
    cell: without blanks around it.
    more: marks beside the usual ones, in lower case.
  """
  folded = cell.translate(_SAME).strip().casefold()
  return folded in _MARKS or folded in more


def plain(cell: str) -> float:
  """Returns what NumPy and pandas read as a number without being told more.

  Raises:
    ValueError: it is none.
  """
  if '_' in cell:
    raise ValueError(cell)
  return float(cell)


def is_plain(cell: str) -> bool:
  """Whether `plain` reads a cell."""
  try:
    return plain(cell) is not None
  except ValueError:
    return False


def is_number(cell: str) -> bool:
  """Whether a cell reads as a number under some format."""
  parts = _cell(cell)
  return parts is not None and any(_value(parts, mark) for mark in _DIGITS)


def _cell(text: str) -> _Cell | None:
  """Takes a cell apart; None if it is no number under any format."""
  text = text.translate(_SAME).strip()
  if text.startswith('="') and text.endswith('"'):  # So that Excel keeps it.
    text = text[2:-1]
  if text[:1] in ('"', "'"):
    text = text[1:].removesuffix(text[0]).strip()
  negative = _NEGATIVE.fullmatch(text)
  if negative:
    text = (negative[1] or '') + negative[2].strip()
  match = _CELL.fullmatch(text)
  if not match:
    return None
  signs = match[1] + match[3] + match[6]
  before, after = match[2] or '', match[5] or ''
  percent = after == '%'
  if len(signs) + bool(negative) > 1 or (percent and before):
    return None
  affix = '' if percent else ' '.join(filter(None, (before, after)))
  return _Cell(match[4], bool(negative) or signs == '-', percent, affix)


def _value(cell: _Cell, decimal: str, thousands: str = '') -> str | None:
  """Returns the digits of a cell as Python reads them, or None."""
  match = _DIGITS[decimal].fullmatch(cell.digits)
  if not match:
    return None
  used = _groups(cell, decimal)
  if thousands and used - {thousands}:
    return None
  text = cell.digits
  for mark in used:
    text = text.replace(mark, '')
  return text.replace(decimal, '.')


def _groups(cell: _Cell, decimal: str) -> set[str]:
  return set(cell.digits) & (set(_NAMES) - {decimal})


def read(
  cells: Sequence[str | None],
  decimal: str,
  thousands: str = '',
  known: Format | None = None,
) -> Reading:
  """Reads a column.

  Args:
    cells: [S] without blanks around them; None where there is no value.
    decimal: the mark before decimals.
    thousands: the only mark that may stand between groups; '' for any.
    known: the format that the column must have; None takes that of the cells.

  Raises:
    Unreadable: naming the first cell that is no such number.
  """
  distinct = dict.fromkeys(cells)
  distinct.pop(None, None)
  words = {cell.casefold() for cell in distinct}
  if known is None:
    is_words = bool(words - set(_BITS)) and words <= set(_WORDS) | set(_BITS)
  else:
    is_words = known.words
  if is_words:
    values = _word_values(distinct)
    return Reading(_filled(cells, values), Format(words=True))
  values, parsed = {}, {}
  for cell in distinct:
    try:
      if decimal != '.' or thousands == '.':
        raise ValueError
      values[cell] = plain(cell)
    except ValueError:
      parsed[cell] = parts = _cell(cell)
      digits = parts and _value(parts, decimal, thousands)
      if not digits:
        raise Unreadable(cell) from None
      value = float(digits) / (100 if parts.percent else 1)
      values[cell] = -value if parts.negative else value
  percent, affix = _carried(values, parsed, known)
  marked = any('.' in cell for cell in distinct if cell not in parsed) or any(
    decimal in parts.digits for parts in parsed.values()
  )
  groups = set().union(*(_groups(p, decimal) for p in parsed.values()))
  if known:
    _check_groups(parsed, groups, known)
  thousands = ''.join(sorted(groups))
  format = known or Format(decimal, percent, affix, False, thousands)
  return Reading(_filled(cells, values), format, marked)


def _check_groups(parsed, groups: set[str], known: Format) -> None:
  """Refuses 1,234 where the known format tells not what its comma is."""
  other = ',' if known.decimal == '.' else '.'
  if other not in groups or other in known.thousands:
    return
  if all(_value(parts, other) for parts in parsed.values()):
    cell = next(c for c, parts in parsed.items() if other in parts.digits)
    raise Unreadable(
      cell,
      f'its {_NAMES[other]} reads two ways: the training had none, neither'
      ' between thousands nor before decimals',
    )


def _word_values(distinct) -> dict[str, float]:
  known = _WORDS | _BITS
  for cell in distinct:
    if cell.casefold() not in known:
      raise Unreadable(cell, 'the others are true or false')
  return {cell: known[cell.casefold()] for cell in distinct}


def _carried(values, parsed, known: Format | None) -> tuple[bool, str]:
  """Returns whether cells are percents, and the affix that they share."""
  if known:
    percent, affix = known.percent, known.affix
  else:
    percents = sum(parts.percent for parts in parsed.values())
    percent = 2 * percents > sum(value != 0 for value in values.values())
    affix = next((p.affix for p in parsed.values() if p.affix), '')
  for cell, parts in parsed.items():
    if parts.affix not in ('', affix):
      raise Unreadable(
        cell, f'others are in {affix}' if affix else 'others have no unit'
      )
  for cell in values if percent else parsed:
    is_percent = cell in parsed and parsed[cell].percent
    if values[cell] and is_percent != percent:
      raise Unreadable(
        cell, f'others are {"" if percent else "not "}in percent'
      )
  return percent, affix


def _filled(cells, values: Mapping[str, float]) -> np.ndarray:
  values = {**values, None: np.nan}
  return np.fromiter((values[cell] for cell in cells), np.float64, len(cells))


class Ways(NamedTuple):
  """A column under each decimal mark; None where a cell is no number then."""

  point: Reading | None
  comma: Reading | None

  @property
  def decimal(self) -> str | None:
    """The mark that the cells settle; '' if any does, None if neither."""
    if self.point is None:
      return ',' if self.comma else None
    if self.comma is None:
      return '.' if self.point.marked or self.point.format.thousands else ''
    same = np.array_equal(self.point.values, self.comma.values, equal_nan=True)
    return '' if same else '?'

  @property
  def money_has_points(self) -> bool:
    """Whether the currency is one that goes with a decimal point."""
    return bool(_POINT_MONEY.fullmatch(self.point.format.affix))


def ways(cells: Sequence[str | None], decimal='', thousands='') -> Ways:
  """Reads a column under the decimal marks that are allowed.

  Args:
    cells: as of `read`.
    decimal: the only one allowed, or '' for both.
    thousands: as of `read`; it is no decimal mark.
  """
  found = []
  for mark in '.,':
    try:
      if decimal not in ('', mark) or thousands == mark:
        raise Unreadable('')
      found.append(read(cells, mark, thousands))
    except Unreadable:
      found.append(None)
  return Ways(*found)
