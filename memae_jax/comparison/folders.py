"""The folders of a comparison: of its runs, and of its pages."""

import itertools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from memae_jax.evaluation.results import results_file
from memae_jax.runtime import errors, strict_json
from memae_jax.runtime import paths as paths_lib

_MOST_NAMES, _LONGEST_NAME = 4, 120  # Runs and letters in a folder's name.


def find(
  paths: Sequence[str],
) -> tuple[list[pathlib.Path], list[pathlib.Path]]:
  """Returns the run directories that paths name; a study stands for its runs.

  Args:
    paths: of runs and studies.

  Returns:
    The folders with results, and those that have none yet.

  Raises:
    UserError: a path is neither a run nor a study with a finished run, or no
      run has results.
  """
  by_path: dict[pathlib.Path, pathlib.Path] = {}  # Each folder once.
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
    for folder in inside:
      by_path.setdefault(folder.resolve(), folder)
  folders = list(by_path.values())
  finished = [path for path in folders if _has_results(path)]
  if not finished:
    raise errors.UserError(
      f'{folders[0]} is no finished run: it has no {results_file.NAME}; train'
      ' it to its end, or evaluate it with --mode=eval'
    )
  return finished, [path for path in folders if not _has_results(path)]


def _has_results(folder: pathlib.Path) -> bool:
  return (folder / results_file.NAME).is_file()


def _is_run(folder: pathlib.Path) -> bool:
  """Returns whether a folder is that of a run, finished or not."""
  return _has_results(folder) or (folder / 'config.json').is_file()


def place(results: Mapping[str, Any], paths: Sequence[str]) -> pathlib.Path:
  """Returns a folder beside the runs, named after them, for a comparison.

  It is new, or holds an earlier comparison of the same runs.

  Args:
    results: from `differences.compare`.
    paths: that `differences.compare` took.
  """
  absolute = [
    pathlib.Path(os.path.abspath(paths_lib.local(path, 'the folder of a run')))
    for path in paths
  ]
  parent = pathlib.Path(os.path.commonpath([path.parent for path in absolute]))
  if parent == parent.parent:  # The root of the file system takes no results.
    parent = absolute[0].parent
  names = list(dict.fromkeys(path.name for path in absolute))
  parts = names[:_MOST_NAMES]
  if names[_MOST_NAMES:]:
    parts.append(f'and-{len(names) - _MOST_NAMES}-more')
  name = '-'.join(('comparison', *parts))[:_LONGEST_NAME]
  for number in itertools.count(1):
    folder = parent / (f'{name}-{number}' if number > 1 else name)
    if not folder.exists() or _compares(folder, results):
      return folder


def _compares(folder: pathlib.Path, results: Mapping[str, Any]) -> bool:
  """Returns whether a folder holds a comparison of the same runs."""
  try:
    stored = strict_json.load(
      folder / 'compare.json', {'runs': [{'folder': str}]}, 'comparison', ''
    )
  except (errors.UserError, FileNotFoundError):
    return False
  runs = lambda content: {
    os.path.abspath(run['folder']) for run in content['runs']
  }
  return runs(stored) == runs(results)
