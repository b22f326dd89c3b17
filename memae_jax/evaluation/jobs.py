"""Evaluation jobs: the checkpoints of a run, each once, beside its training.

Several jobs may share the work. A job claims a checkpoint by a lock that ends
with its process, and what stands in `eval/STEP/results.json` is done.
"""

import contextlib
import logging
import pathlib
import time
from typing import Any

import jax

from memae_jax import config as config_lib
from memae_jax.evaluation import evaluate
from memae_jax.evaluation.results import results_file
from memae_jax.runtime import errors, locks, metrics_log, parallel
from memae_jax.training import checkpoint, experiment, run_folder, same

_LOG = logging.getLogger(__name__)
_CLAIM = '.claim'
_PAUSE = 2.0  # Seconds between two looks for new checkpoints.


def wait_for_run(workdir: pathlib.Path) -> None:
  """Waits until the run has a checkpoint."""
  is_logged = False
  while not run_folder.has_checkpoints(workdir):
    if not is_logged:
      _LOG.info('waiting for the first checkpoint of %s', workdir)
    is_logged = True
    time.sleep(_PAUSE)


def origin(workdir: pathlib.Path) -> dict[str, Any]:
  """Returns the facts about the training that the newest checkpoint stores.

  Raises:
    UserError: there is no checkpoint.
  """
  with checkpoint.Checkpoints(workdir, read_only=True) as checkpoints:
    return _origin(checkpoints, workdir)


def _origin(
  checkpoints: checkpoint.Checkpoints, workdir: pathlib.Path
) -> dict[str, Any]:
  for at in reversed(checkpoints.steps()):
    try:
      return checkpoints.meta(at)
    except errors.UserError as error:  # Damaged, or removed since.
      _LOG.warning('checkpoint %d does not say its origin (%s)', at, error)
  raise errors.UserError(f'{workdir} has no checkpoint; train first')


def select_steps(
  exp: experiment.Experiment,
  checkpoints: checkpoint.Checkpoints,
  workdir: pathlib.Path,
  words: str,
) -> tuple[list[int], str]:
  """Returns the steps that a user asks for, and the rule they are chosen by.

  Args:
    exp: the experiment.
    checkpoints: of the run.
    workdir: folder of the run.
    words: 'all', 'best' (lowest validation error) or 'N,N,...'.

  Returns:
    Steps of kept checkpoints, and 'validation', 'given' or, for all, ''.

  Raises:
    UserError: there are no such checkpoints.
  """
  kept = checkpoints.steps()
  if words == 'all':
    return kept, ''
  if words == 'best':
    errors_by_step = {
      event['step']: error
      for event in metrics_log.read_events(metrics_log.log(workdir, exp.place))
      if event['split'] == 'validation' and event['step'] in kept
      if isinstance(error := event.get('reconstruction'), (int, float))
    }
    if not errors_by_step:
      raise errors.UserError(
        f'no kept checkpoint of {workdir} was validated; give --steps=all, or'
        ' train with train.keep_all'
      )
    return [min(errors_by_step, key=errors_by_step.get)], 'validation'
  wanted = words.split(',')
  unknown = [word for word in wanted if not word.isdigit()]
  if unknown:
    raise errors.UserError(
      f'--steps={words}: "{unknown[0]}" is no step; use latest, all, best or'
      ' numbers such as 100,200'
    )
  missing = sorted(set(map(int, wanted)) - set(kept))
  if missing:
    raise errors.UserError(
      f'checkpoint {missing[0]} is not kept in {workdir}; there are'
      f' {", ".join(map(str, kept))}'
    )
  return sorted(set(map(int, wanted))), 'given'


class Job:
  """Evaluates steps of a run that nobody else has evaluated or claimed."""

  def __init__(
    self,
    exp: experiment.Experiment,
    checkpoints: checkpoint.Checkpoints,
    workdir: pathlib.Path,
    results: pathlib.Path,
  ):
    """Takes the run, and where its results go.

    Args:
      exp: the experiment.
      checkpoints: of the run.
      workdir: folder of the run.
      results: folder of the results; steps get `eval/STEP` in it.
    """
    self._exp, self._checkpoints = exp, checkpoints
    self._folder = results / 'eval'
    self._workdir, self._results = workdir, results
    self._shared: evaluate.Shared | None = None
    self._gone: set[int] = set()
    self.done: list[int] = []

  def _open(self, steps: list[int]) -> list[int]:
    """Returns the steps still to evaluate; the last needs its report, too."""

    def is_done(at):
      folder, files = self._folder / self._exp.folder(at), ['results.json']
      if at == self._exp.steps:
        files.append('report.html')
      return all((folder / name).exists() for name in files)

    return [at for at in steps if at not in self._gone and not is_done(at)]

  def _claim(self, at: int, stack: contextlib.ExitStack) -> bool:
    """Claims a step; returns whether it is ours and still to evaluate."""
    path = self._folder / self._exp.folder(at) / _CLAIM
    lock = locks.claim(stack, path, 'evaluating')
    return lock is not None and bool(self._open([at]))

  def _next(self, steps: list[int], stack: contextlib.ExitStack) -> int:
    """Claims a step; -1 if none is left, -2 if others hold all that are left.

    The last step of the run comes when all others are done, because its report
    shows them all.
    """
    left = self._open(steps)
    if not left:
      return -1
    before = [at for at in left if at != self._exp.steps]
    for at in before or left:
      if self._claim(at, stack):
        return at
    return -2

  def work(self, steps: list[int], rule: str, trained: Any) -> None:
    """Evaluates the steps that nobody else does, until all have results.

    Args:
      steps: of checkpoints.
      rule: by which they were chosen.
      trained: environment of the training, see `evaluate.Request`.
    """
    while True:
      with contextlib.ExitStack() as stack:
        with parallel.all_or_none():
          claimed = self._next(steps, stack) if parallel.is_first() else 0
        at = parallel.broadcast_from_first(claimed)
        if at == -1:
          return
        if at == -2:
          time.sleep(_PAUSE)
          continue
        self._evaluate(at, rule, trained)

  def _evaluate(self, at: int, rule: str, trained: Any) -> None:
    try:
      state = self._checkpoints.restore(at, self._exp.programs.init_shapes)
    except errors.UserError as error:
      _LOG.warning('%s; left out', error)
      self._gone.add(at)
      return
    if self._shared is None:
      self._shared = evaluate.shared(self._exp)
    evaluate.evaluate(
      evaluate.Request(
        self._exp,
        state,
        at,
        self._workdir,
        self._results,
        trained,
        self._shared,
        rule,
        brief=at != self._exp.steps,
      )
    )
    jax.block_until_ready(state)
    self.done.append(at)

  def watch(self, trained: Any) -> None:
    """Evaluates checkpoints as they appear, up to the last of the run.

    Args:
      trained: environment of the training, see `evaluate.Request`.
    """
    _LOG.info('watching %s for checkpoints', self._workdir)
    while True:
      self._checkpoints.refresh()
      steps = self._checkpoints.steps()
      self._gone &= set(steps)  # A step that comes again may be whole.
      self.work(steps, '', trained)
      # A run that was trained longer since may have removed that step.
      if parallel.broadcast_from_first(
        int(max(steps, default=-1) >= self._exp.steps)
      ):
        return
      time.sleep(_PAUSE)


def has_same_report(exp: experiment.Experiment, folder: pathlib.Path) -> bool:
  """Returns whether a folder has the report that an experiment would give.

  Args:
    exp: the experiment.
    folder: of the results of a step.
  """
  if not (folder / 'report.html').exists():
    return False
  fields = lambda config: config_lib.chosen(config, config_lib.names_run)
  try:
    stored = results_file.read(folder / 'results.json')['config']
    return fields(config_lib.resolve(stored)) == fields(exp.config)
  except errors.UserError:  # Torn, or of another version: written anew.
    return False


def evaluate_one(
  request: evaluate.Request, again: bool = True
) -> dict[str, Any]:
  """Evaluates a checkpoint, or waits for a job that is evaluating it.

  Args:
    request: what is evaluated.
    again: whether it is evaluated although the same results are there.

  Returns:
    The results.
  """
  folder = request.folder
  with contextlib.ExitStack() as stack:
    is_done = not again and has_same_report(request.exp, folder)
    lock = folder / _CLAIM, 'evaluating'
    with parallel.all_or_none():
      if parallel.is_first() and locks.claim(stack, *lock) is None:
        _LOG.info('another job evaluates step %d; waiting for it', request.at)
        stack.enter_context(locks.exclusive(*lock, wait=True))
        is_done = has_same_report(request.exp, folder)
    if parallel.broadcast_from_first(int(is_done)):
      return results_file.read(folder / 'results.json')
    return evaluate.evaluate(request)


def run(
  exp: experiment.Experiment,
  checkpoints: checkpoint.Checkpoints,
  workdir: pathlib.Path,
  results: pathlib.Path,
  steps: str,
  watch: bool,
) -> list[int]:
  """Evaluates checkpoints of a run.

  Args:
    exp: the experiment.
    checkpoints: of the run.
    workdir: folder of the run.
    results: folder of the results.
    steps: see the flag --steps.
    watch: see the flag --watch.

  Returns:
    The steps that this job evaluated.

  Raises:
    UserError: there are no checkpoints, or they were trained on other data.
  """
  stored = _origin(checkpoints, workdir)
  same.check_origin(exp, stored, workdir)
  job = Job(exp, checkpoints, workdir, results)
  if watch:
    job.watch(stored.get('environment'))
  else:
    job.work(
      *select_steps(exp, checkpoints, workdir, steps), stored.get('environment')
    )
  return job.done
