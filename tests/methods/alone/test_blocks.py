"""Distances of blocks against dense formulas, and how blocks lie on a page."""

import numpy as np

from memae_jax.methods.alone import blocks, grids


def _far(gap, covariance):
  return float(np.sum(gap * np.linalg.solve(covariance, gap.T).T))


def test_hidden_pixels_have_the_distance_of_their_own_covariance():
  rng = np.random.default_rng(0)
  root = rng.normal(size=(9, 9))
  covariance = root @ root.T + np.eye(9)
  factor = np.linalg.cholesky(np.linalg.inv(covariance))
  which, gap = np.array([1, 4, 5]), rng.normal(size=(2, 3))
  found = blocks.distance_of_hidden(gap, factor, which)
  np.testing.assert_allclose(
    found, _far(gap, covariance[np.ix_(which, which)]), rtol=1e-10
  )


def test_blocks_that_are_partly_hidden_have_the_distance_of_all_they_know():
  """Given what is visible outside of them; one pixel is not known at all."""
  rng = np.random.default_rng(1)
  size, block = (4, 4), 2
  root = rng.normal(size=(16, 16))
  covariance, picture = root @ root.T + np.eye(16), rng.normal(size=16)
  filled, missing = np.zeros((2, 16), bool)
  missing[0] = True
  filled[[0, 1, 4, 6]] = True  # Of two blocks, and one alone of a third.
  expected = lambda of, given: (
    covariance[np.ix_(of, given)]
    @ np.linalg.solve(covariance[np.ix_(given, given)], picture[given]),
    covariance[np.ix_(of, of)]
    - covariance[np.ix_(of, given)]
    @ np.linalg.solve(
      covariance[np.ix_(given, given)], covariance[np.ix_(given, of)]
    ),
  )
  places = np.arange(16).reshape(size)
  seen, unseen = np.flatnonzero(~filled), np.flatnonzero(filled)
  mean, spread = expected(unseen, seen)
  gap = np.zeros(16)
  gap[unseen] = picture[unseen] - mean

  class Now:
    factor = np.linalg.cholesky(np.linalg.inv(spread))

  at, of_visible, wanted = np.array([[0, 0], [0, 2], [2, 0]]), [], []
  for row, column in at:
    own = places[row : row + block, column : column + block].ravel()
    visible = own[~filled[own]]
    middle, around = expected(visible, np.setdiff1d(seen, own))
    far = _far((picture[visible] - middle)[None], around)
    of_visible.append([far if len(visible) else 0.0])
    known = own[~missing[own]]
    middle, around = expected(known, np.setdiff1d(seen, own))
    wanted.append(_far((picture[known] - middle)[None], around) / len(known))
  left = grids.Left(None, None, np.array(of_visible))
  found = blocks.distances(
    left,
    Now,
    gap.reshape(1, *size),
    filled.reshape(size),
    missing.reshape(size),
    at,
    block,
  )
  np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_a_pixel_takes_the_block_in_whose_middle_it_is():
  at = np.array([[0, 0], [0, 2]])
  mean = np.stack([np.full((1, 9), 1.0), np.full((1, 9), 2.0)])
  left = grids.Left(mean, np.full((2, 9), 0.5), None)
  page, sigma, distance = blocks.assemble(left, [3.0, 4.0], at, (3, 5), 3)
  assert page[0, 0].tolist() == [1, 1, 1, 2, 2]
  assert distance[2].tolist() == [3, 3, 3, 4, 4] and (sigma == 0.5).all()


def test_the_worst_blocks_are_loud_and_at_most_a_tenth():
  z = np.zeros((20, 20))
  z[0, 0], z[0, 5], z[10:12, 10:12] = 9, 3, 5
  z[19, 19] = np.nan
  at = np.array([[r, c] for r in range(0, 20, 4) for c in range(0, 20, 4)])
  found = blocks.worst(z, at, 4, 4.0)
  assert found.sum() == 2 * 16 and found[10, 10] and found[0, 0]
  assert not found[0, 5] and not blocks.worst(z, at, 4, 10.0).any()
