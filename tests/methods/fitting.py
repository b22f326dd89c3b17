"""Experiments of methods that are fitted, their scores, and their exports."""

import numpy as np
import pytest

from memae_jax import export, losses, scorer
from memae_jax.training import experiment, fleet, loop, step
from tests import helpers


def replicas(config):
  """Returns the replicas of the first family of a config."""
  return next(iter(fleet.families(config).values()))


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


def check_export(folder, **fields):
  """Trains one class, exports its first replica, and compares the scores."""
  pytest.importorskip('flatbuffers', reason='extra "export"')
  exp = experiment.build(
    helpers.digits(**{**fields, 'fleet.normal_classes': (3,)})
  )
  weights = step.weights(loop.train(exp, folder / 'run'))
  export.to_file(folder / 'run', folder / 'a.scorer')
  test = exp.splits[0].test
  found = scorer.load(folder / 'a.scorer').explain(exp.source.inputs[test])
  scored = scores(exp, weights, ('maps',))
  np.testing.assert_allclose(
    found['score'], scored.scores[exp.rule][0, : len(test)], rtol=1e-6
  )
  maps = losses.map_of(exp.rule, scored.maps)
  assert (maps is None) == ('errors' not in found)
  if maps is not None:
    np.testing.assert_allclose(found['errors'], maps[0, : len(test)], rtol=1e-5)
