"""The run directories of a study: planning, claiming and training runs.

Which runs are done is read from the directories alone. A run that has weights
keeps its points, whatever points the study gets later; only points that no run
holds form new groups. Jobs that share a study pick their runs one at a time
under one lock.

This process never touches a device: the runs are child processes, which may
crash, and which need the devices for themselves.
"""

import contextlib
import logging
import pathlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from memae_jax import config as config_lib
from memae_jax import plugins
from memae_jax.comparison import attempts
from memae_jax.evaluation.results import results_file
from memae_jax.runtime import atomic, errors, locks
from memae_jax.studies import grid, groups
from memae_jax.training import run_folder

_LOG = logging.getLogger(__name__)
_OUTPUT = 'output.log'
_DIVERGED = errors.TrainingDiverged.exit_code
_POLL = 0.1  # Seconds.


class Run(NamedTuple):
  """One run of a study: a fleet.

  folder: of the run.
  config: of the run.
  points: of the study that the run holds; it may hold others, too.
  state: 'finished', 'failed', 'stopped' (it has weights and can go on) or
    'new'.
  error: the last error line of a failed run.
  share: its number among the runs that were planned at first. The halves of a
    run that diverged keep its number, so that all others stay with their jobs.
  """

  folder: pathlib.Path
  config: Any
  points: groups.Points
  state: str
  error: str = ''
  share: int = 0

  @property
  def name(self) -> str:
    """Name of the run's folder."""
    return self.folder.name


def _busy(folder: pathlib.Path) -> bool:
  """Returns whether another process is working on a run."""
  if not (folder / '.claim').exists():
    return False
  with contextlib.ExitStack() as stack:
    return locks.claim(stack, folder / '.claim', 'working') is None


def results(folder: pathlib.Path) -> dict[str, Any] | None:
  """Returns the results of a run that was trained to its end, else None.

  Raises:
    UserError: they are damaged.
  """
  try:
    stored = results_file.read(
      folder / results_file.NAME,
      results_file.CONFIG,
      'remove it, and the run is evaluated again',
    )
  except FileNotFoundError:
    return None
  at = stored['checkpoint']
  return stored if at['step'] == at.get('of_steps', at['step']) else None


def _finished(folder: pathlib.Path, config: Any) -> bool:
  """Returns whether the results in a folder are those of this config."""
  evaluated = results(folder)
  if evaluated is None:
    return False
  try:
    stored = config_lib.resolve(evaluated['config'])
  except errors.UserError:
    return False
  return grid.evaluated_alike(stored) == grid.evaluated_alike(
    config
  ) and grid.replicas(stored) == grid.replicas(config)


def _run(folder: pathlib.Path, config: Any, points: groups.Points) -> Run:
  """Returns a run with its state, as the folder says."""
  last = attempts.last_end(folder)
  if _finished(folder, config):
    state = 'finished'
  elif last.get('error'):
    return Run(folder, config, points, 'failed', last['error'])
  else:
    state = 'stopped' if run_folder.has_checkpoints(folder) else 'new'
  return Run(folder, config, points, state)


def _keeps_its_points(folder: pathlib.Path) -> bool:
  """Returns whether a run has weights or results, is busy, or diverged."""
  return (folder / 'config.json').exists() and (
    run_folder.has_checkpoints(folder)
    or (folder / 'results.json').exists()
    or _busy(folder)
    or attempts.last_end(folder).get('code') == _DIVERGED
  )


def _updated(stored: Any, wanted: Any) -> Any:
  """Returns the stored config with the fields that training does not read.

  Args:
    stored: config of the run.
    wanted: config of a point, which has the new values.
  """
  free = config_lib.chosen(wanted, lambda name: not config_lib.trains(name))
  return config_lib.changed(stored, free)


def plan(
  points: Sequence[grid.Point], folder: pathlib.Path, most: int = 0
) -> list[Run]:
  """Returns the runs that exist, and those that are still to be made.

  Args:
    points: of the study.
    folder: of the study.
    most: replicas of a new run; 0: any number. A point is never divided.

  Returns:
    Runs in the order of their first points; every point is in one.
  """
  missing = list(points)
  planned, diverged = [], set()
  existing = filter(_keeps_its_points, (folder / 'runs').glob('*/'))
  # Finished runs come first, so that no other run takes their points.
  for path in sorted(existing, key=lambda path: (results(path) is None, path)):
    config = config_lib.load(path / 'config.json')
    alike, has = grid.trained_alike(config), grid.replicas(config)
    members = tuple(
      point
      for point in missing
      if grid.trained_alike(point.config) == alike
      and grid.replicas(point.config) <= has
    )
    if not members:
      continue
    run = _run(path, _updated(config, members[0].config), members)
    if (
      attempts.last_end(path).get('code') == _DIVERGED
      and run.state != 'finished'
    ):
      if len(members) > 1:  # One point made it diverge: train it as two halves.
        diverged.add(path.name)
        continue
      if grid.replicas(members[0].config) != has:
        continue  # Perhaps a point diverged that the study no longer has.
    planned.append(run)
    kept = {point.index for point in members}
    missing = [point for point in missing if point.index not in kept]
  for members in _parts(groups.group(missing), most, diverged):
    path = folder / 'runs' / groups.name(members)
    planned.append(_run(path, groups.fleet_config(members), members))
  first = lambda run: run.points[0].index
  shares = _shares(points, most)
  return [
    run._replace(share=shares[first(run)]) for run in sorted(planned, key=first)
  ]


def _shares(points: Sequence[grid.Point], most: int) -> dict[int, int]:
  """Numbers the runs as if there were none yet: {index of a point: number}."""
  parts = sorted(
    _parts(groups.group(points), most, set()),
    key=lambda part: min(point.index for point in part),
  )
  return {point.index: i for i, part in enumerate(parts) for point in part}


def _parts(
  points_of_groups: list[groups.Points], most: int, diverged: set[str]
) -> Iterator[groups.Points]:
  """Divides groups that are too large, or whose run diverged.

  Args:
    points_of_groups: the groups.
    most: replicas of a run; 0: any number.
    diverged: names of runs.
  """
  for members in points_of_groups:
    size = len(grid.replicas(groups.fleet_config(members)))
    if len(members) > 1 and (
      (most and size > most) or groups.name(members) in diverged
    ):
      yield from _parts(groups.split(members), most, diverged)
    else:
      yield members


@contextlib.contextmanager
def planning(folder: pathlib.Path):
  """Holds the lock under which jobs pick runs and write tables."""
  with locks.exclusive(folder / '.plan', 'planning', wait=True):
    yield


def claim(stack: contextlib.ExitStack, run: Run) -> Any:
  """Claims a run for this process.

  Args:
    stack: the claim lasts until it closes.
    run: to claim.

  Returns:
    The open lock file; None if another process has the run.
  """
  return locks.claim(stack, run.folder / '.claim', 'working')


def prepare(run: Run) -> None:
  """Writes the config that the run will be trained by."""
  atomic.write(run.folder / 'config.json', config_lib.to_json(run.config))


def error_line(text: str) -> str:
  """Returns the line of a log that says why a run failed.

  Args:
    text: all that the run printed.
  """
  lines = [line.strip() for line in text.splitlines() if line.strip()]
  errors_of_log = [line for line in lines if line.startswith('error: ')]
  last = (errors_of_log or lines or ['no output'])[-1]
  return last.removeprefix('error: ')[:500]


def train(run: Run, lock: Any, stopping) -> str:
  """Trains and evaluates a claimed run in a process of its own.

  Args:
    run: to train.
    lock: its claim, which the child keeps if this process is killed.
    stopping: function that says whether to stop; the child is then asked to
      stop, too.

  Returns:
    The error line, or '' if it is finished or was asked to stop.
  """
  output = run.folder / _OUTPUT
  command = [
    sys.executable,
    '-m',
    'memae_jax.main',
    *(f'--plugin={name}' for name in plugins.loaded()),
    f'--config={run.folder / "config.json"}',
    f'--workdir={run.folder}',
  ]
  attempts.note(run.folder, event='start', time=time.time())
  begun = time.monotonic()
  text_mode = {'encoding': 'utf-8', 'errors': 'replace'}
  with output.open('a', **text_mode) as log, output.open(**text_mode) as reader:
    start = reader.seek(0, 2)
    child = subprocess.Popen(
      command,
      stdin=subprocess.DEVNULL,
      stdout=log,
      stderr=subprocess.STDOUT,
      pass_fds=(lock.fileno(),),
    )
    try:
      asked = _wait(child, reader, stopping)
    except BaseException:  # Such as Ctrl-C: leave no process behind.
      child.terminate()
      child.wait()
      raise
    reader.seek(start)
    text = reader.read()
  code = child.returncode
  error = ''
  asked = asked or stopping()  # Both may have been sent the same signal.
  if code and not asked and code != errors.Preempted.exit_code:
    error = error_line(text)
    if code < 0:
      error = f'ended by {signal.Signals(-code).name}; its last line: {error}'
  attempts.note(
    run.folder,
    event='end',
    time=time.time(),
    seconds=time.monotonic() - begun,
    code=code,
    error=error,
  )
  return error


def _wait(child, reader, stopping) -> bool:
  """Waits for a child, and passes its output on to stderr.

  Args:
    child: process.
    reader: its log file, open for reading.
    stopping: function that says whether to stop; the child gets SIGTERM then.

  Returns:
    Whether the child was asked to stop.
  """
  asked = False
  while True:
    if stopping() and not asked:
      asked = True
      child.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
      child.wait(_POLL)
    sys.stderr.write(reader.read())
    sys.stderr.flush()
    if child.returncode is not None:
      return asked
