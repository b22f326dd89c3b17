"""One replica without the others of its fleet, as a function of samples."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from memae_jax.evaluation.scoring import combined
from memae_jax.methods import base
from memae_jax.training import experiment, step


class Single(NamedTuple):
  """One replica without the others of its fleet.

  trainer: of its method alone. variables, hyper, transform, seed: its own.
  parts: of its combined scores. rules: that of its score, and that of its maps.
  """

  trainer: step.Trainer
  variables: dict[str, Any]
  hyper: Any
  transform: Any
  seed: int
  parts: tuple[combined.Part, ...]
  rules: tuple[str, str]

  def predict(self, variables: Any, x: jax.Array) -> base.Prediction:
    """Returns what the method says of samples.

    Args:
      variables: of the method.
      x: [B, ...] model inputs.
    """
    # Keys depend on the place in a block; all blocks draw the same numbers.
    keys = step.sample_keys(jnp.uint32(self.seed), 0, jnp.arange(len(x)))
    mask = jnp.ones(len(x), bool)
    return self.trainer.predict(variables, x, self.hyper, mask, keys)

  def score(self, out: base.Prediction) -> jax.Array:
    """Returns the scores [B] of a prediction, by the rule of the run."""
    by_rule = out.scores | combined.scores(self.parts, out.scores)
    return by_rule[self.rules[0]]


def of(
  exp: experiment.Experiment,
  weights: step.Weights,
  index: int,
  parts: tuple[combined.Part, ...] = (),
) -> Single:
  """Returns one replica.

  Args:
    exp: the experiment.
    weights: of the fleet.
    index: of the replica.
    parts: of its combined scores.
  """
  method, variables = exp.trainer.method.alone(
    exp.replicas[index], exp.programs.one(weights, index).variables
  )
  return Single(
    exp.trainer._replace(method=method),
    variables,
    exp.programs.method_hyper(index),
    exp.splits[index].transform,
    exp.replicas[index].seed,
    parts,
    (exp.rule, exp.map_rule),
  )
