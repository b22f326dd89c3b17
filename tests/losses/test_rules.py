"""The catalogue of rules, and scores and maps by all that fit."""

import numpy as np
import pytest

from memae_jax import losses
from memae_jax.runtime import errors


@pytest.mark.parametrize('shape', [(3, 7), (3, 5, 4, 2), (3, 16, 5, 4, 2)])
def test_scores_and_maps_are_of_one_map_of_errors(shape):
  x, out = np.random.default_rng(1).normal(size=(2, *shape))
  found = losses.of(x.astype(np.float32), out.astype(np.float32))
  fitting = [rule.name for rule in losses.fitting(len(shape))]
  assert list(found['scores']) == fitting and 'mse' in fitting
  shown = losses.map_of('mse', found['maps'])
  assert shown.shape == {2: (3, 7), 4: (3, 5, 4), 5: (3, 5, 4)}[len(shape)]
  of_map = 'mse_centre' if len(shape) == 5 else 'mse'
  np.testing.assert_allclose(
    shown.reshape(3, -1).mean(axis=1), found['scores'][of_map], rtol=1e-5
  )
  assert losses.map_of('unknown', found['maps']) is None


def test_every_rule_says_what_it_is():
  for name in losses.names():
    rule = losses.find(name)
    assert rule.name == name and rule.title and rule.definition
  with pytest.raises(errors.UserError, match='registered twice'):
    losses.register(losses.find('mse'))
  with pytest.raises(errors.UserError, match='did you mean "mse"'):
    losses.find('mze')
