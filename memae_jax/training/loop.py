"""The training run from its first to its last step."""

import contextlib
import logging
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax.methods import base, registry
from memae_jax.runtime import (
  errors,
  host,
  locks,
  metrics_log,
  parallel,
  progress_bar,
)
from memae_jax.training import diagnostics, experiment, run_folder, same, step

_LOG = logging.getLogger(__name__)


# Receivers of log events: a file, or a list.
Log = metrics_log.MetricsWriter | metrics_log.Events


def advance(
  exp: experiment.Experiment, state: step.ReplicaState, now: int
) -> tuple[step.ReplicaState, int, dict[str, Any]]:
  """Trains to the next log event, within the stage that `now` belongs to.

  Args:
    exp: the experiment.
    state: of its fleet.
    now: the step of the state.

  Returns:
    The state, its step, and the values of the steps for the log.
  """
  first, end, number = exp.stage(now)
  if isinstance(exp.trainer.method.stages[number], base.Collect):
    with jax.transfer_guard('allow'):
      state, done = exp.programs.collect(state, number, now - first)
    return state, end if done else now + 1, {}
  # Log events are at multiples, whatever step a shorter run ended at.
  stop = min((now // exp.log_every + 1) * exp.log_every, end)
  state, sums = exp.programs.run(state, now, stop)
  sums = exp.programs.to_host(sums)
  diagnostics.raise_unless_finite(sums, exp.replicas)
  return state, stop, diagnostics.scalars(sums, exp.replicas)


def train(
  exp: experiment.Experiment, workdir: pathlib.Path
) -> step.ReplicaState:
  """Trains every family to its last step, one after another.

  Each resumes from its newest sound checkpoint.

  Returns:
    The state of the first family's fleet at `exp.steps`.

  Raises:
    UserError: the folder holds another run, or one that is trained further,
      or it was removed meanwhile, or the disk is full.
    Preempted: SIGTERM came; the state is saved.
    TrainingDiverged: a loss or gradient is not finite.
  """
  wanted = {exp.family, *map(_twin, exp.members)}
  states: dict[str, step.ReplicaState] = {}
  for member in exp.members:
    if member is not exp:
      _LOG.info('training %s', ', '.join(r.name for r in member.replicas))
    state = _train(member, workdir, states.get(_twin(member)))
    if member.family in wanted:
      states[member.family] = state
  return states[exp.family]


def _twin(exp: experiment.Experiment) -> str:
  """Returns the family that gets the same weights as this one, or ''."""
  twin = registry.find(exp.replicas[0].variant).twin
  settings = exp.config.methods
  return twin if twin and settings[twin] == settings[exp.family] else ''


def _train(
  exp: experiment.Experiment,
  workdir: pathlib.Path,
  twin: step.ReplicaState | None = None,
) -> step.ReplicaState:
  """Trains one family, as `train` says.

  Args:
    exp: the experiment of the family.
    workdir: folder of the run.
    twin: state at the last step of a family with the same training, which a
      new one takes over.
  """
  with contextlib.ExitStack() as stack:
    with parallel.all_or_none():
      lock = stack.enter_context(locks.exclusive(workdir / '.lock', 'training'))
      run_folder.check_workdir(workdir)
    # Signals are held back until the last checkpoint is complete.
    stop_requested = stack.enter_context(host.stop_requests())
    checkpoints = stack.enter_context(
      run_folder.opened(exp, workdir, read_only=False)
    )
    now, state, is_new = _begin(exp, workdir, checkpoints, twin)
    steps = checkpoints.steps()
    with parallel.all_or_none():
      if parallel.is_first() and now < exp.steps:
        run_folder.check_room(exp, workdir, steps)
      log = metrics_log.MetricsWriter(
        workdir, -1 if is_new else now, exp.config.train.tensorboard, exp.place
      )
      stack.callback(log.close)
      # From here on the run is not refused.
      run_folder.store_config(workdir, exp.config)
    progress = progress_bar.Progress('train', exp.steps, now)
    stack.callback(progress.close)
    stack.enter_context(_no_transfers())

    if is_new:
      state = _validate(exp, state, now, log)
      if now == exp.steps:  # That of a twin.
        with run_folder.at_home(exp, workdir, lock, now, state):
          checkpoints.save(now, state, exp.meta)
    while now < exp.steps:
      state, now = _to_next_event(exp, state, now, log, progress)
      last = now == exp.steps
      stopping = parallel.any_process(stop_requested())
      if last or stopping or now % exp.checkpoint_every == 0:
        with run_folder.at_home(exp, workdir, lock, now, state):
          checkpoints.save(now, state, exp.meta)
      if stopping:
        break
    with run_folder.at_home(exp, workdir, lock, now, state):
      checkpoints.wait()
    if parallel.any_process(stop_requested()):
      raise errors.Preempted(
        f'stopped by SIGTERM at step {now} of {exp.steps}, saved in {workdir};'
        ' run the same command to go on'
      )
  _tell_peak(exp, now)
  return state


def _no_transfers():
  """Returns a context in which no array moves unless the code says so."""
  if jax.config.jax_disable_jit:  # Without jit, operations transfer.
    return contextlib.nullcontext()
  return jax.transfer_guard('disallow')


def _to_next_event(
  exp: experiment.Experiment,
  state: step.ReplicaState,
  now: int,
  log: Log,
  progress: progress_bar.Progress,
) -> tuple[step.ReplicaState, int]:
  """Trains to the next log event, writes it, and validates where it is time.

  Returns:
    The state and its step.
  """
  state, now, values = advance(exp, state, now)
  log.write(now, 'train', values, exp.programs.feed_facts())
  progress.at(now, _in_words(values))
  if now == exp.steps or now % exp.validate_every == 0:
    state = _validate(exp, state, now, log)
  return state, now


def in_memory(exp: experiment.Experiment, log: Log) -> step.ReplicaState:
  """Trains the first family from the start to its last step, without a folder.

  It takes the steps of `train`, so it ends at the same weights bit for bit.

  Args:
    exp: the experiment.
    log: gets the events.

  Returns:
    The state of the fleet at `exp.steps`.

  Raises:
    TrainingDiverged: a loss or gradient is not finite.
  """
  now, state = 0, exp.programs.init()
  progress = progress_bar.Progress('train', exp.steps)
  with contextlib.closing(progress), _no_transfers():
    state = _validate(exp, state, now, log)
    while now < exp.steps:
      state, now = _to_next_event(exp, state, now, log, progress)
  return state


def _begin(
  exp: experiment.Experiment,
  workdir: pathlib.Path,
  checkpoints: Any,
  twin: step.ReplicaState | None,
) -> tuple[int, step.ReplicaState, bool]:
  """Finds where a training begins: at its newest checkpoint, or anew.

  Where a twin is trained already, a new one begins with its end.

  Returns:
    The step, the state there, and whether the training is new.

  Raises:
    UserError: the run is of other data or settings, or trained further.
  """
  stored = checkpoints.restore_newest(
    exp.programs.init_shapes,
    lambda origin: same.check_origin(exp, origin, workdir, goes_on=True),
  )
  if stored is None and twin is not None:
    # Copies, as states are donated.
    return exp.steps, jax.tree.map(jnp.copy, twin), True
  if stored is None:
    return 0, exp.programs.init(), True
  now, state, _ = stored
  if now > exp.steps:
    raise errors.UserError(
      f'{workdir} is trained to step {now}, but train.epochs ='
      f' {exp.config.train.epochs:g} end at step {exp.steps}; give more epochs,'
      ' or another --workdir'
    )
  _LOG.info('resuming at step %d of %d', now, exp.steps)
  return now, state, False


def _validate(
  exp: experiment.Experiment,
  state: step.ReplicaState,
  now: int,
  log: Log,
) -> step.ReplicaState:
  """Scores the validation normals, logs it, and keeps the best weights.

  Pictures that stand alone have none.
  """
  if not any(len(split.validation) for split in exp.splits):
    return state
  state, error, totals = exp.programs.validate(state, now)
  diagnostics.raise_unless_sound(error, exp.replicas, now)
  values = {exp.trainer.method.criterion[1]: error.tolist()}
  values |= diagnostics.reads(totals, exp.replicas)
  log.write(now, 'validation', values)
  diagnostics.warn_dead(values, now)
  return state


def _in_words(values: dict[str, Any]) -> str:
  """Returns the text that the progress bar shows at a log event."""
  return f'loss {np.mean(values["loss"]):.4g}' if values else 'passes'


def _tell_peak(exp: experiment.Experiment, now: int) -> None:
  peak = exp.environment['peak_memory']
  device = f'unknown ({peak["device_reason"]})'
  if peak['device_bytes']:
    device = f'{peak["device_bytes"] / 2**30:.2f} GiB'
  _LOG.info(
    'trained to step %d; peak memory: host %.2f GiB, device %s',
    now,
    peak['host_bytes'] / 2**30,
    device,
  )
