import jax
import numpy as np
import pytest

from memae_jax.runtime import metrics_log
from memae_jax.training import experiment, loop, shared_code
from tests import helpers


def _trained(shared, **fields):
  exp = experiment.build(helpers.digits(**fields), shared=shared)
  state = loop.in_memory(exp, metrics_log.Events())
  rows = [split.test[:9] for split in exp.splits]
  scores = exp.programs.score(state, rows).scores['mse'][:, :9]
  return jax.device_get(state), scores


@pytest.mark.slow
def test_shared_code_changes_no_number():
  """Neither do other numbers of samples, which need no other program."""
  shared = shared_code.SharedCode()
  fields = {'train.epochs': 1.0, 'fleet.normal_classes': (0,)}
  experiment.build(helpers.digits(**fields), shared=shared)
  more = fields | {'data.max_samples': 900, 'train.seed': 1}
  (state, score), (other, expected) = (
    _trained(s, **more) for s in (shared, None)
  )
  for a, b in zip(jax.tree.leaves(state), jax.tree.leaves(other), strict=True):
    np.testing.assert_array_equal(a, b)
  # Blocks of another size round otherwise.
  np.testing.assert_allclose(score, expected, rtol=1e-6)


def test_equal_code_is_shared():
  shared = shared_code.SharedCode()
  build = lambda **fields: (
    experiment.build(helpers.digits(**fields), shared=shared).programs
  )
  first = build()
  wanted = lambda programs: programs.init_shapes
  same = build(**{'data.max_samples': 900, 'train.seed': 1})
  assert wanted(same) is wanted(first)
  other = build(**{'model.code': 7})
  assert wanted(other) is not wanted(first)
  later = build(**{'train.schedule': 'cosine', 'train.epochs': 2.0})
  longer = build(**{'train.schedule': 'cosine', 'train.epochs': 4.0})
  assert wanted(later) is not wanted(longer)
