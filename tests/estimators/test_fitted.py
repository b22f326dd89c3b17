import io
import pickle

import flax.serialization
import jax
import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.training import experiment, loop


def _leaves(tree):
  return jax.tree.leaves(jax.device_get(tree))


@pytest.mark.slow
def test_the_weights_are_those_of_the_command(small, table, tmp_path):
  """Bit for bit, from a file with the same rows and others as its test set."""
  found = small().fit(table)
  np.savez(tmp_path / 'train.npz', inputs=table)
  np.savez(tmp_path / 'test.npz', inputs=table[:7] + 1)
  config = config_lib.changed(
    config_lib.resolve(found.fitted_.config),
    {
      'data.path': str(tmp_path / 'train.npz'),
      'data.test_path': str(tmp_path / 'test.npz'),
      'data.protocol': 'given',
    },
  )
  exp = experiment.build(config)
  state = jax.device_get(loop.train(exp, tmp_path / 'run'))
  got = flax.serialization.from_state_dict(state, found.fitted_.state)
  for one, other in zip(_leaves(got), _leaves(state), strict=True):
    np.testing.assert_array_equal(one, other)
  scored = exp.programs.score(state, [exp.splits[0].test])
  score = scored.scores[exp.rule][0, :7]
  np.testing.assert_allclose(found.anomaly_score(table[:7] + 1), score, 1e-6)
  same = type(found).from_run(tmp_path / 'run')
  rows = table[:9]
  np.testing.assert_array_equal(
    same.anomaly_score(rows), found.anomaly_score(rows)
  )
  assert same.offset_ == found.offset_


def test_pickles_hold_no_arrays_of_jax_and_no_samples(detector, table):
  found = set()

  class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
      found.add(module.partition('.')[0])
      return super().find_class(module, name)

  again = Unpickler(io.BytesIO(pickle.dumps(detector.fitted_))).load()
  assert found <= {'builtins', 'numpy', 'memae_jax', 'copyreg'}
  assert again.samples is None and detector.fitted_.samples is not None
  scored = [
    one.score(one.predict(one.prepared(table)), len(table))
    for one in (again, detector.fitted_)
  ]
  np.testing.assert_array_equal(*scored)
