"""Runs that are killed, go on, and have to end as if they never were."""

from unittest import mock

import jax
import numpy as np
import pytest

from memae_jax.training import loop, run_folder


class Killed(Exception):
  """Raised where a SIGKILL would end the process."""


def trained(exp, run):
  """Returns the newest state of each family of a run, on the host."""
  states = []
  for member in exp.members:
    with run_folder.opened(member, run) as checkpoints:
      at, state, _ = run_folder.trained(member, checkpoints, run)
    assert at == member.steps
    states.append(jax.device_get(state))
  return states


def again(build, exp):
  """Builds an experiment as a new process does, without compiling anew.

  Args:
    build: returns it.
    exp: the same experiment, which has compiled its programs.
  """
  new = build()
  for one, other in zip(exp.members, new.members, strict=True):
    other.programs.take_compiled(one.programs)
  return new


def check(build, folder, stops):
  """Trains a run at once, and again with kills, and compares the weights.

  Args:
    build: returns the experiment, anew for each process.
    folder: of both runs, `straight` and `killed`.
    stops: (family, step) before which the second run is killed.

  Returns:
    The experiment of the first run, and how often the second one advanced.
  """
  exp, stops, advance, seen = build(), list(stops), loop.advance, []
  loop.train(exp, folder / 'straight')

  def killed(exp, state, now):
    seen.append((exp.family, now))
    if seen[-1] in stops:
      stops.remove(seen[-1])
      raise Killed
    return advance(exp, state, now)

  kills = len(stops)
  with mock.patch.object(loop, 'advance', killed):
    for _ in range(kills):
      with pytest.raises(Killed):
        loop.train(again(build, exp), folder / 'killed')
    loop.train(again(build, exp), folder / 'killed')
  assert not stops
  both = (trained(exp, folder / run) for run in ('straight', 'killed'))
  jax.tree.map(np.testing.assert_array_equal, *both)
  return exp, len(seen) - kills
