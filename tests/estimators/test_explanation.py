import numpy as np
import pytest

from memae_jax.estimators import explanation
from memae_jax.memory import addressing


def test_errors_add_up_and_reconstructions_have_units(detector, table, train):
  explained = detector.explain(table)
  np.testing.assert_allclose(
    explained.errors.mean(axis=1), explained.score, rtol=1e-5
  )
  np.testing.assert_allclose(
    explained.score, detector.anomaly_score(table), rtol=1e-6
  )
  deviation = table[train].std(axis=0)
  squares = ((table - explained.reconstruction) / deviation) ** 2
  inside = np.abs((table - table[train].mean(axis=0)) / deviation) < 5
  np.testing.assert_allclose(
    explained.errors[inside], squares[inside], rtol=1e-3, atol=1e-5
  )


def test_slots_are_those_of_the_read(detector, table):
  """Recomputed by the network: code, all weights, the largest similarities."""
  explained = detector.explain(table[:7], slots=6)
  assert explained.slots.shape == explained.weights.shape == (7, 6)
  np.testing.assert_allclose(
    explained.weights.sum(axis=1)[explained.weights.any(axis=1)], 1, rtol=1e-5
  )
  fitted = detector.fitted_
  exp, _ = fitted.built()
  variables = exp.programs.one(fitted.weights, 0).variables
  transform = exp.splits[0].transform
  x = (table[:7] * transform.scale + transform.shift).clip(-5, 5)
  queries, slots = exp.trainer.method.embed(variables, x.astype(np.float32))
  memory = exp.config.model.memory
  similar = addressing.similarities(
    queries[:, 0], slots, memory.similarity, memory.temperature
  )
  weights = np.asarray(
    addressing.address(similar, memory.threshold / memory.slots).weights
  )
  best = np.argsort(-np.asarray(similar), axis=1)
  np.testing.assert_array_equal(explained.slots, best)
  np.testing.assert_allclose(
    explained.weights, np.take_along_axis(weights, best, 1), atol=1e-5
  )


def test_samples_are_the_nearest_that_trained(detector, table, train):
  explained = detector.explain(table[:7])
  assert explained.samples.shape == (7, 3, 3)
  near = detector.fitted_.near
  assert np.isin(near, train).all()
  similar = np.full((6, 60), -np.inf)
  every = detector.explain(table, slots=1)
  for row in train:  # A row is near the slot that it is most similar to.
    similar[every.slots[row, 0], row] = 0
  named = [s for s in range(6) if np.isfinite(similar[s]).sum() >= 3]
  assert named
  for slot in named:
    assert np.isfinite(similar[slot, near[slot]]).mean() > 0.3


@pytest.mark.slow
def test_without_a_memory_there_are_no_slots(small, table):
  found = small('AE', slots=None).fit(table)
  explained = found.explain(table)
  assert explained.slots is explained.weights is explained.samples is None
  assert explained.errors.shape == table.shape


def test_the_memory_decoded_is_what_a_read_of_one_slot_gives(detector, table):
  """Where one slot has all the weight, the reconstruction is this slot."""
  memory = detector.memory()
  assert (
    memory.slots.shape[0] == len(memory.decoded) == len(memory.samples) == 6
  )
  assert memory.decoded.shape[1:] == table.shape[1:]
  explained = detector.explain(table, slots=1)
  alone = np.flatnonzero(explained.weights[:, 0] > 1 - 1e-6)
  assert alone.size
  np.testing.assert_allclose(
    explained.reconstruction[alone],
    memory.decoded[explained.slots[alone, 0]],
    rtol=1e-4,
  )


@pytest.mark.slow
def test_what_has_no_memory_says_so(small, table):
  with pytest.raises(ValueError, match='"ae" has no memory that is read'):
    small('AE', slots=None).fit(table).memory()


def test_a_count_of_none_is_refused(detector, table):
  with pytest.raises(ValueError, match='use 1 or more'):
    detector.explain(table, slots=0)
  assert explanation.FAMILY == 'autoencoder'
