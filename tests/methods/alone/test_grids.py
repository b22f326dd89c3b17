"""Processes on grids: mean, covariance, likelihood and gradient are dense ones.

The dense ones are those of all pixels side by side, by NumPy.
"""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.methods.alone import double, fitting, grids, kernels

SIZE = 12, 10


def _hidden(mask, padding=0):
  at = np.argwhere(mask)
  exists = np.arange(len(at) + padding) < len(at)
  return grids.Hidden(np.pad(at, ((0, padding), (0, 0))), exists)


class Case:
  """A model, two channels, unknown pixels, and what dense formulas say."""

  def __init__(self, hole=True):
    rng = np.random.default_rng(0)
    periods = np.array([4.0]), np.array([5.0])
    self.model = fitting.init(rng, SIZE, periods, kernels.Layout())
    rows, columns, self.noise = fitting.matrices(self.model, SIZE)
    self.rows, self.columns = np.asarray(rows), np.asarray(columns)
    self.dense = np.kron(rows, columns) + float(self.noise) * np.eye(120)
    self.picture = rng.normal(size=(2, *SIZE))
    self.missing = np.zeros(SIZE, bool)
    if hole:  # One hole, and single pixels, some of them at the border.
      self.missing[3:6, 4:8] = True
      self.missing[0, 0] = self.missing[11, 9] = self.missing[7, 2] = True
    self.hidden = _hidden(self.missing, padding=3)
    self.seen = ~self.missing.ravel()
    among = self.dense[np.ix_(self.seen, self.seen)]
    self.inverse = np.linalg.inv(among)
    self.log_det = np.linalg.slogdet(among)[1]
    values = self.picture.reshape(2, -1)[:, self.seen]
    weight = self.inverse.sum(axis=0)
    self.mean = values @ weight / weight.sum()
    self.values = values - self.mean[:, None]

  def state(self):
    return fitting.state(self.model, jnp.asarray(self.picture), self.hidden)


@pytest.fixture(scope='module', params=[True, False])
def case(request):
  with double.on_cpu():
    yield Case(request.param)


def test_unknown_pixels_are_their_conditional_mean(case):
  now = case.state()
  np.testing.assert_allclose(now.mean, case.mean, atol=1e-12)
  wanted = (
    case.dense[np.ix_(~case.seen, case.seen)] @ case.inverse @ case.values.T
  )
  found = np.asarray(now.images)[:, case.missing]
  np.testing.assert_allclose(found, wanted.T, atol=1e-10)
  inverse = np.linalg.inv(case.dense)[np.ix_(~case.seen, ~case.seen)]
  covariance = np.linalg.inv(inverse)
  eye = jnp.eye(len(case.hidden.at))
  root = grids.spread(now.factor, case.hidden, eye, SIZE)
  root = np.asarray(root)[:, case.missing]
  np.testing.assert_allclose(root.T @ root, covariance, atol=1e-10)


def test_likelihood_and_gradient_of_the_visible_pixels(case):
  now = case.state()
  squares = np.einsum('ci,ij,cj->', case.values, case.inverse, case.values)
  constant = case.seen.sum() * np.log(2 * np.pi)
  wanted = -0.5 * (squares + 2 * (case.log_det + constant))
  found = fitting.log_likelihood(now, case.hidden)
  np.testing.assert_allclose(found, wanted, rtol=1e-12)

  flat, unravel = jax.flatten_util.ravel_pytree(case.model)
  (seen,) = np.nonzero(case.seen)

  def dense(flat):
    rows, columns, noise = fitting.matrices(unravel(flat), SIZE)
    every = jnp.kron(rows, columns) + noise * jnp.eye(120)
    factor = jnp.linalg.cholesky(every[seen][:, seen])
    solved = jax.scipy.linalg.solve_triangular(
      factor, case.values.T, lower=True
    )
    return -0.5 * jnp.sum(solved**2) - 2 * jnp.sum(
      jnp.log(jnp.diagonal(factor))
    )

  eye = jnp.eye(len(case.hidden.at))
  root = grids.spread(now.factor, case.hidden, eye, SIZE)
  slope = fitting.gradient(case.model, now.images, root, 1.0)
  found, _ = jax.flatten_util.ravel_pytree(slope)
  wanted = jax.jit(jax.grad(dense))(flat)
  scale = float(np.abs(wanted).max())
  np.testing.assert_allclose(found, wanted, atol=1e-10 * scale)


@pytest.mark.parametrize('corner', [(0, 0), (2, 3), (8, 6)])
def test_a_block_is_foretold_from_all_other_visible_pixels(case, corner):
  now = case.state()
  solved = grids.solve(now.axes, now.images)
  found = grids.leave_out(
    now.axes, now.factor, case.hidden, now.images, solved,
    jnp.array(corner), (4, 4),
  )  # fmt: skip
  block = np.zeros(SIZE, bool)
  block[corner[0] : corner[0] + 4, corner[1] : corner[1] + 4] = True
  own, rest = (block & ~case.missing).ravel(), (~block & ~case.missing).ravel()
  weights = case.dense[np.ix_(own, rest)] @ np.linalg.inv(
    case.dense[np.ix_(rest, rest)]
  )
  covariance = (
    case.dense[np.ix_(own, own)] - weights @ case.dense[np.ix_(rest, own)]
  )
  centred = case.picture.reshape(2, -1) - case.mean[:, None]
  mean = centred[:, rest] @ weights.T
  within = own[block.ravel()]
  close = lambda one, other: np.testing.assert_allclose(one, other, atol=1e-10)
  close(np.asarray(found.mean)[:, within], mean)
  close(np.asarray(found.sigma)[within], np.sqrt(np.diag(covariance)))
  error = centred[:, own] - mean
  inverse = np.linalg.inv(covariance)
  close(found.mahalanobis, np.einsum('ci,ij,cj->c', error, inverse, error))
