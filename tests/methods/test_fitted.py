"""Detectors fitted on the host score on devices as they do there."""

import types

import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.methods import classical, fitted

RNG = np.random.default_rng(0)
TRAIN = (RNG.normal(size=(80, 3)) @ RNG.normal(size=(3, 6))).astype(np.float32)
TEST = RNG.normal(size=(9, 6)).astype(np.float32)


@pytest.mark.parametrize('name', ['mean', 'pca', 'kde', 'ocsvm'])
def test_scores_are_those_of_the_host(name):
  method = fitted.Fitted(name, (6,), 100)
  before = method.init(None, None, None)
  after, done = method.finish(before, TRAIN, np.uint32(3), 0, 0, None)
  assert done
  for key, array in before['fitted'].items():
    assert after['fitted'][key].shape == array.shape
    assert after['fitted'][key].dtype == array.dtype
  predicted = method.predict(after, jnp.asarray(TEST), None, None, None)
  score, _ = classical.run(name, TRAIN, TEST, 3, 100)
  (rule, _) = method.criterion
  np.testing.assert_allclose(
    predicted.scores[rule], score, rtol=1e-3, atol=1e-4
  )
  assert (predicted.output is None) == (name in ('kde', 'ocsvm'))


def test_of_a_clip_the_scored_frame_is_fitted_and_rebuilt():
  method = fitted.Fitted('mean', (4, 2, 3, 1), 100)
  x = jnp.asarray(RNG.normal(size=(5, 4, 2, 3, 1)), jnp.float32)
  rows = method.collect({}, x, None, None, 0, 0)
  np.testing.assert_array_equal(rows, x[:, 2].reshape(5, 6))
  variables, _ = method.finish(
    method.init(None, None, None), np.asarray(rows), np.uint32(0), 0, 0, None
  )
  output = method.predict(variables, x, None, None, None).output
  np.testing.assert_array_equal(output[:, [0, 1, 3]], x[:, [0, 1, 3]])
  np.testing.assert_allclose(
    output[0, 2].ravel(), rows.mean(axis=0), rtol=1e-5, atol=1e-6
  )


def test_seeds_differ_by_seed_and_normal_class():
  replica = lambda seed, kind: types.SimpleNamespace(
    seed=seed, normal_class=kind
  )
  method = fitted.Fitted('pca', (6,), 100)
  replicas = [replica(0, None), replica(0, 0), replica(1, 0), replica(0, 1)]
  seeds = method.hyper(replicas, None).tolist()
  assert seeds[0] == seeds[1] and len(set(seeds)) == 3
