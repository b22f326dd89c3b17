"""One replica alone says what it says within its fleet."""

import jax
import numpy as np
import pytest

from memae_jax.data import transforms
from memae_jax.evaluation.scoring import single
from memae_jax.training import experiment, step
from tests import helpers


@pytest.mark.parametrize('index', [0, 1])
def test_scores_of_a_replica(index):
  config = helpers.digits(**{'fleet.slots': (4, 6)})
  exp = experiment.build(config)
  weights = step.weights(exp.programs.init())
  rows = [split.test for split in exp.splits]
  want = exp.programs.score(weights, rows).scores['mse'][index, :5]
  one = single.of(exp, weights, index)
  x = transforms.apply(exp.source.inputs[rows[index][:5]], one.transform)
  out = jax.jit(lambda x: one.score(one.predict(one.variables, x)))(x)
  np.testing.assert_allclose(out, want, rtol=1e-5)
