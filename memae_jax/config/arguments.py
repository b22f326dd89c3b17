"""Words after the colon of `--config=file.py:...`."""

import ast
from collections.abc import Mapping
from typing import Any

import ml_collections

from memae_jax.config import stored
from memae_jax.runtime import errors


def parse_arg(
  arg: str | None, smoke: Mapping[str, Any] | bool = False, **defaults
) -> ml_collections.ConfigDict:
  """Parses `key=value,...` after the colon of `--config=file.py:...`.

  Values take the type of their default; a bare `key` means True. A tuple
  default takes `a+b+c`. Unknown keys are errors.

  Args:
    arg: the words; None where there is no colon.
    smoke: defaults that the word `smoke` replaces; other words win over it.
    **defaults: all keys and their defaults.

  Raises:
    UserError: a key is unknown, or a value has another type.
  """
  defaults['smoke'] = False
  out = ml_collections.ConfigDict(defaults)
  for part in filter(None, (arg or '').split(',')):
    key, equals, text = part.partition('=')
    if key not in defaults:
      raise errors.UserError(
        f'config argument "{key}" is unknown'
        + errors.did_you_mean(key, defaults)
      )
    default = defaults[key]
    try:
      if not equals and isinstance(default, bool):
        out[key] = True
      elif isinstance(default, str):
        out[key] = text
      elif isinstance(default, tuple):
        kind = type(default[0]) if default else str
        out[key] = tuple(kind(item) for item in text.split('+'))
      elif isinstance(default, bool):
        out[key] = {'True': True, 'False': False, '1': True, '0': False}[text]
      else:
        value = ast.literal_eval(text)
        if isinstance(value, bool) or type(default)(value) != value:
          raise ValueError
        out[key] = type(default)(value)
    except (*stored.UNREADABLE, KeyError, SyntaxError, TypeError) as error:
      raise errors.UserError(
        f'config argument "{key}": "{text[:200]}" is not a'
        f' {type(default).__name__}'
      ) from error
  if out.smoke and smoke:
    return parse_arg(arg, **defaults | smoke)
  return out
