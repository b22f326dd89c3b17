"""Values of config fields that are tuples, as people write them.

Numbers are written as 1,2  (1, 2)  [1, 2]  1 2
and names as a,b  ('a', 'b')  "a"  'a, b',c
"""

import ast
import math
import re
from typing import Any

from memae_jax import config as config_lib
from memae_jax.config import fields
from memae_jax.runtime import errors

_CLOSING = {'(': ')', '[': ']'}
_QUOTES = ('"', "'")


def literal(name: str, text: str) -> str:
  """Returns text that Python reads as the value of a field.

  Args:
    name: of the field, such as 'data.normal_labels'.
    text: as somebody wrote it; it is returned as it is where the field is no
      tuple.

  Raises:
    UserError: the field is a tuple, and the text cannot be divided.
  """
  field = config_lib.find(name)
  if getattr(field, 'item', None) is None:
    return text
  try:
    return repr(tuple(members(field, text)))
  except ValueError as error:
    raise errors.UserError(
      f'config field "{name}" is {text[:200]!r}, but {error}'
    ) from error


def members(field: fields.Field, text: str) -> list[Any]:
  """Divides the text of a field that is a tuple into its members.

  Names stay as they are written, also 007 and 1.0; commas inside quotes do not
  divide.

  Raises:
    ValueError: a member is missing, or a quote does not close.
  """
  inner = _without_brackets(text.strip())
  if not isinstance(field.item.default, str):
    words = [_unquoted(word) for word in re.split(r'[,;\s]+', inner) if word]
    if len(words) == 1 and not _is_number(words[0]):
      words = words[0].split('+')  # As in `--config=file.py:widths=8+4`.
    return [_number(word) for word in words]
  parts = [part.strip() for part in _parts(inner)]
  if parts and not parts[-1]:
    parts.pop()  # A comma at the end.
  if '' in parts:
    raise ValueError(
      "has nothing between two commas; write it in quotes, such as ('a', 'b')"
    )
  out = [_unquoted(part) for part in parts]
  if field.item.kind != 'str' and len(out) == 1:  # Members are fixed words.
    out = [word for word in re.split(r'[\s+;]+', out[0]) if word]
  return out


def _without_brackets(text: str) -> str:
  """Returns text without one pair of brackets around all of it."""
  if not text or _CLOSING.get(text[0]) != text[-1]:
    return text
  depth = 0
  for at, letter in enumerate(text):
    depth += (letter in _CLOSING) - (letter in _CLOSING.values())
    if depth == 0 and at < len(text) - 1:
      return text
  return text[1:-1].strip()


def _parts(text: str, nested: bool = True) -> list[str]:
  """Divides text at commas that are not inside quotes or brackets."""
  out, start, depth, quote = [], 0, 0, ''
  for at, letter in enumerate(text):
    if quote:
      quote = '' if letter == quote and text[at - 1] != '\\' else quote
    elif letter in _QUOTES and not text[start:at].strip():
      quote = letter
    elif nested and letter in _CLOSING:
      depth += 1
    elif nested and letter in _CLOSING.values():
      depth -= 1
    elif letter == ',' and depth <= 0:
      out.append(text[start:at])
      start, depth = at + 1, 0
  if quote:
    raise ValueError(f'has a quote {quote} that does not close')
  if depth > 0:  # A bracket is part of a name, such as ":(".
    return _parts(text, nested=False)
  return [*out, text[start:]]


def _unquoted(word: str) -> str:
  if len(word) < 2 or word[0] not in _QUOTES or word[0] != word[-1]:
    return word
  try:
    value = ast.literal_eval(word)
  except (ValueError, SyntaxError, MemoryError, RecursionError):
    return word
  return value if isinstance(value, str) else word


def _is_number(word: str) -> bool:
  return not isinstance(_number(word), str)


def _number(word: str) -> Any:
  """Returns the number that a word stands for, or the word if there is none."""
  for kind in (int, float):
    try:
      value = kind(word)
    except ValueError:
      continue
    # Python has no literal for infinity or NaN; the field refuses the word.
    return value if math.isfinite(value) else word
  return word
