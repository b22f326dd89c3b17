"""Modules from outside that add methods, losses, scores, metrics or data sets.

A module that `--plugin=NAME` names is imported before anything is read. Its
name is stored in the config of the run. A later command on that run must name
it again: no module is imported that the command does not name.
"""

import importlib
import re
from collections.abc import Iterable, Sequence

from absl import flags

from memae_jax.runtime import errors

_FLAG = re.compile(r'--?plugin(?:=(.*))?', re.S)
_LOADED: list[str] = []
flags.DEFINE_multi_string(
  'plugin', [], 'Module that registers methods, metrics, ...; repeatable.'
)


def named(words: Sequence[str]) -> list[str]:
  """Returns the names of modules in the words of a command."""
  names = []
  for word, after in zip(words, [*words[1:], '']):
    if match := _FLAG.fullmatch(word):
      names.append(after if match[1] is None else match[1])
  return names


def load(names: Iterable[str]) -> None:
  """Imports modules, each once.

  Args:
    names: as Python imports them, such as my_detectors.

  Raises:
    UserError: a module cannot be imported.
  """
  for name in names:
    if name in _LOADED:
      continue
    if not re.fullmatch(r'\w+(\.\w+)*', name):
      raise errors.UserError(
        f'--plugin={name} is not the name of a module; write it as in "import",'
        ' such as --plugin=my_detectors'
      )
    try:
      importlib.import_module(name)
    except errors.UserError:
      raise
    except Exception as error:
      raise errors.UserError(
        f'--plugin={name} cannot be imported ({type(error).__name__}: {error});'
        ' run from its folder, or put that folder on PYTHONPATH'
      ) from error
    _LOADED.append(name)


def loaded() -> tuple[str, ...]:
  """Returns the names of the modules that were loaded, in order."""
  return tuple(_LOADED)


def check(names: Iterable[str]) -> None:
  """Raises UserError if a module that a config needs was not loaded."""
  missing = [name for name in names if name not in _LOADED]
  if missing:
    words = ' '.join(f'--plugin={name}' for name in missing)
    raise errors.UserError(
      f'this run needs the plugin "{missing[0]}"; add {words} to the command'
    )
