"""Evaluates MATLAB expressions of numbers, as files of labels hold them.

Known are numbers, spans a:b and a:step:b, matrices in brackets with all the
separators that MATLAB knows, parentheses, + - * / and transposes. All else,
and whatever MATLAB refuses, is refused with its line.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from memae_jax.runtime import errors

_LARGEST = 10**7  # Values per file, in all: 1:1e12 is a slip, or an attack.
_DEEPEST = 50  # How deep brackets may be nested.
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
  """A number, a name, an operator, a text or the end of a line in a file.

  kind: 'number', 'name', 'operator' (also the end of a line) or 'text'.
  text: as in the file; a line break at the end of a line.
  line: of the file, from 1.
  spaced: whether there is a blank before it.
  """

  kind: str
  text: str
  line: int
  spaced: bool

  @property
  def ends_value(self) -> bool:
    """Returns whether a value can end here; if so, "'" is a transpose."""
    return self.kind != 'operator' or self.text in (')', ']', '}', "'", ".'")


def refusal(where: str, line: int, message: str) -> errors.UserError:
  """Returns the error whose message begins with file and line."""
  return errors.UserError(f'{where} line {line}: {message}')


def tokens(text: str, where: str) -> list[Token]:
  """Splits the text of a file; drops comments and joins continued lines.

  Args:
    text: of the file.
    where: its name, for messages.

  Raises:
    UserError: something is not MATLAB; its line is named.
  """
  words, blocks = [], []
  continued = False
  for number, line in enumerate(re.split(r'\r\n|\r|\n', text), 1):
    if line.strip() in ('%{', '#{'):
      blocks.append(number)
    elif blocks:
      if line.strip() in ('%}', '#}'):
        blocks.pop()
    else:
      continued = _line(words, line, number, continued, where)
  if blocks:
    raise refusal(where, blocks[-1], 'the comment that begins here has no end')
  return words


def _line(words, line, number, continued, where) -> bool:
  """Appends the tokens of a line; returns whether the next line continues it.

  Args:
    words: the tokens so far.
    line: the text of the line.
    number: of the line, from 1.
    continued: whether the line continues the one before.
    where: name of the file, for messages.
  """
  at, spaced = 0, continued
  while at < len(line):
    if line[at].isspace():
      at, spaced = at + 1, True
      continue
    if line[at] in '%#':
      break
    if line.startswith('...', at):
      return True
    before = words[-1] if words and words[-1].line == number else None
    adjoins = before is not None and before.ends_value and not spaced
    if line[at] in _TEXT and not (line[at] == "'" and adjoins):
      kind, match = 'text', _TEXT[line[at]].match(line, at)
    else:
      match = _TOKEN.match(line, at)
      kind = match.lastgroup if match else ''
    if match is None:
      raise refusal(where, number, f'"{line[at : at + 20]}" is not understood')
    if adjoins and before.kind == 'number' and kind in ('number', 'name'):
      message = f'"{before.text}{match.group()}" is not a number'
      raise refusal(where, number, message)
    words.append(Token(kind, match.group(), number, spaced))
    at, spaced = match.end(), False
  words.append(Token('operator', '\n', number, spaced))
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
    """Sets the tokens that are read.

    Args:
      words: the tokens, at least one.
      where: the name of the file, for messages.
      variables: by name, the value [r, c] that a name stands for, or the error
        for which it cannot be read.
      budget: how many values may still be computed, counted down; see `budget`.
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
    """Token that is read next; its text is empty at the end."""
    return self._words[self._at]

  def take(self, *texts: str) -> bool:
    """Reads the next token if it is one of these operators; returns whether."""
    if self.next.kind != 'operator' or self.next.text not in texts:
      return False
    self._at += 1
    return True

  def unexpected(self) -> errors.UserError:
    """Returns the error that the next token has no meaning here."""
    ends = {'': 'the end', '\n': 'the end of the line'}
    text = ends.get(self.next.text) or f'"{self.next.text[:40]}"'
    return self.refusal(f'{text} has no meaning here')

  def refusal(self, message: str) -> errors.UserError:
    """Returns an error that names the line of the next token."""
    return refusal(self._where, self.next.line, message)

  def value(self) -> np.ndarray:
    """Reads a value or a span, [r, c] float64.

    Raises:
      UserError: it is not understood; the line is named.
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
    """Reads the values in brackets, row by row, and the closing bracket.

    Args:
      opening: the opening bracket, which was read before.

    Raises:
      UserError: something is not understood; its line is named.
    """
    rows, separated = [[]], True
    with self._inside(blanks_separate=True):
      while not self.take(_CLOSES[opening]):
        if self.take(*_ENDS_ROW):
          rows.append([])
          separated = True
        elif rows[-1] and not separated and self.take(','):
          separated = True
        else:
          before = self._words[self._at - 1].text
          if not (separated or self.next.spaced or self.next.text == '['
                  or before == ']'):  # fmt: skip
            raise self.unexpected()
          rows[-1].append(self.value())
          separated = False
    return [row for row in rows if row]

  def arguments(self, closing: str) -> list[int]:
    """Reads whole numbers up to the bracket that ends the statement.

    Args:
      closing: the bracket.

    Raises:
      UserError: something is not understood; its line is named.
    """
    integers = []
    while not integers or self.take(','):
      value = self.value()
      if value.size != 1 or value.item() % 1:
        raise self.refusal('expected one whole number')
      integers.append(int(value.item()))
    if not self.take(closing) or self.next.text:
      raise self.unexpected()
    return integers

  @contextlib.contextmanager
  def _inside(self, blanks_separate):
    """Reads inside brackets, where blanks may separate values."""
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
        break  # [1 -2] has two values, [1 - 2] and [1-2] have one.
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
        f'"{name}" is not a number that is known here; write the numbers'
      )
    if isinstance(value, errors.UserError):
      raise self.refusal(f'"{name}" cannot be read: {value}')
    self._at += 1
    return value

  def _matrix(self, rows):
    """Returns the matrix of rows, each of matrices that stand side by side."""
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
        'rows of a matrix need one length, but here are rows of'
        f' {" and ".join(map(str, widths[:2]))} values; separate values by'
        ' blanks or commas'
      )
    return self._checked(np.vstack(joined) if joined else np.empty((0, 0)))

  def _combined(self, operator, one, two):
    """Returns the result of an operator on two matrices."""
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
    # As in MATLAB, the last value may exceed the end of a span by rounding.
    slack = 2 * float(np.spacing(max(abs(first), abs(last)))) / abs(step)
    size = (last - first) / step + slack + 1
    self._pay(size)
    return (first + step * np.arange(int(size)))[None]

  def _checked(self, value):
    """Returns a value that is finite and within the budget."""
    if not np.isfinite(value).all():
      raise self.refusal('a number is not finite')
    self._pay(value.size)
    return value

  def _pay(self, size):
    """Counts values; refuses them where the budget is spent."""
    if size > self._budget[0]:
      raise self.refusal(
        f'spans of more than {_LARGEST:,} values; check the numbers'
      )
    self._budget[0] -= int(size)


def budget() -> list[int]:
  """Returns a new counter of the values that one file may still compute."""
  return [_LARGEST]
