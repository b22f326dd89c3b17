"""One job of a study: takes runs while there are any, and writes the tables."""

import contextlib
import logging
import math
import pathlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from memae_jax.runtime import errors, host
from memae_jax.studies import grid, page, runs, table

_LOG = logging.getLogger(__name__)


def shard(text: str) -> tuple[int, int]:
  """Reads the flag --shard, 'i/n', as two numbers.

  Raises:
    UserError: it is something else, or i is not below n.
  """
  match = re.fullmatch(r'(\d+)/(\d+)', text)
  i, n = map(int, match.groups()) if match else (0, 0)
  if i >= n:
    raise errors.UserError(
      f'--shard is "{text}"; give i/n with i from 0 to n - 1, such as 0/4'
    )
  return i, n


def most_replicas(points: Sequence[grid.Point], most: int, jobs: int) -> int:
  """Returns how many replicas a run may have; 0: any number.

  Args:
    points: of the study.
    most: the flag --max_replicas. 0: for several jobs, as few as leave each of
      them a run.
    jobs: how many share the study.
  """
  if most or jobs == 1:
    return most
  return math.ceil(
    sum(len(grid.replicas(point.config)) for point in points) / jobs
  )


def describe(study: grid.Study, planned: list[runs.Run]) -> str:
  """Lists the runs of a study with their sizes and states."""
  points = page.count(sum(len(run.points) for run in planned), 'point')
  many = page.count(len(planned), 'run')
  lines = [f'{study.name}: {points} in {many} of {study.base}']
  for run in planned:
    size = page.count(len(grid.replicas(run.config)), 'replica')
    of_run = page.count(len(run.points), 'point')
    lines.append(f'  {run.share} {run.name}: {of_run}, {size}, {run.state}')
  return '\n'.join(lines)


def dry_run(
  name: str, folder: pathlib.Path, share: str = '0/1', most: int = 0
) -> None:
  """Prints the runs and their states; writes nothing.

  Args:
    name, folder, share, most: see `work`.
  """
  study, folder_of_file = grid.load(name)
  points = grid.points(study, folder_of_file)
  most = most_replicas(points, most, shard(share)[1])
  exists = folder.exists()
  with runs.planning(folder) if exists else contextlib.nullcontext():
    print(describe(study, runs.plan(points, folder, most)))


def work(
  name: str, folder: pathlib.Path, share: str = '0/1', most: int = 0
) -> None:
  """Does this job's share of a study.

  Args:
    name: `FILE.py[:arguments]`, or the name of a packaged study.
    folder: of the study.
    share: 'i/n': every n-th run, from the i-th.
    most: replicas of a run; 0: any number, but no more than leave each of the
      n jobs a run. A point is never divided.

  Raises:
    Preempted: SIGTERM came; the same command continues what was begun.
    UserError: a run failed; the others are done.
  """
  index, jobs = shard(share)
  study, folder_of_file = grid.load(name)
  points = grid.points(study, folder_of_file)
  most = most_replicas(points, most, jobs)
  part = _Share(study, points, folder.absolute(), index, jobs, most)
  tried: set[str] = set()
  with host.stop_requests() as stopping:
    while not stopping() and _next(part, tried, stopping):
      pass
    with runs.planning(part.folder):
      planned = part.plan()
      written = table.write(study, planned, part.folder)
    stopped = stopping()
  rows = table.read(part.folder)
  print(table.text(rows))
  print(page.counts(rows))
  print(f'study: {written}')
  conclude(planned, tried, stopped, part.folder)


class _Share(NamedTuple):
  """The part of a study that one of several jobs does: every n-th run.

  study, points, folder: of the study.
  index: number of this job.
  jobs: how many there are.
  most: replicas of a run; 0: any number.
  """

  study: grid.Study
  points: Sequence[grid.Point]
  folder: pathlib.Path
  index: int
  jobs: int
  most: int

  def plan(self) -> list[runs.Run]:
    """Returns all runs of the study; needs the lock of `runs.planning`."""
    return runs.plan(self.points, self.folder, self.most)

  def claim(
    self, stack: contextlib.ExitStack, tried: set[str]
  ) -> tuple[runs.Run, str, Any] | None:
    """Claims the next free run of the share until `stack` closes.

    Returns:
      The run, its number as 'k of n', and the open lock; None if no run is
      free.
    """
    with runs.planning(self.folder):
      planned = self.plan()
      for number, run in enumerate(planned, 1):
        is_ours = run.share % self.jobs == self.index
        if not is_ours or run.state == 'finished' or run.name in tried:
          continue
        lock = runs.claim(stack, run)
        if lock is not None:
          runs.prepare(run)
          return run, f'{number} of {len(planned)}', lock
    return None


def _next(share: _Share, tried: set[str], stopping) -> bool:
  """Does the next free run of a share; returns whether there was one."""
  with contextlib.ExitStack() as stack:
    claimed = share.claim(stack, tried)
    if claimed is None:
      return False
    run, number, lock = claimed
    tried.add(run.name)
    _LOG.info(
      'run %s: %s, %d replicas',
      number,
      run.name,
      len(grid.replicas(run.config)),
    )
    error = runs.train(run, lock, stopping)
    if error:
      _LOG.error('%s failed: %s', run.name, error)
  with runs.planning(share.folder):
    table.write(share.study, share.plan(), share.folder)
  return True


def conclude(planned, tried: set[str], stopped: bool, folder) -> None:
  """Logs which runs are left to others, and raises for the rest.

  Args:
    planned: all runs of the study.
    tried: names of those that this job has trained.
    stopped: whether this job was asked to stop.
    folder: of the study.

  Raises:
    Preempted: this job was stopped.
    UserError: a run failed.
  """
  failed = [run for run in planned if run.state == 'failed']
  left = [run for run in planned if run.state in ('new', 'stopped')]
  stopped = stopped or any(run.name in tried for run in left)
  if stopped:
    raise errors.Preempted(
      f'stopped by SIGTERM with {len(left)} of {len(planned)} runs to do;'
      f' everything is saved in {folder}: run the same command to go on'
    )
  if left:
    _LOG.info(
      '%d of %d runs are left to other jobs: %s',
      len(left),
      len(planned),
      ', '.join(run.name for run in left[:3]),
    )
  if failed:
    raise errors.UserError(
      f'{len(failed)} of {len(planned)} runs failed, the first:'
      f' {failed[0].name}: {failed[0].error}; mend it and run the same command'
    )
