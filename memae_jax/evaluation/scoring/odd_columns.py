"""Columns that made the scores of rows of a table high.

Scores that are a sum over the inputs have them: errors of reconstructions and
distances of a bank of rows. Other scores do not, and are named.
"""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import losses
from memae_jax.data import transforms
from memae_jax.data.tables import contributions
from memae_jax.evaluation.scoring import scores
from memae_jax.training import experiment, step

_TOO_LARGE = 'its slots are too large to be looked at'


def refusal(exp: experiment.Experiment) -> str:
  """Returns why a score is no sum over the columns of a table, or ''."""
  if not exp.source.columns:
    return 'its samples are no rows of a table'
  if exp.rule in exp.programs.map_names:
    return ''
  title = losses.find(exp.rule).title
  return f'its score "{exp.rule}" ({title}) is no sum over columns'


def with_columns(
  exp: experiment.Experiment,
  weights: step.Weights,
  networks: Sequence[scores.ReplicaScores],
) -> list[scores.ReplicaScores]:
  """Adds the strongest columns of the test rows of some replicas.

  They are the first of each variant, whose rows are listed.

  Args:
    exp: the experiment.
    weights: of the fleet.
    networks: scores of its replicas, in their order.

  Returns:
    The same, with `columns` or `no_columns`; samples that are no rows of a
    table, or that nobody looks for, have neither.
  """
  count = exp.config.eval.columns
  if not (exp.source.columns and exp.source.places and count):
    return list(networks)
  why = refusal(exp) or (_TOO_LARGE if exp.programs.is_large else '')
  listed = {replica.name for replica in scores.firsts(networks).values()}
  size, out = exp.config.eval.batch_size, []
  added = None if why else adder(exp, weights)
  for index, replica in enumerate(networks):
    if replica.name in listed and why:
      replica = replica._replace(no_columns=why)
    elif replica.name in listed:
      parts = [
        contributions.strongest(
          added(index, replica.sample[start : start + size]), count
        )
        for start in range(0, len(replica.sample), size)
      ]
      joined = contributions.Strongest(*map(np.concatenate, zip(*parts)))
      replica = replica._replace(columns=joined)
    out.append(replica)
  return out


def adder(
  exp: experiment.Experiment, weights: step.Weights
) -> Callable[[int, np.ndarray], np.ndarray]:
  """Returns what columns of rows add to their scores, as a function.

  It takes the index of a replica and [n] rows, at most `eval.batch_size`, and
  returns [n, K] float64, which sum to the scores.

  Args:
    exp: the experiment, whose score is a sum over columns, see `refusal`.
    weights: of the fleet.
  """
  trainer, rule = exp.trainer, exp.rule
  programs, source = exp.programs, exp.source

  @jax.jit
  def errors(variables, hyper, transform, seed, raw, index):
    x = transforms.apply(raw, transform)
    keys = step.sample_keys(seed, step.SCORING, index)
    mask = jnp.ones(len(x), bool)
    return trainer.predict(variables, x, hyper, mask, keys).maps[rule]

  known = functools.cache(lambda index: programs.one(weights, index).variables)

  def added(index: int, rows: np.ndarray) -> np.ndarray:
    size = min(exp.config.eval.batch_size, len(exp.splits[index].test))
    more = np.pad(rows, (0, size - len(rows)), 'edge')  # One program for all.
    found = errors(
      known(index),
      programs.method_hyper(index),
      exp.splits[index].transform,
      np.uint32(exp.replicas[index].seed),
      source.inputs[more],
      more,
    )
    return contributions.by_column(found[: len(rows)], source.columns)

  return added
