"""One job of a study: takes runs while there are any, and writes the tables."""

import contextlib
import logging
import math
import pathlib
import re
from collections.abc import Sequence

from memae_jax.runtime import errors, host
from memae_jax.studies import grid, page, runs, table

_LOG = logging.getLogger(__name__)


def shard(text: str) -> tuple[int, int]:
  """Reads 'i/n'.

  Raises:
    UserError: it is something else, or i is not below n.
  """
  found = re.fullmatch(r'(\d+)/(\d+)', text)
  i, n = map(int, found.groups()) if found else (0, 0)
  if i >= n:
    raise errors.UserError(
      f'--shard is "{text}"; give i/n with i from 0 to n - 1, such as 0/4'
    )
  return i, n


def most_replicas(points: Sequence[grid.Point], most: int, jobs: int) -> int:
  """Replicas of a run: `most`, or so many that there is a run for each job."""
  if most or jobs == 1:
    return most
  return math.ceil(
    sum(len(grid.replicas(point.config)) for point in points) / jobs
  )


def describe(study: grid.Study, planned: list[runs.Run]) -> str:
  """What the study would do."""
  points = page.count(sum(len(run.points) for run in planned), 'point')
  many = page.count(len(planned), 'run')
  lines = [f'{study.name}: {points} in {many} of {study.base}']
  for run in planned:
    size = page.count(len(grid.replicas(run.config)), 'replica')
    held = page.count(len(run.points), 'point')
    lines.append(f'  {run.share} {run.name}: {held}, {size}, {run.state}')
  return '\n'.join(lines)


def dry_run(
  given: str, folder: pathlib.Path, share: str = '0/1', most: int = 0
) -> None:
  """Prints the runs and their states; writes nothing. See `work`."""
  study, where = grid.load(given)
  points = grid.points(study, where)
  most = most_replicas(points, most, shard(share)[1])
  exists = folder.exists()
  with runs.planning(folder) if exists else contextlib.nullcontext():
    print(describe(study, runs.plan(points, folder, most)))


def work(
  given: str, folder: pathlib.Path, share: str = '0/1', most: int = 0
) -> None:
  """Does this job's share of a study.

  Args:
    given: `FILE.py[:arguments]`.
    folder: of the study.
    share: 'i/n': every n-th run.
    most: replicas of a run; 0: any number, but no more than leave each of the
      n jobs a run. A point is never divided.

  Raises:
    Preempted: SIGTERM came; what was begun goes on with the same command.
    UserError: a run failed; the others are done.
  """
  index, jobs = shard(share)
  study, where = grid.load(given)
  points = grid.points(study, where)
  most = most_replicas(points, most, jobs)
  folder = folder.absolute()
  tried: set[str] = set()
  with host.stop_requests() as stopping:
    while not stopping() and _one(
      study, points, folder, index, jobs, most, tried, stopping
    ):
      pass
    with runs.planning(folder):
      planned = runs.plan(points, folder, most)
      written = table.write(study, planned, folder)
    stopped = stopping()
  found = table.read(folder)
  print(table.text(found))
  print(page.counts(found))
  print(f'study: {written}')
  _end(planned, tried, stopped, folder)


def _one(study, points, folder, index, jobs, most, tried, stopping) -> bool:
  """Does the next free run of a share; False if there is none."""
  with contextlib.ExitStack() as stack:
    with runs.planning(folder):
      planned = runs.plan(points, folder, most)
      for run in planned:
        if (
          run.share % jobs != index
          or run.state == 'finished'
          or run.name in tried
        ):
          continue
        held = runs.claim(stack, run)
        if held is not None:
          runs.prepare(run)
          break
      else:
        return False
    tried.add(run.name)
    _LOG.info(
      'run %d of %d: %s, %d replicas',
      planned.index(run) + 1,
      len(planned),
      run.name,
      len(grid.replicas(run.config)),
    )
    error = runs.train(run, held, stopping)
    if error:
      _LOG.error('%s failed: %s', run.name, error)
  with runs.planning(folder):
    table.write(study, runs.plan(points, folder, most), folder)
  return True


def _end(planned, tried: set[str], stopped: bool, folder) -> None:
  """Says what is left, as the exit code does."""
  failed = [run for run in planned if run.state == 'failed']
  left = [run for run in planned if run.state in ('new', 'stopped')]
  stopped = stopped or any(run.name in tried for run in left)
  if stopped:
    raise errors.Preempted(
      f'stopped by SIGTERM with {len(left)} of {len(planned)} runs to do, all'
      f' of it saved in {folder}; run the same command to go on'
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
