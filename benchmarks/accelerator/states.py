"""Newest states of runs: comparison of two, and weights as a file."""

import pathlib
from typing import Any

import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax.runtime import atomic
from memae_jax.training import experiment, run_folder, step


def _newest(run: pathlib.Path) -> tuple[int, Any, experiment.Experiment]:
  """Returns step, state (on the host) and experiment of a run."""
  exp = experiment.build(config_lib.load(run / 'config.json'))
  with run_folder.opened(exp, run) as checkpoints:
    at, state, _ = run_folder.trained(exp, checkpoints, run)
  return at, exp.programs.to_host(state), exp


def differ(one: pathlib.Path, two: pathlib.Path) -> dict[str, Any]:
  """Returns how far the newest states of two runs are from each other.

  A state is all that training changes: weights, statistics and moments. It is
  compared bit for bit.
  """
  (first, a, _), (second, b, _) = _newest(one), _newest(two)
  pairs = list(zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
  differences = [
    float(np.max(np.abs(x.astype(np.float64) - y), initial=0)) for x, y in pairs
  ]
  unequal = sum(x.tobytes() != y.tobytes() for x, y in pairs)
  return {
    'steps': [first, second],
    'equal': first == second and not unequal,
    'arrays': len(pairs),
    'arrays_unequal': unequal,
    'largest_difference': max(differences),
  }


def write_weights(run: pathlib.Path, to: pathlib.Path) -> dict[str, Any]:
  """Writes parameters and statistics of the first replica as npz."""
  at, state, exp = _newest(run)
  weights = exp.programs.one(step.weights(state), 0)
  flat = {
    jax.tree_util.keystr(path, simple=True, separator='/'): np.asarray(leaf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(weights._asdict())
  }
  with atomic.replacing(to) as place:
    np.savez_compressed(place, **flat)
  return {'step': at, 'steps': exp.steps, 'bytes': to.stat().st_size}
