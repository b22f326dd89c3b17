"""Usual distances: of training features, from a memory that lacks them."""

import numpy as np
import pytest

from memae_jax.methods import selection, usual


def _rng():
  return np.random.default_rng(0)


def _collected(samples, each=1, width=3):
  shape = samples, each, width
  return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def _brute(queries, slots, weights, neighbours, apart=None):
  far = np.linalg.norm(queries[:, None] - slots[None], axis=2) * weights
  far = far if apart is None else np.where(apart, far, np.inf)
  near = np.sort(far, axis=1)[:, :neighbours]
  return np.where(np.isfinite(near), near, 0).sum(axis=1) / neighbours


@pytest.mark.parametrize('neighbours', [1, 3, 12])
def test_distances(neighbours):
  queries, slots = (_collected(n).squeeze(1).astype(float) for n in (7, 9))
  weights = _rng().uniform(0.5, 2, 9)
  apart = _rng().random((7, 9)) < 0.5
  for which in None, apart:
    found = usual.distances(queries, slots, weights, neighbours, which)
    expected = _brute(queries, slots, weights, neighbours, which)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize('each', [1, 2])
@pytest.mark.parametrize('weighted', [False, True])
def test_where_all_are_slots_each_sample_is_left_out(each, weighted):
  rule = selection.Rule(weighted=weighted, density=5)
  features = rule.clean(_collected(30, each))
  found = usual.usual(rule, features, 100, 2, _rng())
  apart = features.owner[:, None] != features.owner[None]
  weights = features.factors
  far = _brute(features.rows, features.rows, weights, 2, apart)
  assert found == pytest.approx((far.mean(), far.std()), rel=1e-5)


@pytest.mark.parametrize('select', selection.SELECTIONS)
def test_where_slots_are_chosen_new_samples_are_as_far(select):
  """Features of the memory's own samples would be nearer."""
  rule, every = selection.Rule(select), _collected(4000, 1, 8)
  features = rule.clean(every[:1000])
  mean, deviation = usual.usual(rule, features, 60, 1, _rng())
  slots, weights = rule.slots(features, 60, _rng())
  new = usual.distances(every[1000:, 0], slots, weights, 1)
  assert mean == pytest.approx(new.mean(), rel=0.05)
  assert deviation == pytest.approx(new.std(), rel=0.15)


def test_whole_samples_are_held_out():
  """Their other positions, here copies, must not be in the memory."""
  collected = np.repeat(_collected(40), 6, axis=1)
  rule = selection.Rule('random')
  mean, _ = usual.usual(rule, rule.clean(collected), 150, 1, _rng())
  assert mean > 0.2


def test_what_has_no_spread_stays_finite():
  rule = selection.Rule()
  alone = rule.clean(_collected(1, 4))
  assert usual.usual(rule, alone, 10, 1, _rng()) == (0, 1)
  same = rule.clean(np.ones((6, 1, 3), np.float32))
  assert usual.usual(rule, same, 10, 1, _rng()) == (0, 1)
