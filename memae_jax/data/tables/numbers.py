"""Numbers as people write them: one format for a column of text cells.

Once the decimal mark is known, a cell can be read in one way: marks between
groups of three digits, a sign, a currency, a unit or a percent sign are seen
from the cell itself. So the format of a column is its decimal mark, and the
unit and other marks that its cells have. This module needs NumPy only: a scorer
reads new files by the formats of the training.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

# Cells that are no label and no category. `_MARKS` has more cells, in lower
# case, that are no number.
MISSING = frozenset(('', 'NA', 'N/A', 'NaN', 'nan', 'null', 'NULL', 'None'))
_MARKS = frozenset(
  ' ? ?? na n/a n.a. n.a #n/a #na <na> nan -nan null (null) none nil nat'
  ' missing unknown - -- --- . .. ... * 1.#ind -1.#ind 1.#qnan -1.#qnan'
  ' #div/0! #value! #ref! #num! #name? #null!'.split(' ')
) | {'#n/a n/a'}
_WORDS = {'true': 1.0, 'false': 0.0, 'yes': 1.0, 'no': 0.0, 't': 1.0, 'f': 0.0}
_WORDS |= {'y': 1.0, 'n': 0.0, 'on': 1.0, 'off': 0.0}
_BITS = {'0': 0.0, '1': 1.0, '0.0': 0.0, '1.0': 1.0}

_SAME_CHARACTERS = str.maketrans(
  dict.fromkeys('\u00a0\u2002\u2003\u2007\u2008\u2009\u202f\u3000', ' ')
  | dict.fromkeys('\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d', '-')
  | {'\u2019': "'", '\uff0b': '+'}
  | dict.fromkeys('\ufeff\u200b\u200e\u200f', None)
)
_CURRENCY_CODES = (
  'AED ARS AUD BGN BRL CAD CHF CLP CNY COP CZK DKK EGP EUR GBP HKD HUF IDR ILS'
  ' INR ISK JPY KRW MXN MYR NGN NOK NZD PHP PLN RMB RON RUB SAR SEK SGD THB TRY'
  ' TWD UAH USD VND ZAR Rs kr Fr zł Kč Ft'
)
_CURRENCY_CODES = _CURRENCY_CODES.replace(' ', '|')
_MONEY = rf'[A-Z]{{0,3}}[$€£¥₹₩₽₺₫฿₴₦₪]|(?:{_CURRENCY_CODES})\b\.?'
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
  """Format of the numbers in a column.

  decimal: the mark before decimals, '.' or ','.
  percent: True if cells end in %; then 12% is 0.12.
  affix: the currency or unit before or after the numbers, or ''.
  words: True if cells are words such as true and false or yes and no, which are
    1 and 0.
  thousands: all marks between groups of digits, such as ',' or " '".
  """

  decimal: str = '.'
  percent: bool = False
  affix: str = ''
  words: bool = False
  thousands: str = ''

  @property
  def unit(self) -> str:
    """Unit of the numbers, such as '%' or 'kg', or ''."""
    return '%' if self.percent else self.affix


class Reading(NamedTuple):
  """Values of a column, read by one format.

  values: [S] float64, NaN where a cell is None.
  format: the format.
  marked: True if a cell has the decimal mark.
  """

  values: np.ndarray
  format: Format
  marked: bool = False

  def describe(self) -> str:
    """Returns the format as a part of a remark; '' if it is plain."""
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
  """A cell is not a number of the format; `why` is the reason, or ''."""

  def __init__(self, cell: str, why: str = ''):
    super().__init__(cell, why)
    self.cell, self.why = cell, why


class _Cell(NamedTuple):
  """Parts of a cell; `digits` still has its marks, but no sign."""

  digits: str
  negative: bool
  percent: bool
  affix: str


def is_missing(cell: str, more: frozenset[str] = frozenset()) -> bool:
  """Returns whether a cell of a numeric column stands for a missing value.

  Args:
    cell: text of the cell, without blanks around it.
    more: marks for missing values beside the usual ones, in lower case.
  """
  folded = cell.translate(_SAME_CHARACTERS).strip().casefold()
  return folded in _MARKS or folded in more


def plain(cell: str) -> float:
  """Returns the value of a plain number: one that NumPy and pandas read.

  Raises:
    ValueError: the cell is not a plain number.
  """
  if '_' in cell:
    raise ValueError(cell)
  return float(cell)


def is_plain(cell: str) -> bool:
  """Returns whether a cell is a plain number, see `plain`."""
  try:
    return plain(cell) is not None
  except ValueError:
    return False


def is_number(cell: str) -> bool:
  """Returns whether a cell is a number under some format."""
  parts = _cell(cell)
  return parts is not None and any(_value(parts, mark) for mark in _DIGITS)


def _cell(text: str) -> _Cell | None:
  """Returns the parts of a cell; None if no format makes it a number."""
  text = text.translate(_SAME_CHARACTERS).strip()
  # People write ="0123" so that Excel keeps the text as it is.
  if text.startswith('="') and text.endswith('"'):
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
  """Returns a number as Python writes it; None if the marks do not fit."""
  match = _DIGITS[decimal].fullmatch(cell.digits)
  if not match:
    return None
  used = _group_marks(cell, decimal)
  if thousands and used - {thousands}:
    return None
  text = cell.digits
  for mark in used:
    text = text.replace(mark, '')
  return text.replace(decimal, '.')


def _group_marks(cell: _Cell, decimal: str) -> set[str]:
  return set(cell.digits) & (set(_NAMES) - {decimal})


def read(
  cells: Sequence[str | None],
  decimal: str,
  thousands: str = '',
  expected: Format | None = None,
) -> Reading:
  """Reads a column.

  Args:
    cells: [S] text without blanks around it; None where there is no value.
    decimal: the mark before decimals.
    thousands: the only mark that may stand between groups of digits; '': any.
    expected: the format that the column must have; None: that of the cells.

  Raises:
    Unreadable: a cell is not such a number; it has the first such cell.
  """
  distinct = dict.fromkeys(cells)
  distinct.pop(None, None)
  words = {cell.casefold() for cell in distinct}
  if expected is None:
    is_boolean = bool(words - set(_BITS)) and words <= set(_WORDS) | set(_BITS)
  else:
    is_boolean = expected.words
  if is_boolean:
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
  percent, affix = _percent_and_affix(values, parsed, expected)
  marked = any('.' in cell for cell in distinct if cell not in parsed) or any(
    decimal in parts.digits for parts in parsed.values()
  )
  groups = set().union(*(_group_marks(p, decimal) for p in parsed.values()))
  if expected:
    _check_groups(parsed, groups, expected)
  thousands = ''.join(sorted(groups))
  format = expected or Format(decimal, percent, affix, False, thousands)
  return Reading(_filled(cells, values), format, marked)


def _check_groups(parsed, groups: set[str], expected: Format) -> None:
  """Raises Unreadable for 1,234 if `expected` leaves open what its comma is."""
  other = ',' if expected.decimal == '.' else '.'
  if other not in groups or other in expected.thousands:
    return
  if all(_value(parts, other) for parts in parsed.values()):
    cell = next(c for c, parts in parsed.items() if other in parts.digits)
    raise Unreadable(
      cell,
      f'its {_NAMES[other]} can be read in two ways: the training data had'
      ' none, neither between thousands nor before decimals',
    )


def _word_values(distinct) -> dict[str, float]:
  values = _WORDS | _BITS
  for cell in distinct:
    if cell.casefold() not in values:
      raise Unreadable(cell, 'the other cells are true or false')
  return {cell: values[cell.casefold()] for cell in distinct}


def _percent_and_affix(
  values, parsed, expected: Format | None
) -> tuple[bool, str]:
  """Returns whether cells are percents, and the affix that they share."""
  if expected:
    percent, affix = expected.percent, expected.affix
  else:
    percents = sum(parts.percent for parts in parsed.values())
    percent = 2 * percents > sum(value != 0 for value in values.values())
    affix = next((p.affix for p in parsed.values() if p.affix), '')
  for cell, parts in parsed.items():
    if parts.affix not in ('', affix):
      raise Unreadable(
        cell,
        f'other cells are in {affix}' if affix else 'other cells have no unit',
      )
  for cell in values if percent else parsed:
    is_percent = cell in parsed and parsed[cell].percent
    if values[cell] and is_percent != percent:
      raise Unreadable(
        cell, f'other cells are {"" if percent else "not "}in percent'
      )
  return percent, affix


def _filled(cells, values: Mapping[str, float]) -> np.ndarray:
  values = {**values, None: np.nan}
  return np.fromiter((values[cell] for cell in cells), np.float64, len(cells))


class Ways(NamedTuple):
  """A column under each decimal mark; None if a cell is then not a number."""

  point: Reading | None
  comma: Reading | None

  @property
  def decimal(self) -> str | None:
    """Decimal mark of the cells: '.', ',' or a code for another answer.

    It is '' if both marks give the same values, '?' if they give different
    ones, and None if the cells are no numbers under either.
    """
    if self.point is None:
      return ',' if self.comma else None
    if self.comma is None:
      return '.' if self.point.marked or self.point.format.thousands else ''
    same = np.array_equal(self.point.values, self.comma.values, equal_nan=True)
    return '' if same else '?'

  @property
  def money_has_points(self) -> bool:
    """True if people write the currency of the cells with a decimal point."""
    return bool(_POINT_MONEY.fullmatch(self.point.format.affix))


def ways(cells: Sequence[str | None], decimal='', thousands='') -> Ways:
  """Reads a column under the decimal marks that are allowed.

  Args:
    cells: [S], see `read`.
    decimal: the only decimal mark that is allowed, or '' for both.
    thousands: see `read`; this mark cannot be the decimal mark.
  """
  readings = []
  for mark in '.,':
    try:
      if decimal not in ('', mark) or thousands == mark:
        raise Unreadable('')
      readings.append(read(cells, mark, thousands))
    except Unreadable:
      readings.append(None)
  return Ways(*readings)
