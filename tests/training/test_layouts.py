"""States in the first layout of checkpoints."""

import numpy as np
import pytest

from memae_jax.training import layouts, step


@pytest.mark.parametrize('collections', [{}, {'batch_stats': {'mean': 3}}])
@pytest.mark.parametrize('keeps_best', [False, True])
def test_there_and_back(collections, keeps_best):
  best = step.Best({'w': 2}, collections, np.array(7), np.array(0.5))
  state = step.ReplicaState(
    {'w': 1}, collections, {'mu': 0}, best if keeps_best else None
  )
  stored = layouts.first(state)
  assert stored['batch_stats'] == collections.get('batch_stats', {})
  assert (stored['best'] is not None) == keeps_best
  like = state.replace(params=None, opt_state=None)
  assert layouts.from_first(stored, like) == state
