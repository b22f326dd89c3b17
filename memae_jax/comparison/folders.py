"""The folders of a comparison: which runs are meant, and where it goes."""

import itertools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from memae_jax.evaluation.results import results_file
from memae_jax.runtime import errors, strict_json
from memae_jax.runtime import paths as paths_lib

_MOST_NAMES, _LONGEST_NAME = 4, 120  # Of a folder for several runs.


def find(
  paths: Sequence[str],
) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
  """The run directories that the paths name; a study stands for its runs.

  Returns:
    Those that have results, and those that have none yet.

  Raises:
    UserError: one is neither a run nor a study that has a finished one, or
      none has results.
  """
  found: dict[pathlib.Path, pathlib.Path] = {}  # Once each, by any name.
  for text in paths:
    path = paths_lib.local(text, 'the folder of a run')
    if not path.is_dir():
      raise errors.UserError(f'{path} is no folder; give run directories')
    inside = [path]
    if not _is_run(path) or (path / 'study.json').is_file():
      inside = sorted(p for p in path.glob('runs/*/') if _is_run(p))
      if not (inside or (path / 'study.json').is_file()):
        raise errors.UserError(
          f'{path} is neither a run nor a study; give folders that --workdir'
          ' named'
        )
      if not any(map(_has_results, inside)):
        raise errors.UserError(f'{path} is a study without a finished run')
    for one in inside:
      found.setdefault(one.resolve(), one)
  runs_ = list(found.values())
  finished = [path for path in runs_ if _has_results(path)]
  if not finished:
    raise errors.UserError(
      f'{runs_[0]} is no finished run: it has no {results_file.NAME}; train it'
      ' to its end, or evaluate it with --mode=eval'
    )
  return finished, [path for path in runs_ if not _has_results(path)]


def _has_results(folder: pathlib.Path) -> bool:
  return (folder / results_file.NAME).is_file()


def _is_run(folder: pathlib.Path) -> bool:
  """Whether somebody trains, or trained, in a folder."""
  return _has_results(folder) or (folder / 'config.json').is_file()


def place(found: Mapping[str, Any], paths: Sequence[str]) -> pathlib.Path:
  """A folder beside the runs, named after them, for this comparison alone.

  Another comparison of the same runs takes its place.

  Args:
    found: from `compare`.
    paths: that it was given.
  """
  whole = [
    pathlib.Path(os.path.abspath(paths_lib.local(path, 'the folder of a run')))
    for path in paths
  ]
  parent = pathlib.Path(os.path.commonpath([path.parent for path in whole]))
  if parent == parent.parent:  # The root of all files is nobody's folder.
    parent = whole[0].parent
  names = list(dict.fromkeys(path.name for path in whole))
  shown = names[:_MOST_NAMES]
  if names[_MOST_NAMES:]:
    shown.append(f'and-{len(names) - _MOST_NAMES}-more')
  name = '-'.join(('comparison', *shown))[:_LONGEST_NAME]
  for number in itertools.count(1):
    folder = parent / (f'{name}-{number}' if number > 1 else name)
    if not folder.exists() or _of_same_runs(folder, found):
      return folder


def _of_same_runs(folder: pathlib.Path, found: Mapping[str, Any]) -> bool:
  try:
    there = strict_json.load(
      folder / 'compare.json', {'runs': [{'folder': str}]}, 'comparison', ''
    )
  except (errors.UserError, FileNotFoundError):
    return False
  runs = lambda one: {os.path.abspath(run['folder']) for run in one['runs']}
  return runs(there) == runs(found)
