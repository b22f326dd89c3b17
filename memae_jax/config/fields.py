"""Kinds of config fields: what each takes, and what it says of the rest.

A field of the schema is made by one of these functions. So are the settings of
a method, see `methods.registry.Entry`.
"""

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from memae_jax.runtime import errors

PATH = 'path'  # Says where something lies: made absolute, hosts may differ.
MOVED = 'moved'  # May differ when a run is moved: the content is checked.
NO_WEIGHT = 'no weight'  # Changes no weight, or only its rounding.
SCALES = 'scales'  # Decides how samples become inputs.
LOOKS = 'looks'  # Decides when a run looks at itself.


class Field(NamedTuple):
  """One value of the schema.

  default: where nothing is set. kind: in words. convert: takes a value, raises
  ValueError saying what is expected. doc: for readers. item: each member of it,
  if it has several. roles: what it is to a run, of those above. network: the
  one that reads it; empty: all.
  """

  default: Any
  kind: str
  convert: Callable[[Any], Any]
  doc: str
  item: Any = None
  roles: tuple[str, ...] = ()
  network: str = ''

  def role(self, *roles: str) -> 'Field':
    """Returns the field with roles."""
    return self._replace(roles=roles)

  def of_network(self, network: str) -> 'Field':
    """Returns the field, which one network reads."""
    return self._replace(network=network)


def number(default, doc, low=None, high=None, above=None) -> Field:
  """A finite number, of the type of its default.

  Args:
    default: of the field.
    doc: of the field.
    low: the least that it may be; high: the most; above: it must be greater.
  """

  def convert(value):
    if isinstance(value, bool) or not isinstance(value, (int, float)):
      raise ValueError('must be a number')
    if value != value or value in (float('inf'), float('-inf')):
      raise ValueError('must be finite')
    if low is not None and value < low:
      raise ValueError(f'must be at least {low}')
    if above is not None and value <= above:
      raise ValueError(f'must be greater than {above}')
    if high is not None and value > high:
      raise ValueError(f'must be at most {high}')
    return type(default)(value)

  return Field(default, type(default).__name__, convert, doc)


def integer(default, doc, low=None, high=None) -> Field:
  """A whole number; see `number`."""
  as_number = number(default, doc, low, high)

  def convert(value):
    if isinstance(value, float) and not value.is_integer():
      raise ValueError('must be a whole number')
    return as_number.convert(value)

  return as_number._replace(kind='int', convert=convert)


def boolean(default, doc) -> Field:
  """True or False."""

  def convert(value):
    if not isinstance(value, bool):
      raise ValueError('must be True or False')
    return value

  return Field(default, 'bool', convert, doc)


def text(default, doc) -> Field:
  """Any text."""

  def convert(value):
    if not isinstance(value, str):
      raise ValueError('must be text')
    return value

  return Field(default, 'str', convert, doc)


def choice(default, options, doc) -> Field:
  """One of some words.

  Args:
    default: of them.
    options: all; or a function that returns them, as a plugin may add some.
    doc: of the field.
  """
  known = options if callable(options) else lambda: options

  def convert(value):
    options = known()
    if value not in options:
      raise ValueError(
        f'must be one of {", ".join(options)}'
        + errors.did_you_mean(value, options).replace(
          f' (known: {", ".join(sorted(options))})', ''
        )
      )
    return value

  kind = 'word' if callable(options) else ' | '.join(options)
  return Field(default, kind, convert, doc)


def mark(words: Mapping[str, str], doc) -> Field:
  """A mark by its word; the mark itself does, too. Empty: it is guessed."""
  options = ('', *words.values())

  def convert(value):
    value = words.get(value, value) if isinstance(value, str) else value
    if value not in options:
      raise ValueError(f'must be one of {", ".join(options[1:])}, or empty')
    return value

  return Field('', ' | '.join(options), convert, doc)


def name() -> Field:
  """Text, such as a label; a number stands for what `str` writes."""

  def convert(value):
    if isinstance(value, numbers.Real) and math.isfinite(value):
      return str(value)
    if not isinstance(value, str):
      raise ValueError('must be text')
    return value

  return Field('', 'str', convert, '')


def many(item: Field, default, doc) -> Field:
  """A tuple whose members are each checked by `item`.

  One member may stand alone; text is divided at its commas.
  """

  def convert(value):
    if isinstance(value, str):
      value = tuple(part.strip() for part in value.split(',') if part.strip())
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
      value = (value,)
    if not isinstance(value, (list, tuple)):
      raise ValueError('must be a tuple')
    return tuple(item.convert(v) for v in value)

  return Field(default, f'tuple of {item.kind}', convert, doc, item)
