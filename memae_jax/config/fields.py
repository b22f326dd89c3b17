"""Kinds of config fields: the values that each takes, and its error messages.

These functions make the fields of the schema and the settings of a method, see
`methods.registry.Entry`.
"""

import math
import numbers
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from memae_jax.runtime import errors

# Roles of fields.
PATH = 'path'  # A path: it is made absolute, and may differ between hosts.
MOVED = 'moved'  # May differ when a run is moved: the content is checked.
NO_WEIGHT = 'no weight'  # Changes no weight, or only its rounding.
SCALES = 'scales'  # Decides how samples become inputs.
LOOKS = 'looks'  # Decides when a run logs or validates.


class Field(NamedTuple):
  """One field of the schema.

  Attributes:
    default: value where nothing is set.
    kind: of its values, in words, such as 'int' or 'tuple of str'.
    convert: takes a value and returns it checked; raises ValueError with what
      is expected.
    doc: one or two sentences for readers.
    item: field of each member, if the value is a tuple.
    roles: of those above.
    network: the only value of `model.network` that reads it; empty: all do.
  """

  default: Any
  kind: str
  convert: Callable[[Any], Any]
  doc: str
  item: Any = None
  roles: tuple[str, ...] = ()
  network: str = ''

  def role(self, *roles: str) -> 'Field':
    """Returns the field with these roles."""
    return self._replace(roles=roles)

  def of_network(self, network: str) -> 'Field':
    """Returns the field as one that a single network reads."""
    return self._replace(network=network)


def number(default, doc, low=None, high=None, above=None) -> Field:
  """Returns a field of finite numbers, of the type of its default.

  Args:
    default: of the field.
    doc: of the field.
    low: smallest value, or None.
    high: largest value, or None.
    above: values must be greater than this, or None.
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
  """Returns a field of whole numbers; see `number`."""
  as_number = number(default, doc, low, high)

  def convert(value):
    if isinstance(value, float) and not value.is_integer():
      raise ValueError('must be a whole number')
    return as_number.convert(value)

  return as_number._replace(kind='int', convert=convert)


def odd(default, doc) -> Field:
  """Returns a field of odd numbers from 1 on."""
  whole = integer(default, doc, low=1)

  def convert(value):
    value = whole.convert(value)
    if value % 2 == 0:
      raise ValueError('must be odd')
    return value

  return whole._replace(convert=convert)


def boolean(default, doc) -> Field:
  """Returns a field that is True or False."""

  def convert(value):
    if not isinstance(value, bool):
      raise ValueError('must be True or False')
    return value

  return Field(default, 'bool', convert, doc)


def text(default, doc) -> Field:
  """Returns a field of any text."""

  def convert(value):
    if not isinstance(value, str):
      raise ValueError('must be text')
    return value

  return Field(default, 'str', convert, doc)


def choice(default, options, doc) -> Field:
  """Returns a field that takes one of several words.

  Args:
    default: one of them.
    options: all, or a function that returns all, as plugins may add some.
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
  """Returns a field for a punctuation mark, or '' where it is guessed.

  Args:
    words: names of the marks, {',': 'comma', ...}. The field takes the mark or
      its name, and keeps the name.
    doc: of the field.
  """
  options = ('', *words.values())

  def convert(value):
    value = words.get(value, value) if isinstance(value, str) else value
    if value not in options:
      raise ValueError(f'must be one of {", ".join(options[1:])}, or empty')
    return value

  return Field('', ' | '.join(options), convert, doc)


def name() -> Field:
  """Returns a field of text, such as a label; a number becomes its text."""

  def convert(value):
    if isinstance(value, numbers.Real) and math.isfinite(value):
      return str(value)
    if not isinstance(value, str):
      raise ValueError('must be text')
    return value

  return Field('', 'str', convert, '')


def many(item: Field, default, doc) -> Field:
  """Returns a field of tuples, whose members `item` checks.

  A single member may stand without a tuple; text is divided at its commas.
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
