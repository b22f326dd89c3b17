"""A part of a bank against brute force in float64."""

import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.methods import part, selection

SHAPE = 6, 4, 3  # Positions, and their features.


def _positions(x):
  return x


def _whole(x):
  return jnp.mean(x, axis=(1, 2))


def _part(extract, **fields):
  options = {'slots': 60, 'rule': selection.Rule('random'), **fields}
  return part.Part(('bank',), shape=SHAPE, extract=extract, **options)


def _filled(one, samples=20, seed=0):
  """Returns the variables of a part, filled with features of samples."""
  x = np.random.default_rng(seed).normal(size=(samples, *SHAPE))
  collected = np.asarray(one.collect(jnp.asarray(x, jnp.float32)))
  rng = np.random.default_rng(1)
  empty = {k: np.asarray(v) for k, v in one.init().items()}
  filled = one.fill(empty, collected, one.slots, rng)
  assert {k: np.shape(v) for k, v in filled.items()} == {
    k: v.shape for k, v in empty.items()
  }
  return filled


def _expected(one, variables, features):
  """Returns score and distances of the features [P, C] of a sample."""
  slots = variables['slots'][: variables['count']].astype(np.float64)
  weights = variables.get('weights', np.ones(one.slots))[: len(slots)]
  far = np.linalg.norm(features[:, None] - slots[None], axis=2) * weights
  distance = np.sort(far, axis=1)[:, : one.neighbours].mean(axis=1)
  place = distance.argmax()
  score = distance[place]
  if one.reweight:
    own = far[place].argmin()
    around = np.argsort(np.linalg.norm(slots - slots[own], axis=1))
    around = around[: one.reweight]
    to = lambda which: np.linalg.norm(slots[which] - features[place], axis=-1)
    score *= 1 - np.exp(to(own)) / np.exp(to(around)).sum()
  if one.is_standard:
    score, distance = (
      (x - variables['mean']) / variables['deviation']
      for x in (score, distance)
    )
  return score, distance


@pytest.mark.parametrize('extract', [_positions, _whole])
@pytest.mark.parametrize(
  ('weighted', 'reweight', 'is_standard'),
  [(False, 0, False), (False, 5, False), (True, 5, True)],
)
def test_scores_and_maps(extract, weighted, reweight, is_standard):
  rule = selection.Rule('random', weighted=weighted, density=9)
  one = _part(
    extract,
    rule=rule,
    neighbours=3,
    reweight=reweight,
    is_standard=is_standard,
  )
  variables = _filled(one)
  x = 1.5 * np.random.default_rng(2).normal(size=(7, *SHAPE))
  x = x.astype(np.float32)
  found = one.read(variables, x, np.ones(7, bool))
  features = np.asarray(extract(x), np.float64).reshape(7, -1, SHAPE[-1])
  score, distance = zip(*(_expected(one, variables, f) for f in features))
  np.testing.assert_allclose(found.score, score, rtol=1e-5, atol=1e-5)
  assert found.kept.tolist() == [3 * features.shape[1]] * 7
  assert found.totals.queries == 7 * features.shape[1]
  if extract is _whole:
    assert found.maps is None
  else:
    flat = found.maps.reshape(7, -1)
    np.testing.assert_allclose(flat, distance, rtol=1e-5, atol=1e-5)


def test_before_it_is_filled_everything_is_as_far():
  one = _part(_whole, reweight=3, is_standard=True)
  x = np.ones((2, *SHAPE), np.float32)
  assert one.read(one.init(), x, np.ones(2, bool)).score.tolist() == [0, 0]


def test_some_positions_are_drawn_by_what_a_picture_shows():
  one = _part(_positions, positions=5)
  x = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype(np.float32)
  found = np.asarray(one.collect(jnp.asarray(x)))
  assert found.shape == (4, 5, 3)
  for picture, rows in zip(x.reshape(4, -1, 3), found):
    there = (rows[:, None] == picture[None]).all(axis=2)
    assert (there.sum(axis=1) == 1).all() and there.any(axis=0).sum() == 5
  turned = np.asarray(one.collect(jnp.asarray(x[::-1])))
  np.testing.assert_array_equal(turned[::-1], found)
