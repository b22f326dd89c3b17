"""The training run, read from top to bottom."""

import contextlib
import logging
import pathlib
from typing import Any

import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax import disk, errors, host, parallel, writers
from memae_jax.methods import base
from memae_jax.training import checkpoint as checkpoint_lib
from memae_jax.training import diagnostics, experiment, same, step

_LOG = logging.getLogger(__name__)


def check_workdir(workdir: pathlib.Path) -> None:
  """Raises UserError if a folder is not one of a run.

  Which config a run was trained by, its checkpoints say, see `same`.
  """
  if (workdir / 'config.json').exists():
    config_lib.load(workdir / 'config.json')  # Never overwrite another's file.
  elif writers.has_checkpoints(workdir):
    raise errors.UserError(
      f'{workdir} has checkpoints but no config.json; give another --workdir'
    )


def store_config(workdir: pathlib.Path, config: Any) -> None:
  """Makes a config the one of the run; `check_workdir` comes first."""
  writers.write_atomic(workdir / 'config.json', config_lib.to_json(config))


def opened(
  exp: experiment.Experiment,
  workdir: pathlib.Path,
  read_only: bool = True,
) -> checkpoint_lib.Checkpoints:
  """The checkpoints of a run, for states of this experiment."""
  options = exp.config.train
  return checkpoint_lib.Checkpoints(
    workdir,
    options.keep,
    options.keep_all,
    read_only,
    real=exp.programs.real_shapes,
    place=exp.place,
  )


def trained(
  exp: experiment.Experiment,
  checkpoints: checkpoint_lib.Checkpoints,
  workdir: pathlib.Path,
) -> tuple[int, step.ReplicaState, dict[str, Any]]:
  """Returns step, state and `meta` of the newest sound checkpoint.

  Raises:
    UserError: there is none, or it was trained otherwise.
  """
  found = checkpoints.restore_newest(
    exp.programs.init_shapes,
    lambda stored: same.check_origin(exp, stored, workdir),
  )
  if found is None:
    raise errors.UserError(f'{workdir} has no checkpoint; train first')
  return found


def _check_room(exp: experiment.Experiment, workdir, steps: list[int]) -> None:
  """Raises UserError where the disk cannot hold the checkpoints to come."""
  options, leaves = exp.config.train, jax.tree.leaves(exp.programs.init_shapes)
  each = sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)
  left = -(-exp.steps // exp.checkpoint_every) if options.keep_all else 0
  more = max(left or options.keep + 1 - len(steps), 1)
  mend = f'lower train.keep ({options.keep})'
  if options.keep_all:
    mend = 'leave out train.keep_all'
  disk.check_room(workdir, more * each, f'{mend}, or give another --workdir')


def _check_home(
  exp: experiment.Experiment, workdir, lock: Any, now: int, state: Any
) -> None:
  """Raises UserError if the folder of a run was removed meanwhile.

  The weights are saved where it was, unless somebody else works there.

  Args:
    exp: the experiment.
    workdir: of the run.
    lock: that is held in it, by the first process.
    now: step of `state`.
    state: of the fleet.
  """
  gone = lock is not None and not writers.is_there(lock)
  taken = gone and (workdir / '.lock').exists()
  if parallel.any_process(taken):
    raise errors.UserError(
      f'{workdir} was removed while training and is another run now; this one'
      f' ends at step {now}, not saved'
    )
  if not parallel.any_process(gone and not (workdir / 'config.json').exists()):
    return
  with writers.exclusive(workdir / '.lock', 'training'):
    store_config(workdir, exp.config)
    with opened(exp, workdir, read_only=False) as checkpoints:
      checkpoints.save(now, state, exp.meta)
  raise errors.UserError(
    f'{workdir} was removed while training; it is there again with the weights'
    f' of step {now} of {exp.steps}: run the same command to go on, or remove'
    ' it'
  )


@contextlib.contextmanager
def _at_home(exp: experiment.Experiment, workdir, lock, now: int, state: Any):
  """Checks the folder of a run before and after what is written to it.

  See `_check_home`; what fails inside may fail because there is none.
  """
  _check_home(exp, workdir, lock, now, state)
  try:
    yield
  finally:
    _check_home(exp, workdir, lock, now, state)


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
      lock = stack.enter_context(
        writers.exclusive(workdir / '.lock', 'training')
      )
      check_workdir(workdir)
    # Until the last checkpoint is whole.
    stop_requested = stack.enter_context(host.stop_requests())
    checkpoints = stack.enter_context(opened(exp, workdir, read_only=False))
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
        _check_room(exp, workdir, steps)
      writer = writers.MetricsWriter(
        workdir, written, options.tensorboard, exp.place
      )
      stack.callback(writer.close)
      store_config(workdir, exp.config)  # Nothing is refused from here on.
    progress = writers.Progress('train', exp.steps, now)
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
        with _at_home(exp, workdir, lock, now, state):
          checkpoints.save(now, state, exp.meta)
      if stopping:
        break
    with _at_home(exp, workdir, lock, now, state):
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
