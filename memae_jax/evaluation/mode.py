"""Evaluates a run: at the end of its training, or by --mode=eval."""

import pathlib
from typing import Any

from memae_jax.evaluation import evaluate, jobs, new_video
from memae_jax.training import experiment, loop, same


def after_training(exp: experiment.Experiment, workdir: pathlib.Path) -> str:
  """Evaluates what was just trained; returns words for the terminal."""
  if exp.config.eval.course:
    return _steps(exp, workdir, 'all')
  return _newest(exp, workdir)


def of_run(workdir: pathlib.Path, config: Any, steps: str, watch: bool) -> str:
  """Evaluates a run by a config that trains alike, maybe on other data.

  Args:
    workdir: of the run.
    config: resolved; that of the run, but for what training does not read.
    steps: latest, all, best or numbers; see the flag --steps.
    watch: see the flag --watch.

  Returns:
    Words for the terminal.

  Raises:
    UserError: there is nothing to evaluate, or the config is another run's.
  """
  if watch:
    jobs.wait_for_run(workdir)
  stored = jobs.origin(workdir)
  trained = same.there(stored, workdir)
  same.check(trained, config, workdir, other_data=True)
  other = same.names_other_data(trained, config)
  exp = experiment.build(config, stored if other else None)
  same.check_origin(exp, stored, workdir)
  if config.eval.video or (steps == 'latest' and not watch):
    return _newest(exp, workdir)
  return _steps(exp, workdir, steps, watch)


def _steps(exp, workdir: pathlib.Path, steps: str, watch: bool = False) -> str:
  """Evaluates checkpoints that have no results yet."""
  with loop.opened(exp, workdir) as checkpoints:
    done = jobs.run(exp, checkpoints, workdir, steps, watch)
  left = f'none left; {workdir / "eval"} has the results'
  return f'evaluated steps: {", ".join(map(str, done)) or left}'


def _newest(exp: experiment.Experiment, workdir: pathlib.Path) -> str:
  """Evaluates the newest sound checkpoint, or scores a video with it."""
  with loop.opened(exp, workdir) as checkpoints:
    at, state, stored = loop.trained(exp, checkpoints, workdir)
    if exp.config.eval.video:
      return f'scores: {new_video.score(exp, state, at, workdir)}'
    results = jobs.evaluate_one(
      exp, state, at, workdir, stored.get('environment')
    )
  page = evaluate.report_of(exp, at, workdir)
  older = '' if at == exp.steps else f' (step {at} of {exp.steps})'
  return f'{evaluate.headline(results)}\nreport: {page}{older}'
