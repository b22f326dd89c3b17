"""Experiments of methods that are fitted, and their scores."""

from memae_jax.training import experiment, loop, step
from tests import helpers


def fitted(**fields):
  """Returns an experiment of one class, of a bank by default, and weights."""
  config = helpers.digits(
    **{'fleet.variants': ('bank',), 'fleet.normal_classes': (3,), **fields}
  )
  exp = experiment.build(config)
  state, now = exp.programs.init(), 0
  while now < exp.steps:
    state, now, _ = loop.advance(exp, state, now)
  return exp, step.weights(state)


def scores(exp, weights, wanted=()):
  """Returns what the methods predict for the test samples."""
  rows = [split.test for split in exp.splits]
  return exp.programs.score(weights, rows, wanted)
