"""The words after the colon of `--config=file.py:...`."""

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
    arg: those words.
    smoke: what the word `smoke` makes of the defaults; other words win.
    **defaults: of the keys.
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
    want = defaults[key]
    try:
      if not equals and isinstance(want, bool):
        out[key] = True
      elif isinstance(want, str):
        out[key] = text
      elif isinstance(want, tuple):
        kind = type(want[0]) if want else str
        out[key] = tuple(kind(item) for item in text.split('+'))
      elif isinstance(want, bool):
        out[key] = {'True': True, 'False': False, '1': True, '0': False}[text]
      else:
        value = ast.literal_eval(text)
        if isinstance(value, bool) or type(want)(value) != value:
          raise ValueError
        out[key] = type(want)(value)
    except (*stored.UNREADABLE, KeyError, SyntaxError, TypeError) as error:
      raise errors.UserError(
        f'config argument "{key}": "{text[:200]}" is not a'
        f' {type(want).__name__}'
      ) from error
  if out.smoke and smoke:
    return parse_arg(arg, **defaults | smoke)
  return out
