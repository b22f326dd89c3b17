"""Reads config files, as a person or a run wrote them.

FILE.py[:arguments]  defines get_config(arg=''), which returns any part of the
                     fields, as a dict or ConfigDict
NAME[:arguments]     such as digits: the file of that name among those of the
                     package, from any folder
RUN/config.json      or RUN itself: the config that a run was trained by
FILE.json            any part of the fields

For each `--config`, `ml_collections` reads this very file, as
`--config=config_file.py:FILE.py:arguments`, so that every field is there, with
its type, before single ones are overridden.
"""

import contextlib
import dataclasses
import difflib
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
from memae_jax.config import packaged
from memae_jax.runtime import errors, paths

_OTHERS = ('.yaml', '.yml', '.toml', '.ini', '.cfg', '.ipynb')
_MODULE = 'memae_jax_config_file'  # The name of a file while it is read.


def get_config(
  text: str, folder: pathlib.Path = pathlib.Path()
) -> ml_collections.ConfigDict:
  """Returns the config that `FILE[:arguments]` names, with every field.

  Args:
    text: what follows `--config=`.
    folder: that FILE is relative to.

  Raises:
    UserError: there is no such config, or it does not fit the schema.
  """
  path, arg = existing(text, folder)
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
  text: str,
  folder: pathlib.Path = pathlib.Path(),
  function: str = 'get_config',
) -> tuple[pathlib.Path, str | None]:
  """Returns the file that `FILE[:arguments]` names, and the arguments if any.

  A file or run of that name comes before the config of the package. A folder
  that cannot be meant, which is no run or takes no arguments, does not hide it:
  `--config=digits:smoke --workdir=digits` can be given again.

  Args:
    text: what follows `--config=`.
    folder: that FILE is relative to.
    function: that FILE defines; 'get_study' looks among the studies.

  Raises:
    UserError: there is no such file.
  """
  if not text:
    raise errors.UserError('--config is empty; give a Python file')
  name, colon, words = text.partition(':')
  shipped = packaged.files(function).get(name)
  for at in re.finditer(':|$', text):
    end = at.start()
    path = folder / paths.local(text[:end], '--config')
    arg = text[end + 1 :] if end < len(text) else None
    if (path / 'config.json').is_file() and (arg is None or not shipped):
      path /= 'config.json'  # The folder of a run.
    if path.is_file() or path.is_fifo():
      return path, arg
  if not shipped:
    raise _missing(folder / paths.local(name, '--config'), name, function)
  own = folder / f'{name}.py'
  if own.is_file() and not own.samefile(shipped):
    raise errors.UserError(
      f'config "{name}" is one of the package, but {own} is here as well; write'
      f' {own} for this file, or {shipped} for the other'
    )
  return shipped, words if colon else None


def _missing(path: pathlib.Path, name: str, function: str) -> errors.UserError:
  """Returns the error for a file that is not there, with what is near it.

  Args:
    path: of the file.
    name: as it was given; one word may be a misspelled name of the package.
    function: that the file should define.
  """
  if path.is_dir():
    return errors.UserError(
      f'{path} is a folder and no run; give a Python file, such as'
      f' {path / "mine.py"}'
    )
  if path.suffix == '.json':
    return errors.UserError(
      f'{path} does not exist; train first, or give the folder of a run'
    )
  shipped = packaged.files(function)
  near = [str(other) for other in path.parent.glob('*.py')]
  kind = 'study' if function == 'get_study' else 'config'
  hint, mend = '', 'a Python file'
  if re.fullmatch(r'[\w-]+', name):
    close = difflib.get_close_matches(str(path), [*near, *shipped], n=1)
    hint = f' (did you mean "{close[0]}"?)' if close else ''
    mend += f', or a {kind} of the package: {", ".join(shipped)}'
  elif near:
    hint = errors.did_you_mean(str(path), near)
  elif path.stem in shipped:
    mend += f', or "{path.stem}", a {kind} of the package'
  return errors.UserError(f'{path} does not exist{hint}; give {mend}')


def called(path: pathlib.Path, arg: str | None, function: str) -> Any:
  """Runs a Python file and returns what a function of it returns.

  Args:
    path: of the file. Modules beside it can be imported, as by `python FILE`.
    arg: the argument of the function; None if none was given.
    function: its name, 'get_config' or 'get_study'.

  Raises:
    UserError: whatever goes wrong in the file.
  """
  if path.suffix.lower() in _OTHERS:
    raise errors.UserError(
      f'config file {path} is no Python; give a Python file that defines'
      f" {function}(arg=''), or the config.json of a run"
    )
  with _reading(path), _neighbours(path.parent):
    module = types.ModuleType(_MODULE)
    module.__file__ = str(path)
    sys.modules[_MODULE] = module
    try:
      exec(compile(path.read_bytes(), str(path), 'exec'), vars(module))
      definition = getattr(module, function, None)
      if not callable(definition):
        raise errors.UserError(
          f'config file {path} defines no {function}(); add `def {function}('
          "arg=''):` that returns "
          + ('the fields' if function == 'get_config' else 'a Study')
        )
      return definition(*_arguments(definition, arg, path))
    finally:
      sys.modules.pop(_MODULE, None)


def _arguments(
  function: Callable, arg: str | None, path: pathlib.Path
) -> tuple[str, ...]:
  """Returns what to call the function of a file with."""
  positional = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.VAR_POSITIONAL,
  )
  parameters = [
    parameter
    for parameter in inspect.signature(function).parameters.values()
    if parameter.kind in positional
  ]
  if not parameters:
    if arg:
      raise _takes_nothing(path, arg)
    return ()
  needed = parameters[0].default is inspect.Parameter.empty
  is_star = parameters[0].kind is inspect.Parameter.VAR_POSITIONAL
  return () if arg is None and (is_star or not needed) else (arg or '',)


def _takes_nothing(path: pathlib.Path, arg: str) -> errors.UserError:
  """Returns the error for arguments of a file that takes none."""
  mend = 'leave it out'
  if path.suffix != '.json':
    mend += ", or write `def get_config(arg=''):`"
  return errors.UserError(
    f'config file {path} takes no argument, but ":{arg}" was given; {mend}'
  )


@contextlib.contextmanager
def _reading(path: pathlib.Path) -> Iterator[None]:
  """Turns whatever the code of a file raises into one line that names it."""
  try:
    yield
  except (errors.UserError, KeyboardInterrupt):
    raise
  except SyntaxError as error:
    where = error.filename or path  # It may be in what the file imports.
    line = f' line {error.lineno}' if error.lineno else ''
    raise errors.UserError(
      f'config file {where}{line}: {type(error).__name__}: {error.msg}'
    ) from error
  except BaseException as error:  # sys.exit(), too.
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
  """Lets a file import what lies beside it, and forgets the modules after it.

  So two files in two folders may each have a neighbour `helper`.
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


def _fields(values: Any, path: pathlib.Path) -> Mapping[str, Any]:
  """Returns what get_config returned as a mapping of fields, maybe nested.

  Args:
    values: a ConfigDict, a mapping or an instance of a dataclass.
    path: of the file, for messages.

  Raises:
    UserError: it is something else, or empty.
  """
  if isinstance(values, ml_collections.ConfigDict):
    values = values.to_dict()
  elif dataclasses.is_dataclass(values) and not isinstance(values, type):
    values = dataclasses.asdict(values)
  if not isinstance(values, Mapping):
    raise errors.UserError(
      f'config file {path}: get_config() returns {type(values).__name__}, not a'
      ' dict or ConfigDict of fields'
      + ('; did you forget `return`?' if values is None else '')
    )
  if not values:
    raise errors.UserError(
      f'config file {path}: get_config() returns no fields; start from'
      ' memae_jax.config.default()'
    )
  return values
