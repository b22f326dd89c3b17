"""Runs whose weights have failed are counted in a warning."""

import numpy as np

from memae_jax.evaluation.results import doubts
from memae_jax.training import experiment, step
from tests import helpers


def _experiment(variant):
  config = helpers.digits(
    **{
      'fleet.variants': (variant,),
      'fleet.seeds': 3,
      'fleet.normal_classes': (3,),
      'train.epochs': 0.1,
    }
  )
  exp = experiment.build(config)
  return exp, step.weights(exp.programs.init())


def test_collapsed_runs_are_counted():
  exp, weights = _experiment('deep_svdd')
  kept = dict(weights.collections['centres'])
  spread = np.full(kept['spread'].shape, 0.2, np.float32)
  spread[1] = 1e-6
  centres = {'centres': kept | {'spread': spread}}
  weights = weights._replace(collections=weights.collections | centres)
  (text,) = doubts.warnings([(exp, weights)])
  assert text.startswith('1 of 3 runs of Deep SVDD: all training samples')


def test_methods_without_doubts_are_silent():
  assert doubts.warnings([_experiment('ae')]) == []
