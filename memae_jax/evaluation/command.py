"""Evaluates a run: at the end of its training, or by --mode=eval."""

import contextlib
import os
import pathlib
from typing import Any

from memae_jax.evaluation import evaluate, jobs
from memae_jax.evaluation.media import films, new_video
from memae_jax.evaluation.report import figure, templates
from memae_jax.runtime import disk, errors, foreign
from memae_jax.training import experiment, run_folder, same


def check(exp: experiment.Experiment, workdir: pathlib.Path) -> None:
  """Checks before a training that its evaluation can write films and a report.

  Raises:
    UserError: a film has no test video or its name is no file name, or no
      report can be drawn.
  """
  for name in films.select_videos(exp):
    with disk.writing(workdir), contextlib.suppress(FileNotFoundError):
      os.lstat(workdir / f'{name}.mp4')
  try:
    templates.read('report.html.j2')
    figure.check()
  except Exception as error:  # Jinja2, Matplotlib and their parts raise many.
    raise errors.UserError(
      f'no report can be drawn here ({foreign.reason(error)}); mend the'
      ' settings or the installation of Matplotlib and Jinja2'
    ) from error


def after_training(
  exp: experiment.Experiment, workdir: pathlib.Path, again: bool = True
) -> str:
  """Evaluates a run that is trained; returns text for the terminal.

  Args:
    exp: the experiment.
    workdir: folder of the run.
    again: whether it is evaluated although its results are there.
  """
  if exp.config.eval.course:
    return _steps(exp, workdir, workdir, 'all')
  return _newest(exp, workdir, workdir, again)


def evaluate_run(
  workdir: pathlib.Path,
  config: Any,
  steps: str,
  watch: bool,
  results: pathlib.Path | None = None,
) -> str:
  """Evaluates a run by a config that trains alike, maybe on other data.

  Args:
    workdir: folder of the run.
    config: resolved; equal to that of the run in all fields that training
      reads, but for the data.
    steps: latest, all, best or numbers; see the flag --steps.
    watch: see the flag --watch.
    results: folder to write to; None: that of the run.

  Returns:
    Text for the terminal.

  Raises:
    UserError: there is nothing to evaluate, or the config is another run's.
  """
  check_tests(config)
  results = results or workdir
  if watch:
    jobs.wait_for_run(workdir)
  stored = jobs.origin(workdir)
  _check_results(results, workdir)
  trained = same.there(stored, workdir)
  same.check(trained, config, workdir, other_data=True)
  on_other_data = same.names_other_data(trained, config)
  exp = experiment.build(config, stored if on_other_data else None)
  if config.eval.video or (steps == 'latest' and not watch):
    return _newest(exp, workdir, results)
  return _steps(exp, workdir, results, steps, watch)


def check_tests(config: Any) -> None:
  """Raises UserError if a protocol leaves no sample to evaluate."""
  if config.data.protocol == 'all':
    raise errors.UserError(
      'config field "data.protocol" is "all", which tests no sample; use'
      ' another one, or the estimators of Python'
    )


def _check_results(results: pathlib.Path, workdir: pathlib.Path) -> None:
  """Raises UserError if results cannot be written, or are of another run."""
  if not disk.may_write(results):
    raise errors.UserError(
      f'{results} may only be read; give --results=DIR, a folder for what the'
      ' evaluation writes'
    )
  is_elsewhere = results.absolute() != workdir.absolute()
  if is_elsewhere and run_folder.has_checkpoints(results):
    raise errors.UserError(
      f'--results={results} is the folder of another run; give a new one'
    )


def _steps(exp, workdir, results, steps: str, watch: bool = False) -> str:
  """Evaluates checkpoints that have no results yet."""
  with run_folder.opened(exp, workdir) as checkpoints:
    done = jobs.run(exp, checkpoints, workdir, results, steps, watch)
  none = f'none left; {results / "eval"} has the results'
  return f'evaluated steps: {", ".join(map(str, done)) or none}'


def _newest(exp, workdir, results: pathlib.Path, again: bool = True) -> str:
  """Evaluates the newest sound checkpoint, or scores `eval.video` with it."""
  with run_folder.opened(exp, workdir) as checkpoints:
    at, state, stored = run_folder.trained(exp, checkpoints, workdir)
    if exp.config.eval.video:
      return f'scores: {new_video.score(exp, state, at, results)}'
    request = evaluate.Request(
      exp, state, at, workdir, results, stored.get('environment')
    )
    evaluated = jobs.evaluate_one(request, again)
  report = evaluate.report_of(exp, at, results)
  older = '' if at == exp.steps else f' (step {at} of {exp.steps})'
  return f'{evaluate.headline(evaluated)}\nreport: {report}{older}'
