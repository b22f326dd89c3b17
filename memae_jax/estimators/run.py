"""Runs of the command, from Python: config in, results and detectors out."""

import html
import json
import os
import pathlib
import tempfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from memae_jax import config as config_lib
from memae_jax.config import config_file
from memae_jax.data.tables import npz
from memae_jax.estimators import calls, detector
from memae_jax.evaluation import whole_run
from memae_jax.runtime import errors, paths

_HEIGHT = 800  # Pixels of a report in a notebook.


class Report:
  """Report of a run; a notebook shows it.

  Attributes:
    path: of the page, report.html.
  """

  def __init__(self, path: pathlib.Path):
    """Takes the path of the page."""
    self.path = path

  def __repr__(self) -> str:
    return f'Report({str(self.path)!r})'

  def _repr_html_(self) -> str:
    """Returns the page as a frame of a notebook."""
    page = html.escape(self.path.read_text(encoding='utf-8'))
    return f'<iframe srcdoc="{page}" width="100%" height="{_HEIGHT}"></iframe>'


class Run:
  """Folder of a run, as `train` or the command makes it.

  Attributes:
    workdir: the folder.
  """

  def __init__(self, workdir: str | os.PathLike[str]):
    """Opens a run.

    Args:
      workdir: folder of the run.

    Raises:
      ValueError: there is no evaluated run.
    """
    with errors.as_value_errors():
      self.workdir = paths.local(workdir, 'workdir')
      self._existing('results.json')

  def __repr__(self) -> str:
    return f'Run({str(self.workdir)!r})'

  def _existing(self, name: str) -> pathlib.Path:
    path = self.workdir / name
    if not path.is_file():
      raise errors.InputError(
        f'{path} does not exist; train the run to its end, by memae_jax.train'
        ' or python -m memae_jax.main'
      )
    return path

  @property
  def results(self) -> dict[str, Any]:
    """The content of results.json."""
    text = self._existing('results.json').read_text(encoding='utf-8')
    return json.loads(text)

  @property
  def scores(self) -> dict[str, dict[str, np.ndarray]]:
    """Arrays of each replica and baseline by name, such as `score` [T].

    They are those of scores.npz of the last evaluation: `score` and `anomalous`
    of the T test samples, `sample`, their indices, and `validation_score`.
    """
    with errors.as_value_errors():
      step = self.results['checkpoint']['step']
      arrays = npz.arrays(self._existing(f'eval/{step}/scores.npz'))
    out: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
      replica, _, field = name.rpartition('/')
      out.setdefault(replica, {})[field] = array
    return out

  def report(self) -> Report:
    """Returns the report, whose `path` is that of the page."""
    return Report(self._existing('report.html'))

  def detector(self, replica: str = '') -> detector.Detector:
    """Returns a replica as an estimator, see `Detector.from_run`.

    Args:
      replica: its name; '': the first one.
    """
    return detector.Detector.from_run(self.workdir, replica)


def train(
  config: Any,
  workdir: str | os.PathLike[str] | None = None,
  verbose: int = 1,
) -> Run:
  """Trains and evaluates a run, as `python -m memae_jax.main` does.

  Args:
    config: text as after `--config=`, such as 'digits:smoke' or the path of a
      file; or fields as a mapping, nested or by dotted names.
    workdir: folder of the run, which goes on where it was stopped, and has
      nothing left to do if it is finished; None: a new temporary one, which
      stays until somebody removes it.
    verbose: 0: no progress bars; 1: bars, also in a notebook.

  Raises:
    ValueError: the config cannot be trained; one line with the mend.
  """
  with calls.guarded(verbose):
    resolved = config_lib.resolve(_fields(config))
    if workdir is None:
      workdir = tempfile.mkdtemp(prefix='memae_jax_')
    folder = paths.local(workdir, 'workdir')
    whole_run.train(resolved, folder, again=False)
  return Run(folder)


def _fields(config: Any) -> Any:
  """Returns the fields of a config; dotted names become groups."""
  if isinstance(config, (str, os.PathLike)):
    return config_file.get_config(os.fspath(config))
  if not isinstance(config, Mapping) or not any('.' in k for k in config):
    return config
  out, fields = config_lib.default(), config_lib.flatten(config)
  for name in fields:
    config_lib.find(name)
  config_lib.assign(out, fields)
  return out
