"""Evaluates MATLAB expressions of numbers, as files of labels hold them.

Known are numbers, spans a:b and a:step:b, matrices in brackets with all their
ways to separate, parentheses, + - * / and transposes. Whatever MATLAB refuses,
and all that is not known, is refused with its line.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from memae_jax.runtime import errors

_LARGEST = 10**7  # Values of a file in all: 1:1e12 is a slip, or an attack.
_DEEPEST = 50  # Brackets in brackets.
_NUMBER = r"(?:\d+(?:\.(?![.*/\\^'])\d*)?|\.\d+)(?:[eEdD][+-]?\d+)?"
_TOKEN = re.compile(
  rf"""(?P<number>{_NUMBER})
  | (?P<name>[A-Za-z]\w*)
  | (?P<operator>\.[*/\\^'] | [=~<>]= | && | \|\| | [\[\](){{}}:;,+\-*/\\^=.'])
  """,
  re.VERBOSE,
)
_TEXT = {quote: re.compile(f'{quote}([^{quote}]|{quote}{quote})*{quote}')
         for quote in '\'"'}  # fmt: skip
_CLOSES = {'[': ']', '(': ')', '{': '}'}
_ENDS_ROW = (';', '\n')


class Token(NamedTuple):
  """A word of a file.

  kind: 'number', 'name', 'operator' (also the end of a line) or 'text'.
  spaced: whether there is a blank before it.
  """

  kind: str
  text: str
  line: int
  spaced: bool

  @property
  def ends_value(self) -> bool:
    """Whether a value can end here: what follows is no sign of its own."""
    return self.kind != 'operator' or self.text in (')', ']', '}', "'", ".'")


def refusal(where: str, line: int, what: str) -> errors.UserError:
  """Returns the error that names file and line."""
  return errors.UserError(f'{where} line {line}: {what}')


def tokens(text: str, where: str) -> list[Token]:
  """Splits the text of a file; comments and continued lines are gone.

  Args:
    text: of the file.
    where: its name, for messages.

  Raises:
    UserError: naming the line of what is no MATLAB.
  """
  found, blocks = [], []
  continued = False
  for number, line in enumerate(re.split(r'\r\n|\r|\n', text), 1):
    if line.strip() in ('%{', '#{'):
      blocks.append(number)
    elif blocks:
      if line.strip() in ('%}', '#}'):
        blocks.pop()
    else:
      continued = _line(found, line, number, continued, where)
  if blocks:
    raise refusal(where, blocks[-1], 'the comment that begins here has no end')
  return found


def _line(found, line, number, continued, where) -> bool:
  """Appends the tokens of a line; returns whether it goes on in the next."""
  at, spaced = 0, continued
  while at < len(line):
    if line[at].isspace():
      at, spaced = at + 1, True
      continue
    if line[at] in '%#':
      break
    if line.startswith('...', at):
      return True
    before = found[-1] if found and found[-1].line == number else None
    adjoins = before is not None and before.ends_value and not spaced
    if line[at] in _TEXT and not (line[at] == "'" and adjoins):
      kind, match = 'text', _TEXT[line[at]].match(line, at)
    else:
      match = _TOKEN.match(line, at)
      kind = match.lastgroup if match else ''
    if match is None:
      raise refusal(where, number, f'"{line[at : at + 20]}" is not understood')
    if adjoins and before.kind == 'number' and kind in ('number', 'name'):
      what = f'"{before.text}{match.group()}" is no number'
      raise refusal(where, number, what)
    found.append(Token(kind, match.group(), number, spaced))
    at, spaced = match.end(), False
  found.append(Token('operator', '\n', number, spaced))
  return False


class Expression:
  """Reads expressions from the tokens of one statement, from left to right."""

  def __init__(
    self,
    words: Sequence[Token],
    where: str,
    variables: Mapping[str, np.ndarray | errors.UserError],
    budget: list[int],
  ):
    """Sets what is read.

    Args:
      words: not empty.
      where: the name of the file, for messages.
      variables: what names stand for, [r, c] each, or why they cannot be read.
      budget: how many values may still be made, counted down; see `budget`.
    """
    self._words = [*words, Token('operator', '', words[-1].line, True)]
    self._where = where
    self._variables = variables
    self._budget = budget
    self._at = 0
    self._depth = 0
    self._blanks_separate = False

  @property
  def next(self) -> Token:
    """The token that is read next; its text is empty at the end."""
    return self._words[self._at]

  def take(self, *texts: str) -> bool:
    """Reads one of some operators, if it is next."""
    if self.next.kind != 'operator' or self.next.text not in texts:
      return False
    self._at += 1
    return True

  def unexpected(self) -> errors.UserError:
    """Returns the error that the next token has no place here."""
    shown = {'': 'the end', '\n': 'the end of the line'}
    text = shown.get(self.next.text) or f'"{self.next.text[:40]}"'
    return self.refusal(f'{text} has no meaning here')

  def refusal(self, what: str) -> errors.UserError:
    """Returns an error at the next token."""
    return refusal(self._where, self.next.line, what)

  def value(self) -> np.ndarray:
    """Reads a value or a span, [r, c] float64.

    Raises:
      UserError: naming the line of what is wrong.
    """
    first = self._sum()
    if not self.take(':'):
      return first
    last = self._sum()
    if not self.take(':'):
      return self._span(first, np.ones((1, 1)), last)
    step, last = last, self._sum()
    if self.next.text == ':':
      raise self.refusal('a span has three numbers at most')
    return self._span(first, step, last)

  def rows(self, opening: str) -> list[list[np.ndarray]]:
    """Reads the values in brackets, row by row.

    Args:
      opening: the bracket, which was taken before.

    Raises:
      UserError: naming the line of what is wrong.
    """
    found, separated = [[]], True
    with self._inside(blanks_separate=True):
      while not self.take(_CLOSES[opening]):
        if self.take(*_ENDS_ROW):
          found.append([])
          separated = True
        elif found[-1] and not separated and self.take(','):
          separated = True
        else:
          before = self._words[self._at - 1].text
          if not (separated or self.next.spaced or self.next.text == '['
                  or before == ']'):  # fmt: skip
            raise self.unexpected()
          found[-1].append(self.value())
          separated = False
    return [row for row in found if row]

  def arguments(self, closing: str) -> list[int]:
    """Reads whole numbers up to the bracket that ends the statement.

    Raises:
      UserError: naming the line of what is wrong.
    """
    found = []
    while not found or self.take(','):
      value = self.value()
      if value.size != 1 or value.item() % 1:
        raise self.refusal('expected one whole number')
      found.append(int(value.item()))
    if not self.take(closing) or self.next.text:
      raise self.unexpected()
    return found

  @contextlib.contextmanager
  def _inside(self, blanks_separate):
    before, self._blanks_separate = self._blanks_separate, blanks_separate
    self._depth += 1
    if self._depth > _DEEPEST:
      raise self.refusal(f'brackets are more than {_DEEPEST} deep')
    yield
    self._depth -= 1
    self._blanks_separate = before

  def _sum(self):
    value = self._product()
    while self.next.text in ('+', '-'):
      sign, after = self.next, self._words[self._at + 1]
      if self._blanks_separate and sign.spaced and not after.spaced:
        break  # [1 -2] are two, [1 - 2] and [1-2] are one.
      self._at += 1
      value = self._combined(sign.text, value, self._product())
    return value

  def _product(self):
    value = self._signed()
    while self.next.text in ('*', '/', '.*', './'):
      operator = self.next.text
      self._at += 1
      value = self._combined(operator, value, self._signed())
    return value

  def _signed(self):
    sign = 1
    while self.next.text in ('+', '-'):
      sign = -sign if self.next.text == '-' else sign
      self._at += 1
    value = sign * self._operand()
    while self.take("'", ".'"):
      value = value.T
    return value

  def _operand(self):
    word = self.next
    if word.kind == 'number':
      self._at += 1
      number = float(re.sub('[dD]', 'e', word.text))
      return self._checked(np.array([[number]]))
    if word.kind == 'name':
      return self._variable()
    if self.take('('):
      with self._inside(blanks_separate=False):
        value = self.value()
        if not self.take(')'):
          raise self.unexpected()
      return value
    if self.take('['):
      return self._matrix(self.rows('['))
    raise self.unexpected()

  def _variable(self):
    name, after = self.next.text, self._words[self._at + 1]
    value = self._variables.get(name)
    if value is None or after.text in ('(', '{', '.') and not after.spaced:
      raise self.refusal(
        f'"{name}" is no number that is known here; write the numbers'
      )
    if isinstance(value, errors.UserError):
      raise self.refusal(f'"{name}" cannot be read: {value}')
    self._at += 1
    return value

  def _matrix(self, rows):
    joined = []
    for row in rows:
      parts = [part for part in row if part.size]
      if len({len(part) for part in parts}) > 1:
        heights = ' and '.join(str(len(part)) for part in parts[:2])
        raise self.refusal(f'parts of {heights} rows cannot stand side by side')
      if parts:
        joined.append(np.hstack(parts))
    widths = [part.shape[1] for part in joined]
    if len(set(widths)) > 1:
      raise self.refusal(
        'rows of a matrix need one length, but here are'
        f' {" and ".join(map(str, widths[:2]))} values; separate them by blanks'
        ' or commas'
      )
    return self._checked(np.vstack(joined) if joined else np.empty((0, 0)))

  def _combined(self, operator, one, two):
    if operator in ('*', '/') and two.size != 1 and not (
      operator == '*' and one.size == 1
    ):  # fmt: skip
      raise self.refusal(f'"{operator}" of two matrices is not understood')
    shapes = zip(one.shape, two.shape)
    if any(a != b and 1 not in (a, b) for a, b in shapes):
      raise self.refusal(
        f'matrices of sizes {one.shape} and {two.shape} do not fit together'
      )
    self._pay(max(one.shape[0], two.shape[0]) * max(one.shape[1], two.shape[1]))
    apply = {'+': np.add, '-': np.subtract, '*': np.multiply, '/': np.divide}
    with np.errstate(all='ignore'):
      return self._checked(apply[operator[-1]](one, two))

  def _span(self, first, step, last):
    if not first.size == step.size == last.size == 1:
      raise self.refusal('a span needs single numbers')
    first, step, last = (float(part.item()) for part in (first, step, last))
    if step == 0 or (last - first) / step < 0:
      return np.empty((1, 0))
    # As MATLAB: a step that does not divide evenly may end by a rounding late.
    slack = 2 * float(np.spacing(max(abs(first), abs(last)))) / abs(step)
    size = (last - first) / step + slack + 1
    self._pay(size)
    return (first + step * np.arange(int(size)))[None]

  def _checked(self, value):
    if not np.isfinite(value).all():
      raise self.refusal('a number is not finite')
    self._pay(value.size)
    return value

  def _pay(self, size):
    if size > self._budget[0]:
      raise self.refusal(
        f'spans of more than {_LARGEST:,} values; check the numbers'
      )
    self._budget[0] -= int(size)


def budget() -> list[int]:
  """Returns how many values the expressions of a file may make, in all."""
  return [_LARGEST]
