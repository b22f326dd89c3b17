"""The folder of a run: its owner, config, checkpoints, and room on disk."""

import contextlib
import pathlib
from typing import Any

import jax

from memae_jax import config as config_lib
from memae_jax.runtime import atomic, disk, errors, locks, parallel
from memae_jax.training import checkpoint, experiment, same, step


def check_workdir(workdir: pathlib.Path) -> None:
  """Raises UserError if a folder cannot be that of a run.

  Then its config.json is not one of this project, or it has checkpoints but no
  config.json. The module `same` checks that the config is that of the run.
  """
  if (workdir / 'config.json').exists():
    config_lib.load(workdir / 'config.json')  # Never overwrite another's file.
  elif has_checkpoints(workdir):
    raise errors.UserError(
      f'{workdir} has checkpoints but no config.json; give another --workdir'
    )


def store_config(workdir: pathlib.Path, config: Any) -> None:
  """Writes the config.json of a run; call `check_workdir` first."""
  atomic.write(workdir / 'config.json', config_lib.to_json(config))


def opened(
  exp: experiment.Experiment,
  workdir: pathlib.Path,
  read_only: bool = True,
) -> checkpoint.Checkpoints:
  """Opens the checkpoints of a run, for states of this experiment."""
  options = exp.config.train
  return checkpoint.Checkpoints(
    workdir,
    options.keep,
    options.keep_all,
    read_only,
    unpadded=exp.programs.unpadded_shapes,
    place=exp.place,
  )


def trained(
  exp: experiment.Experiment,
  checkpoints: checkpoint.Checkpoints,
  workdir: pathlib.Path,
  upto: int | None = None,
) -> tuple[int, step.ReplicaState, dict[str, Any]]:
  """Returns step, state and `meta` of the newest sound checkpoint.

  Args:
    exp: the experiment.
    checkpoints: of the run.
    workdir: of the run.
    upto: last step that is looked for; None, or if there is no checkpoint up
      to it: all are.

  Raises:
    UserError: there is none, or it was trained by another config.
  """
  newest = checkpoints.restore_newest(
    exp.programs.init_shapes,
    lambda stored: same.check_origin(exp, stored, workdir),
    upto,
  )
  if newest is None:
    raise errors.UserError(f'{workdir} has no checkpoint; train first')
  return newest


def check_room(exp: experiment.Experiment, workdir, steps: list[int]) -> None:
  """Raises UserError where the disk cannot hold the checkpoints to come."""
  options, leaves = exp.config.train, jax.tree.leaves(exp.programs.init_shapes)
  size = sum(leaf.size * leaf.dtype.itemsize for leaf in leaves)
  left = -(-exp.steps // exp.checkpoint_every) if options.keep_all else 0
  more = max(left or options.keep + 1 - len(steps), 1)
  mend = f'lower train.keep ({options.keep})'
  if options.keep_all:
    mend = 'leave out train.keep_all'
  disk.check_room(workdir, more * size, f'{mend}, or give another --workdir')


def _check_home(
  exp: experiment.Experiment, workdir, lock: Any, now: int, state: Any
) -> None:
  """Raises UserError if the folder of a run was removed meanwhile.

  The folder is made again with the weights, unless another run is there now.

  Args:
    exp: the experiment.
    workdir: of the run.
    lock: file of the lock on it, see `locks.exclusive`.
    now: step of `state`.
    state: of the fleet.
  """
  gone = lock is not None and not locks.is_there(lock)
  taken = gone and (workdir / '.lock').exists()
  if parallel.any_process(taken):
    raise errors.UserError(
      f'{workdir} was removed while training and is another run now; this one'
      f' ends at step {now}, not saved'
    )
  if not parallel.any_process(gone and not (workdir / 'config.json').exists()):
    return
  with locks.exclusive(workdir / '.lock', 'training'):
    store_config(workdir, exp.config)
    with opened(exp, workdir, read_only=False) as checkpoints:
      checkpoints.save(now, state, exp.meta)
  raise errors.UserError(
    f'{workdir} was removed while training; it is there again with the weights'
    f' of step {now} of {exp.steps}: run the same command to go on, or remove'
    ' it'
  )


@contextlib.contextmanager
def at_home(exp: experiment.Experiment, workdir, lock, now: int, state: Any):
  """Checks before and after a write that the folder of a run is still there.

  A write that fails may have failed because the folder was removed: then that
  error is raised, see `_check_home`.
  """
  _check_home(exp, workdir, lock, now, state)
  try:
    yield
  finally:
    _check_home(exp, workdir, lock, now, state)


def has_checkpoints(workdir: pathlib.Path) -> bool:
  """Returns whether a run has a checkpoint that is completely written."""
  folders = (workdir / 'checkpoints').glob('[0-9]*')
  return any(folder.name.isdigit() for folder in folders)
