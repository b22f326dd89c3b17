"""Checkpoints of a fleet; the only file that imports orbax.

(The v1 spelling of what is used here is `ocp.v1.training.Checkpointer`.)
"""

import contextlib
import hashlib
import json
import logging
import pathlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from orbax.checkpoint import checkpoint_managers

from memae_jax.runtime import atomic, disk, errors, parallel, plain_path
from memae_jax.training import fingerprint, layouts

_LOG = logging.getLogger(__name__)

CHECKSUMS = 'checksums.json'  # SHA-256 of each file of a checkpoint.
LAYOUT = 2  # Stored in `meta`; where it is not, the layout is 1.
_LOOKS = 10  # Attempts to list a folder that another process changes.


def _sha256(path: pathlib.Path) -> str:
  with path.open('rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def _unless_damaged(read: Callable, *args) -> Any:
  """Returns what `read` does; None, with a warning, if it is damaged."""
  try:
    return read(*args)
  except errors.UserError as error:
    _LOG.warning('%s: trying the one before it', error)
    return None


def _although_others_remove(look: Callable[[], Any]) -> Any:
  """Lets orbax list a folder; tries again if a checkpoint vanished meanwhile.

  Orbax lists the folder, then asks for the time of each checkpoint. While a
  training removes old ones, one of them may be gone by then.
  """
  for _ in range(_LOOKS - 1):
    try:
      return look()
    except FileNotFoundError:
      continue
  return look()


def _save_without_programs() -> None:
  """Lets one device of this process save what several of them hold.

  Orbax has each of them save a slice, and compiles a program that cuts it for
  every shape and device: seconds, for arrays of which each is saved in
  milliseconds. Several processes still share the work.
  """
  if jax.process_count() == 1:
    handler = ocp.type_handlers.ArrayHandler(use_replica_parallel=False)
    ocp.type_handlers.register_type_handler(jax.Array, handler, override=True)


class Checkpoints:
  """Asynchronous checkpoints of a family, in `workdir/checkpoints`."""

  def __init__(
    self,
    workdir: pathlib.Path,
    keep: int = 2,
    keep_all: bool = False,
    read_only: bool = False,
    unpadded: fingerprint.Shapes | None = None,
    place: str = '',
  ):
    """Opens the folder.

    Args:
      workdir: of the run.
      keep: number of newest checkpoints that are kept.
      keep_all: whether all are kept instead.
      read_only: whether nothing is written; then the folder must exist.
      unpadded: shape of each leaf of a state without padding; None: there is
        none.
      place: folder within that of the checkpoints, see `Experiment.place`.

    Raises:
      UserError: the folder does not exist, and `read_only` is set.
    """
    self._unpadded = unpadded
    self._folder = pathlib.Path(workdir).absolute() / 'checkpoints' / place
    self._damaged = workdir / 'damaged_checkpoints' / place
    keep_some = not (keep_all or read_only)
    policy = checkpoint_managers.LatestN(keep) if keep_some else None
    self._read_only = read_only
    if read_only and not self._folder.is_dir():
      raise errors.UserError(
        f'{self._folder} does not exist; train first, or give the --workdir'
        ' of a run'
      )
    self._saved = False  # By this process.
    if not read_only and parallel.is_first():
      self._folder.mkdir(parents=True, exist_ok=True)
    self._stack = contextlib.ExitStack()
    self._place = self._stack.enter_context(plain_path.to(self._folder))
    # A read by the manager ends in a barrier, which a process whose read failed
    # does not reach. The handlers of its items read without one.
    if not read_only:
      _save_without_programs()
    self._states = ocp.StandardCheckpointHandler()
    self._metas = ocp.JsonCheckpointHandler()
    self._parts = ocp.PyTreeCheckpointHandler()
    options = ocp.CheckpointManagerOptions(
      create=not read_only,
      read_only=read_only,
      preservation_policy=policy,
      async_options=ocp.AsyncOptions(
        post_finalization_callback=self._write_checksums
      ),
    )
    self._manager = _although_others_remove(
      lambda: ocp.CheckpointManager(self._place, options=options)
    )
    for closed in (self._parts, self._metas, self._states, self._manager):
      self._stack.callback(closed.close)

  def __enter__(self):
    return self

  def __exit__(self, kind, *_):
    # Closing raises again what has ended the work.
    with contextlib.suppress(Exception) if kind else disk.writing(self._folder):
      self._stack.close()

  def steps(self) -> list[int]:
    """Returns the steps on disk when the folder was last listed, oldest first.

    They are those that the first process saw: while a training goes on, other
    processes may have listed the folder later. All processes must call it.
    """
    return parallel.broadcast_list(sorted(self._manager.all_steps()))

  def refresh(self) -> None:
    """Lists the folder again, which another process may have changed."""
    _although_others_remove(self._manager.reload)

  def save(self, step: int, state: Any, meta: dict[str, Any]) -> None:
    """Starts saving; returns once the device buffers may be donated.

    The first checkpoint of a process is waited for, and read back.

    Args:
      step: that the state has reached; nothing happens if it is saved.
      state: of the fleet, with padding.
      meta: stored beside it, as JSON.

    Raises:
      UserError: the disk refuses it, or it cannot be read.
    """
    if step in self._manager.all_steps():
      return
    with disk.writing(self._folder):
      self._manager.save(
        step,
        args=ocp.args.Composite(
          state=ocp.args.StandardSave(
            {
              'state': state,
              'fingerprint': fingerprint.of(state, self._unpadded),
            }
          ),
          meta=ocp.args.JsonSave(meta),
        ),
        force=True,
      )
    if not self._saved:
      self._saved = True
      self.wait()
      self._read(step, 'state', self._part, 'choose another --workdir')

  def wait(self) -> None:
    """Blocks until everything is on disk.

    Raises:
      UserError: the disk refuses it.
    """
    with disk.writing(self._folder):
      self._manager.wait_until_finished()

  def _part(self, path: pathlib.Path) -> Any:
    """Reads the fingerprint alone, which needs no memory on a device."""
    item = {'fingerprint': np.zeros((), np.uint32)}
    to_host = {'fingerprint': ocp.RestoreArgs(restore_type=np.ndarray)}
    args = ocp.args.PyTreeRestore(
      item=item, restore_args=to_host, partial_restore=True
    )
    return self._parts.restore(path, args=args)

  def _write_checksums(self) -> None:
    """Writes checksums into a checkpoint that is whole but not yet renamed.

    A checkpoint without them is valid, so a failure here is only a warning.
    """
    if not parallel.is_first():
      return
    for folder in self._folder.glob('*.*'):  # Renamed, it is a number.
      if (folder / CHECKSUMS).exists():
        continue  # Left by a run that was killed.
      try:
        files = sorted(p for p in folder.rglob('*') if p.is_file())
        sums = {p.relative_to(folder).as_posix(): _sha256(p) for p in files}
        atomic.write(folder / CHECKSUMS, json.dumps(sums, indent=1))
      except (OSError, errors.UserError) as error:
        _LOG.warning('no checksums for %s (%s)', folder, error)

  def _check(self, step: int, item: str) -> None:
    """Raises ValueError if a file of an item is not as it was written.

    Orbax reads many files at the same time, and when one fails drops the other
    reads with a traceback each. Every process checks its share of the files.
    """
    folder = self._folder / str(step)
    if not (folder / CHECKSUMS).is_file():
      return  # An earlier version wrote it.
    written = json.loads((folder / CHECKSUMS).read_bytes())
    names = [name for name in written if name.startswith(f'{item}/')]
    for name in names[jax.process_index() :: jax.process_count()]:
      path = folder / name
      if not path.is_file() or _sha256(path) != written[name]:
        raise ValueError(f'{name} is not as it was written')

  def _read(
    self,
    step: int,
    item: str,
    read: Callable,
    mend: str = 'use another step',
  ) -> Any:
    """Returns what `read` makes of an item, in all processes or in none.

    Args:
      step: of the checkpoint.
      item: 'state' or 'meta'.
      read: takes the folder of the item.
      mend: advice for the error.

    Raises:
      UserError: it failed in one of the processes.
    """
    content = problem = None
    try:
      self._check(step, item)
      content = read(self._place / str(step) / item)
    except Exception as error:  # Orbax raises many kinds for damaged files.
      lines = str(error).partition('See full')[0].strip().splitlines() or ['']
      problem = f'{type(error).__name__}: {lines[0][:200]}'.replace(
        str(self._place), str(self._folder)
      )
      if not (self._folder / str(step)).exists():
        problem = 'the training has removed it meanwhile'
    if parallel.any_process(problem is not None):
      raise errors.UserError(
        f'checkpoint {self._folder / str(step)} cannot be read'
        f' ({problem or "in another process"}); {mend}'
      )
    return content

  def meta(self, step: int) -> dict[str, Any]:
    """Returns the JSON saved beside a state, in all processes or in none.

    Raises:
      UserError: it cannot be read.
    """
    read = lambda path: self._metas.restore(path, ocp.args.JsonRestore())
    return self._read(step, 'meta', read)

  def restore(
    self, step: int, like: Any, stored: dict[str, Any] | None = None
  ) -> Any:
    """Reads a state, in all processes or in none.

    Args:
      step: one of `steps()`.
      like: tree of ShapeDtypeStruct with the wanted shardings; the shardings
        and the padding need not be those that it was written with.
      stored: its `meta`, if it has been read.

    Raises:
      UserError: the checkpoint is damaged or belongs to another model.
    """
    is_old, wanted = False, like
    if hasattr(like, 'collections'):
      stored = stored or self.meta(step)
      is_old = stored.get('layout', 1) == 1
    if is_old:
      like = layouts.first(like)
    first = jax.tree.leaves(like)[0].sharding
    replicated = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    if isinstance(first, jax.sharding.NamedSharding):
      replicated = jax.sharding.NamedSharding(
        first.mesh, jax.sharding.PartitionSpec()
      )
    saved = {
      'state': like,
      'fingerprint': jax.ShapeDtypeStruct((), jnp.uint32, sharding=replicated),
    }
    # Padding may be cut or added.
    args = ocp.args.StandardRestore(saved, strict=False)
    restored = self._read(
      step, 'state', lambda path: self._states.restore(path, args=args)
    )
    if is_old:
      restored['state'] = layouts.from_first(restored['state'], wanted)
    content = fingerprint.of(restored['state'], self._unpadded)
    if parallel.any_process(int(content) != int(restored['fingerprint'])):
      raise errors.UserError(
        f'checkpoint {self._folder / str(step)} is damaged (its content does'
        ' not match its fingerprint); use another step'
      )
    return restored['state']

  def restore_newest(
    self,
    like: Any,
    check: Callable[[dict[str, Any]], None],
    upto: int | None = None,
  ) -> tuple[int, Any, dict[str, Any]] | None:
    """Reads the newest sound checkpoint; moves damaged newer ones away.

    Args:
      like: see `restore`.
      check: called with the `meta` of each; raises if it is of another run.
      upto: last step that is looked for; None, or if there is no checkpoint up
        to it: all are.

    Returns:
      (step, state, meta), or None if there is no checkpoint.

    Raises:
      UserError: there are checkpoints, but none can be read.
    """
    steps = self.steps()
    early = [step for step in steps if upto is None or step <= upto]
    for step in reversed(early or steps):
      stored = _unless_damaged(self.meta, step)
      if stored is None:
        continue
      check(stored)
      state = _unless_damaged(self.restore, step, like, stored)
      if state is None:
        continue
      damaged = steps[steps.index(step) + 1 :]
      if damaged and upto is None and not self._read_only:
        self._set_aside(damaged)
      return step, state, stored
    if not steps:
      return None
    if self._read_only:
      self.refresh()
      if self.steps() != steps:  # A training that goes on removed some.
        return self.restore_newest(like, check, upto)
    raise errors.UserError(
      f'none of the checkpoints {steps} in {self._folder} can be read; give'
      ' another --workdir, or remove the folder to start again'
    )

  def _set_aside(self, steps: list[int]) -> None:
    """Moves damaged checkpoints where orbax does not look; deletes nothing.

    Raises:
      UserError: they cannot be moved.
    """
    target = self._damaged
    # No process may list the folder before all are moved.
    with parallel.all_or_none():
      try:
        if parallel.is_first():
          target.mkdir(parents=True, exist_ok=True)
          for step in steps:
            number = sum(1 for _ in target.iterdir())
            (self._folder / str(step)).rename(target / f'{step}_{number}')
      except OSError as error:
        raise errors.UserError(
          f'the damaged checkpoints {steps} in {self._folder} cannot be moved'
          f' away ({error}); move them yourself'
        ) from error
    self.refresh()
