"""The training run, read from top to bottom."""

import contextlib
import logging
import pathlib
from typing import Any

import jax
import numpy as np

from memae_jax.methods import base
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


def _advance(
  exp: experiment.Experiment, state: step.ReplicaState, now: int
) -> tuple[step.ReplicaState, int, dict[str, Any]]:
  """Goes on to the next log event, within the stage of a step.

  Returns:
    The state, its step, and what is logged of the steps.
  """
  first, end, number = exp.stage(now)
  if isinstance(exp.trainer.method.stages[number], base.Collect):
    with jax.transfer_guard('allow'):
      state, done = exp.programs.collect(state, number, now - first)
    return state, end if done else now + 1, {}
  # At multiples, wherever a shorter run ended.
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
  state = _train(exp, workdir)
  for other in exp.others:
    _LOG.info('training %s', ', '.join(r.name for r in other.replicas))
    _train(other, workdir)
  return state


def _train(
  exp: experiment.Experiment, workdir: pathlib.Path
) -> step.ReplicaState:
  """As `train`, of one family."""
  options = exp.config.train
  with contextlib.ExitStack() as stack:
    with parallel.together():
      lock = stack.enter_context(locks.exclusive(workdir / '.lock', 'training'))
      run_folder.check_workdir(workdir)
    # Until the last checkpoint is whole.
    stop_requested = stack.enter_context(host.stop_requests())
    checkpoints = stack.enter_context(
      run_folder.opened(exp, workdir, read_only=False)
    )
    found = checkpoints.restore_newest(
      exp.programs.init_shapes,
      lambda stored: same.check_origin(exp, stored, workdir, goes_on=True),
    )
    if found is None:
      now, state = 0, exp.programs.init()
      written = -1
    else:
      now, state, _ = found
      written = now
      if now > exp.steps:
        raise errors.UserError(
          f'{workdir} is trained to step {now}, but train.epochs ='
          f' {options.epochs:g} end at step {exp.steps}; give more epochs, or'
          ' another --workdir'
        )
      _LOG.info('resuming at step %d of %d', now, exp.steps)
    steps = checkpoints.steps()
    with parallel.together():
      if parallel.is_first() and now < exp.steps:
        run_folder.check_room(exp, workdir, steps)
      writer = metrics_log.MetricsWriter(
        workdir, written, options.tensorboard, exp.place
      )
      stack.callback(writer.close)
      run_folder.store_config(
        workdir, exp.config
      )  # Nothing is refused from here on.
    progress = progress_bar.Progress('train', exp.steps, now)
    stack.callback(progress.close)
    if not jax.config.jax_disable_jit:  # Else each operation is a transfer.
      stack.enter_context(jax.transfer_guard('disallow'))

    def validate(state):
      state, error, totals = exp.programs.validate(state, now)
      diagnostics.raise_unless_sound(error, exp.replicas, now)
      values = {exp.trainer.method.criterion[1]: error.tolist()}
      values |= diagnostics.reads(totals, exp.replicas)
      writer.write(now, 'validation', values)
      diagnostics.warn_dead(values, now)
      return state

    if found is None:
      state = validate(state)
    while now < exp.steps:
      state, now, values = _advance(exp, state, now)
      writer.write(now, 'train', values, exp.programs.feed_facts())
      said = f'loss {np.mean(values["loss"]):.4g}' if values else 'passes'
      progress.at(now, said)
      last = now == exp.steps
      if last or now % exp.validate_every == 0:
        state = validate(state)
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
  peak = exp.environment['peak_memory']
  _LOG.info(
    'trained to step %d; peak memory: host %.2f GiB, device %s',
    now,
    peak['host_bytes'] / 2**30,
    f'{peak["device_bytes"] / 2**30:.2f} GiB'
    if peak['device_bytes']
    else f'unknown ({peak["device_reason"]})',
  )
  return state
