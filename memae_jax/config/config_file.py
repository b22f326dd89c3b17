"""Config files, as a person or a run wrote them.

FILE.py[:arguments]  defines get_config(arg=''), which returns any part of the
                     fields, as a dict or ConfigDict
RUN/config.json      or RUN itself: the config that a run was trained by
FILE.json            any part of the fields

`ml_collections` reads this file for each `--config`, as
`--config=config_file.py:FILE.py:arguments`, so that every field is there, of
its type, before single ones are overridden.
"""

import contextlib
import dataclasses
import inspect
import pathlib
import re
import sys
import traceback
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import ml_collections

from memae_jax import config as config_lib
from memae_jax.runtime import errors, paths

_OTHERS = ('.yaml', '.yml', '.toml', '.ini', '.cfg', '.ipynb')
_NAME = 'memae_jax_config_file'  # Of a file while it is read.


def get_config(
  given: str, folder: pathlib.Path = pathlib.Path()
) -> ml_collections.ConfigDict:
  """Returns the config that `FILE[:arguments]` names, with every field.

  Args:
    given: those words.
    folder: that FILE is relative to.

  Raises:
    UserError: there is none, or it does not fit the schema.
  """
  path, arg = existing(given, folder)
  if path.suffix == '.json':
    if arg is not None:
      raise _takes_nothing(path, arg)
    values = config_lib.read(path)
  else:
    values = _fields(called(path, arg, 'get_config'), path)
  try:
    return config_lib.filled(values)
  except errors.UserError as error:
    raise errors.UserError(f'config file {path}: {error}') from error


def existing(
  given: str, folder: pathlib.Path = pathlib.Path()
) -> tuple[pathlib.Path, str | None]:
  """The file that `FILE[:arguments]` names, and the arguments if any.

  Args:
    given: those words.
    folder: that FILE is relative to.

  Raises:
    UserError: there is no such file.
  """
  if not given:
    raise errors.UserError('--config is empty; give a Python file')
  for colon in re.finditer(':|$', given):
    end = colon.start()
    path = folder / paths.local(given[:end], '--config')
    if (path / 'config.json').is_file():  # The folder of a run.
      path /= 'config.json'
    if path.is_file() or path.is_fifo():
      return path, given[end + 1 :] if end < len(given) else None
  path = folder / paths.local(given.partition(':')[0], '--config')
  if path.is_dir():
    raise errors.UserError(
      f'{path} is a folder and no run; give a Python file, such as'
      f' {path / "mine.py"}'
    )
  if path.suffix == '.json':
    raise errors.UserError(
      f'{path} does not exist; train first, or give the folder of a run'
    )
  near = [str(other) for other in path.parent.glob('*.py')]
  mend = errors.did_you_mean(str(path), near) if near else ''
  raise errors.UserError(f'{path} does not exist{mend}; give a Python file')


def called(path: pathlib.Path, arg: str | None, function: str) -> Any:
  """Runs a Python file and returns what a function of it does.

  Args:
    path: of the file. Modules beside it can be imported, as by `python FILE`.
    arg: for the function; None: there is none.
    function: its name.

  Raises:
    UserError: whatever goes wrong in the file.
  """
  if path.suffix.lower() in _OTHERS:
    raise errors.UserError(
      f'config file {path} is no Python; give a Python file that defines'
      f" {function}(arg=''), or the config.json of a run"
    )
  with _reading(path), _neighbours(path.parent):
    module = types.ModuleType(_NAME)
    module.__file__ = str(path)
    sys.modules[_NAME] = module
    try:
      exec(compile(path.read_bytes(), str(path), 'exec'), vars(module))
      found = getattr(module, function, None)
      if not callable(found):
        raise errors.UserError(
          f'config file {path} defines no {function}(); add `def {function}('
          "arg=''):` that returns "
          + ('the fields' if function == 'get_config' else 'a Study')
        )
      return found(*_arguments(found, arg, path))
    finally:
      sys.modules.pop(_NAME, None)


def _arguments(
  function: Callable, arg: str | None, path: pathlib.Path
) -> tuple[str, ...]:
  """What a function is called with."""
  positional = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
  )
  taken = [
    p
    for p in inspect.signature(function).parameters.values()
    if p.kind in positional
  ]
  if not taken:
    if arg:
      raise _takes_nothing(path, arg)
    return ()
  needed = taken[0].default is inspect.Parameter.empty
  optional = taken[0].kind is inspect.Parameter.VAR_POSITIONAL or not needed
  return () if arg is None and optional else (arg or '',)


def _takes_nothing(path: pathlib.Path, arg: str) -> errors.UserError:
  mend = 'leave it out'
  if path.suffix != '.json':
    mend += ", or write `def get_config(arg=''):`"
  return errors.UserError(
    f'config file {path} takes no argument, but ":{arg}" was given; {mend}'
  )


@contextlib.contextmanager
def _reading(path: pathlib.Path) -> Iterator[None]:
  """Turns whatever a file does into one line on it."""
  try:
    yield
  except (errors.UserError, KeyboardInterrupt):
    raise
  except SyntaxError as error:
    where = error.filename or path  # Maybe what it imports.
    line = f' line {error.lineno}' if error.lineno else ''
    raise errors.UserError(
      f'config file {where}{line}: {type(error).__name__}: {error.msg}'
    ) from error
  except BaseException as error:  # Also of sys.exit().
    lines = [
      frame.lineno
      for frame in traceback.extract_tb(error.__traceback__)
      if frame.filename == str(path)
    ]
    line = f' line {lines[-1]}' if lines else ''
    raise errors.UserError(
      f'config file {path}{line}: {type(error).__name__}: {error}'
    ) from error


@contextlib.contextmanager
def _neighbours(folder: pathlib.Path) -> Iterator[None]:
  """Lets a file import what lies beside it, and only that file.

  Two files may each have a neighbour `helper`.
  """
  folder, before = folder.absolute(), set(sys.modules)
  sys.path.insert(0, str(folder))
  try:
    yield
  finally:
    with contextlib.suppress(ValueError):
      sys.path.remove(str(folder))
    for name in set(sys.modules) - before:
      file = getattr(sys.modules[name], '__file__', None)
      if file and pathlib.Path(file).absolute().is_relative_to(folder):
        if not name.startswith('memae_jax'):
          del sys.modules[name]


def _fields(found: Any, path: pathlib.Path) -> Mapping[str, Any]:
  """The fields that get_config returned, as nested dicts."""
  if isinstance(found, ml_collections.ConfigDict):
    found = found.to_dict()
  elif dataclasses.is_dataclass(found) and not isinstance(found, type):
    found = dataclasses.asdict(found)
  if not isinstance(found, Mapping):
    raise errors.UserError(
      f'config file {path}: get_config() returns {type(found).__name__}, not a'
      ' dict or ConfigDict of fields'
      + ('; did you forget `return`?' if found is None else '')
    )
  if not found:
    raise errors.UserError(
      f'config file {path}: get_config() returns no fields; start from'
      ' memae_jax.config.default()'
    )
  return found
