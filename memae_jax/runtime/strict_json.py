"""JSON, read strictly, as a file may be torn, changed, or of another version.

A value that `load` returns has the shape that its readers rely on, and only
numbers that can be computed with and written again.
"""

import json
import math
import pathlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from memae_jax.runtime import foreign

_LIMIT = 2**28  # Bytes of a file.
_DEEPEST = 50  # Objects and lists within each other.
_MOST = 1e100  # Largest number: its square is still finite.
_LONE = re.compile('[\ud800-\udfff]')  # Halves of characters: not UTF-8.
_NAMES = {
  str: 'text',
  int: 'a whole number',
  float: 'a number',
  bool: 'true or false',
  dict: 'an object',
  list: 'a list',
}


class Maybe(NamedTuple):
  """A shape, or null."""

  shape: Any


def load(path: pathlib.Path, shape: Any, kind: str, mend: str) -> Any:
  """Reads a JSON file.

  Args:
    path: of the file.
    shape: of its value, see `check`.
    kind: name of such a file in messages, such as 'results file'.
    mend: what to do about a damaged one, for messages.

  Raises:
    FileNotFoundError: there is no such file.
    UserError: the file is damaged, or its value has another shape.
  """
  if not path.exists():
    raise FileNotFoundError(2, 'No such file', str(path))
  with foreign.reading(path, kind, mend):
    value = loads(foreign.content(path, _LIMIT))
    check(value, shape)
    return value


def loads(text: bytes, unique: bool = False) -> Any:
  """Parses JSON.

  Args:
    text: in UTF-8.
    unique: whether a name that an object has twice is an error.

  Raises:
    ValueError: the text is not JSON in UTF-8, is nested too deep, or has a
      number that is not finite.
  """
  try:
    value = json.loads(
      text.decode('utf-8-sig'),
      parse_constant=_finite,
      parse_float=_finite,
      object_pairs_hook=_unique if unique else None,
    )
  except RecursionError:
    value, deep = None, True
  else:
    deep = _is_deeper(value, _DEEPEST)
  if deep:
    raise ValueError('it is nested too deep')
  # Escapes can spell characters that no UTF-8 file can hold.
  if b'\\u' in text and _LONE.search(json.dumps(value, ensure_ascii=False)):
    raise ValueError('it has half a character')
  return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
  found = dict(pairs)
  if len(found) < len(pairs):
    raise ValueError('a name stands in it twice')
  return found


def _is_deeper(value: Any, than: int) -> bool:
  if isinstance(value, dict):
    value = value.values()
  elif not isinstance(value, list):
    return False
  return than < 1 or any(_is_deeper(one, than - 1) for one in value)


def _finite(text: str) -> float:
  value = float(text)
  if not math.isfinite(value):
    raise ValueError(f'{text[:30]} is not a finite number')
  return value


def check(value: Any, shape: Any, place: str = '') -> None:
  """Raises ValueError unless a value has a shape.

  Args:
    value: as `loads` returns it.
    shape: one of
      - a type: float is any number, int a whole number, object anything;
      - [shape]: a list whose members have the shape;
      - (shape, shape): a list of exactly these;
      - {'key': shape}: an object with these keys. A key 'key?' may be missing.
        Further keys may hold anything, or `other` if {str: other} is there;
      - Maybe(shape): the shape, or null.
    place: of the value in the file, such as 'metrics.0', for messages.
  """
  if isinstance(shape, Maybe):
    if value is not None:
      check(value, shape.shape, place)
  elif isinstance(shape, dict):
    _is(value, dict, place)
    for key, part in _parts(value, shape, place):
      check(value[key], part, f'{place}.{key}' if place else key)
  elif isinstance(shape, list):
    _is(value, list, place)
    for i, one in enumerate(value):
      check(one, shape[0], f'{place}.{i}' if place else str(i))
  elif isinstance(shape, tuple):
    _is(value, list, place)
    if len(value) != len(shape):
      raise ValueError(f'{place} has {len(value)} values, not {len(shape)}')
    for i, (one, part) in enumerate(zip(value, shape)):
      check(one, part, f'{place}.{i}')
  elif shape is not object:
    _is(value, shape, place)


def _parts(value: Mapping[str, Any], shape: Mapping[Any, Any], place: str):
  """Yields (key, shape) of the keys of an object that have a shape."""
  for key, part in shape.items():
    if key is str:
      known = {name.removesuffix('?') for name in shape if name is not str}
      yield from ((name, part) for name in value if name not in known)
      continue
    name = key.removesuffix('?')
    if name in value:
      yield name, part
    elif name == key:
      raise ValueError(f'{place}.{key}'.lstrip('.') + ' is missing')


def _is(value: Any, kind: type, place: str) -> None:
  kinds = (int, float) if kind is float else kind
  fits = isinstance(value, kinds) and isinstance(value, bool) == (kind is bool)
  if not fits:
    raise ValueError(f'{place or "it"} is not {_NAMES[kind]}')
  if kind in (int, float) and not -_MOST < value < _MOST:
    raise ValueError(f'{place} is too large')


def text(value: Any) -> str:
  """Returns indented JSON text; raises ValueError on NaN and infinity."""
  return json.dumps(value, indent=2, allow_nan=False) + '\n'


def plain(value: Any) -> Any:
  """Turns NumPy scalars and tuples into the types that JSON has."""
  if isinstance(value, dict):
    return {str(k): plain(v) for k, v in value.items()}
  if isinstance(value, (list, tuple)):
    return [plain(v) for v in value]
  if isinstance(value, np.generic):
    return value.item()
  return value
