"""Lets the site show examples and fields of docstrings as what they are."""

import re
import textwrap
from typing import Any

import griffe

_FIELD = re.compile(r'(\w+)(, \w+)*: ')


class Sections(griffe.Extension):
  """Names the parts of a docstring as griffe knows them."""

  def on_object(self, *, obj: griffe.Object, **unused: Any) -> None:
    """Changes the docstring of an object, if it has one."""
    if not obj.docstring:
      return
    text = obj.docstring.value.replace('\nExample:\n', '\nExamples:\n')
    if obj.is_class:
      parts = text.split('\n\n')
      text = '\n\n'.join(_attributes(part, obj.members) for part in parts)
    obj.docstring.value = text


def _attributes(part: str, members: Any) -> str:
  """Returns a paragraph, under `Attributes:` if it is a list of fields."""
  found = _FIELD.match(part)
  if not (found and found[1] in members):
    return part
  return 'Attributes:\n' + textwrap.indent(part, '  ')
