"""Compiled programs of a fleet."""

import jax

from memae_jax.training import experiment, step
from tests import helpers


def test_nothing_compiles_after_a_warm_up(caplog):
  config = helpers.digits(**{'eval.batch_size': 32, 'model.widths': (4,)})
  exp = experiment.build(config)
  weights = step.weights(exp.programs.init())
  whole = [split.test for split in exp.splits]
  # Several blocks, and less than one, of unlike lengths.
  for rows in (whole, [whole[0][:7], whole[1][:5]]):
    exp.programs.warm_up(weights, rows, ('maps',))
    with jax.log_compiles():
      scored = exp.programs.score(weights, rows, ('maps',))
    assert 'Compiling' not in caplog.text
    assert scored.scores['mse'].shape[1] >= max(map(len, rows))
  with jax.log_compiles():
    jax.jit(lambda x: x + 1)(1.0)
  assert 'Compiling' in caplog.text  # As JAX calls it.
