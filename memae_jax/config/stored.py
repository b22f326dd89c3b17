"""Configs as a run stores them."""

import json
import pathlib
from typing import Any

import ml_collections

from memae_jax.config import checking
from memae_jax.runtime import errors, strict_json

# Errors of Python on text that is no value, or is nested too deep.
UNREADABLE = (ValueError, RecursionError, MemoryError)


def to_json(config: ml_collections.FrozenConfigDict) -> str:
  """Returns the config as indented JSON text."""
  return strict_json.text(config.to_dict())


def read(path: pathlib.Path) -> dict[str, Any]:
  """Reads the fields of a file that `to_json` wrote, without checking them.

  Raises:
    UserError: the file is missing or holds something else.
  """
  try:
    values = json.loads(path.read_text(encoding='utf-8'))
    if not isinstance(values, dict):
      raise ValueError('it holds no fields')
    return values
  except FileNotFoundError as error:
    raise errors.UserError(
      f'{path} does not exist; train first, or give the folder of a run'
    ) from error
  except UNREADABLE as error:
    raise errors.UserError(
      f'{path} is not a readable config: {error}'
    ) from error


def load(path: pathlib.Path) -> ml_collections.FrozenConfigDict:
  """Reads a config that `to_json` wrote.

  Raises:
    UserError: the file is missing or is not a config.
  """
  values = read(path)
  try:
    return checking.resolve(values)
  except errors.UserError as error:
    raise errors.UserError(
      f'{path} is not a config of this project ({error}); give another'
      ' --workdir'
    ) from error
