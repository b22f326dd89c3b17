"""The training run, read from top to bottom."""

import contextlib
import logging
import pathlib
from typing import Any

import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax import errors, host, jax_settings, parallel, writers
from memae_jax.training import checkpoint as checkpoint_lib
from memae_jax.training import diagnostics, experiment, step

_LOG = logging.getLogger(__name__)


_MOVED = ('data.path', 'data.test_path')  # Their content is checked.
_SCALED = (  # How samples become inputs; other data must not change it.
  'data.scaling',
  'data.log1p',
  'data.clip',
  'data.max_samples',
)


def check_same_training(
  workdir: pathlib.Path,
  config: Any,
  other_data: bool = False,
  other_length: bool = False,
) -> None:
  """Raises UserError if the run in `workdir` was trained by another config.

  `eval` fields may differ, but for the checkpoint rule: it decides what is
  stored. So may names, where the data lie (what they are is checked by their
  hash), how they are fed, which changes no batch, and how the work is spread
  and the memory read, which changes only rounding. With `other_data`, which
  are only evaluated, so may the fields of `data`, but for scaling. With
  `other_length` so may the number of epochs, if those that were trained are the
  same then: at a constant learning rate, and when the last step is evaluated.
  """
  stored = config_lib.load(workdir / 'config.json')
  stored = config_lib.flatten(stored.to_dict())
  wanted = config_lib.flatten(config.to_dict())
  other_length = (
    other_length
    and wanted['train.schedule'] == 'constant'
    and wanted['eval.checkpoint'] == 'last'
  )
  may_differ = lambda key: (
    not config_lib.trains(key)
    or key in _MOVED
    or (other_data and key.startswith('data.') and key not in _SCALED)
    or (other_length and key == 'train.epochs')
  )
  differ = [
    f'{key}: {stored[key]!r} there, {wanted[key]!r} now'
    for key in wanted
    if stored[key] != wanted[key] and not may_differ(key)
  ]
  if differ:
    raise errors.UserError(
      f'{workdir} holds a run of another config ({"; ".join(differ[:3])}'
      f'{"; ..." if len(differ) > 3 else ""}); give another --workdir'
    )


def names_other_data(workdir: pathlib.Path, config: Any) -> bool:
  """Whether a config asks for data that the run may not have trained on."""
  stored = config_lib.load(workdir / 'config.json').data
  return any(
    stored[key] != config.data[key]
    for key in stored
    if config_lib.trains(f'data.{key}')
  )


def check_workdir(workdir: pathlib.Path, config: Any) -> None:
  """Raises UserError if a folder belongs to another experiment."""
  trained = writers.has_checkpoints(workdir)
  if not (workdir / 'config.json').exists():
    if trained:
      raise errors.UserError(
        f'{workdir} has checkpoints but no config.json; give another --workdir'
      )
  elif trained:
    check_same_training(workdir, config, other_length=True)
  else:
    config_lib.load(workdir / 'config.json')  # Never overwrite another's file.


def store_config(workdir: pathlib.Path, config: Any) -> None:
  """Makes a config the one of the run; `check_workdir` comes first."""
  writers.write_atomic(workdir / 'config.json', config_lib.to_json(config))


def check_data(exp: experiment.Experiment, stored: dict[str, Any]) -> None:
  """Raises UserError if a checkpoint was trained on other data, unasked."""
  same = stored.get('data_sha256') == exp.identity['data_sha256']
  if exp.trained_on is None and not same:
    raise errors.UserError(
      f'the data set "{exp.source.name}" is not the one that this run was'
      f' trained on (sha256 {exp.identity["data_sha256"][:12]}, was'
      f' {str(stored.get("data_sha256"))[:12]}); give another --workdir, or'
      ' the old data'
    )


def check_origin(
  exp: experiment.Experiment, stored: dict[str, Any], goes_on: bool
) -> None:
  """Raises UserError if a checkpoint was trained otherwise, unasked."""
  check_data(exp, stored)
  jax_settings.check(stored.get('environment') or {}, goes_on)


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
  )


def trained(
  exp: experiment.Experiment,
  checkpoints: checkpoint_lib.Checkpoints,
  workdir: pathlib.Path,
) -> tuple[int, step.ReplicaState, dict[str, Any]]:
  """Returns step, state and `meta` of the newest sound checkpoint.

  Raises:
    UserError: there is none, or it was trained on other data.
  """
  found = checkpoints.restore_newest(
    exp.programs.init_shapes, lambda stored: check_origin(exp, stored, False)
  )
  if found is None:
    raise errors.UserError(f'{workdir} has no checkpoint; train first')
  return found


def train(
  exp: experiment.Experiment, workdir: pathlib.Path
) -> step.ReplicaState:
  """Trains to the last step, resuming from the newest sound checkpoint.

  Returns:
    The state of the fleet at `exp.steps`.

  Raises:
    UserError: the folder holds another run, or one that is trained further.
    Preempted: SIGTERM came; the state is saved.
    TrainingDiverged: a loss or gradient is not finite.
  """
  options = exp.config.train
  with contextlib.ExitStack() as stack:
    with parallel.together():
      stack.enter_context(writers.exclusive(workdir / '.lock', 'training'))
      check_workdir(workdir, exp.config)
    checkpoints = stack.enter_context(opened(exp, workdir, read_only=False))
    stop_requested = stack.enter_context(host.stop_requests())
    found = checkpoints.restore_newest(
      exp.programs.init_shapes, lambda stored: check_origin(exp, stored, True)
    )
    if found is None:
      now, state = 0, exp.init()
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
    with parallel.together():
      writer = writers.MetricsWriter(workdir, written, options.tensorboard)
      stack.callback(writer.close)
      store_config(workdir, exp.config)  # Nothing is refused from here on.
    progress = writers.Progress('train', exp.steps, now)
    stack.callback(progress.close)
    if not jax.config.jax_disable_jit:  # Else each operation is a transfer.
      stack.enter_context(jax.transfer_guard('disallow'))

    def validate(state):
      state, error, reads = exp.validate(state, now)
      diagnostics.raise_unless_sound(error, exp.replicas, now)
      values = {'reconstruction': error.tolist()}
      values |= diagnostics.reads(reads, exp.replicas)
      writer.write(now, 'validation', values)
      diagnostics.warn_dead(values, now)
      return state

    if found is None:
      state = validate(state)
    while now < exp.steps:
      # At multiples, wherever a shorter run ended.
      stop = min((now // exp.log_every + 1) * exp.log_every, exp.steps)
      state, sums = exp.run(state, now, stop)
      sums = exp.programs.to_host(sums)
      diagnostics.raise_unless_finite(sums, exp.replicas)
      values = diagnostics.scalars(sums, exp.replicas)
      now = stop
      writer.write(now, 'train', values, exp.programs.feed_facts())
      progress.at(now, f'loss {np.mean(values["loss"]):.4g}')
      last = now == exp.steps
      if last or now % exp.validate_every == 0:
        state = validate(state)
      stopping = parallel.any_process(stop_requested())
      if last or stopping or now % exp.checkpoint_every == 0:
        checkpoints.save(now, state, exp.meta)
      if stopping:
        checkpoints.wait()
        raise errors.Preempted(
          f'stopped by SIGTERM at step {now} of {exp.steps}, saved in'
          f' {workdir}; run the same command to go on'
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
