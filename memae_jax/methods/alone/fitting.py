"""Training of a Gaussian process on one picture, whose pixels may be hidden.

Hidden pixels are unknowns with a distribution given the others (EM): rounds
draw them, and in between Adam climbs the likelihood of completed pictures. With
all columns of a square root of their covariance in place of draws, the gradient
at the start of a round is the exact one of the visible pixels (Fisher's
identity).
"""

import functools
from typing import NamedTuple

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import optax

from memae_jax.methods.alone import grids, kernels

NOISE = 0.1  # Initial variance of the noise; the picture has variance 1.
_LEAST = 1e-5  # Least variance of the noise.


class Model(NamedTuple):
  """Parameters before `jax.nn.softplus`: kernels of both axes, and noise."""

  rows: kernels.Params
  columns: kernels.Params
  noise: jax.Array


class Budget(NamedTuple):
  """Length of a training.

  rounds: how often hidden pixels are drawn anew. steps: of Adam, in each round.
  rate: its learning rate, which falls to a tenth along a cosine.
  """

  rounds: int
  steps: int
  rate: float = 3e-2


def places(count: int) -> np.ndarray:
  """Returns where the pixels of an axis are: i / n, [n] float64."""
  return np.arange(count) / count


def init(
  rng: np.random.Generator,
  size: tuple[int, int],
  periods: tuple[np.ndarray, np.ndarray],
  layout: kernels.Layout,
) -> Model:
  """Returns a model before training.

  Args:
    rng: of the weights.
    size: of the picture, in pixels.
    periods: of rows and columns, in pixels.
    layout: of both networks.
  """
  axes = [
    kernels.init(rng, places(n), of_axis / n, layout)
    for n, of_axis in zip(size, periods)
  ]
  return Model(*axes, np.log(np.expm1(np.float64(NOISE))))


def matrices(model: Model, size: tuple[int, int]):
  """Returns the kernel matrices of both axes, and the variance of the noise."""
  rows, columns = (
    kernels.kernel(params, jnp.asarray(places(n)))
    for params, n in zip((model.rows, model.columns), size)
  )
  return rows, columns, jax.nn.softplus(model.noise) + _LEAST


class State(NamedTuple):
  """A model beside the picture that it makes of the visible pixels.

  axes: of the covariance. factor: of the precision of hidden pixels. mean: [C].
  images: [C, n1, n2] completed, without the mean.
  """

  axes: grids.Axes
  factor: jax.Array
  mean: jax.Array
  images: jax.Array


def state(model: Model, picture: jax.Array, hidden: grids.Hidden) -> State:
  """Returns what the visible pixels say under a model.

  The mean is the likeliest one.

  Args:
    model: any.
    picture: [C, n1, n2], whatever the hidden pixels are.
    hidden: pixels that are not looked at.
  """
  size = picture.shape[1:]
  axes = grids.decompose(*matrices(model, size))
  factor = grids.precision(axes, hidden)
  ones = jnp.ones((1, *size), picture.dtype)
  both = jnp.concatenate([picture, ones])
  both = grids.complete(axes, factor, hidden, both)
  pulls = jnp.sum(grids.solve(axes, both), axis=(1, 2))
  mean = pulls[:-1] / pulls[-1]
  images = both[:-1] - mean[:, None, None] * both[-1:]
  return State(axes, factor, mean, images)


def log_likelihood(now: State, hidden: grids.Hidden) -> jax.Array:
  """Returns the log density of the visible pixels, in nats."""
  return grids.log_visible(now.axes, now.factor, hidden, now.images)


def gradient(
  model: Model, images: jax.Array, spread: jax.Array, weight: float
) -> Model:
  """Returns the gradient of the log likelihood of completed pictures.

  Args:
    model: any.
    images: [C, n1, n2] completed, without their mean.
    spread: [S, n1, n2] what hidden pixels may be beside their mean.
    weight: of each of these, times the number of channels.
  """
  size = images.shape[1:]
  every = jnp.concatenate([images, spread])
  weights = jnp.concatenate(
    [jnp.ones(len(images)), jnp.full(len(spread), weight * len(images))]
  )

  def value(model):
    count = jnp.float64(len(images))
    return grids.log_density(*matrices(model, size), every, weights, count)

  return jax.grad(value)(model)


@functools.partial(jax.jit, static_argnames='draws')
def train(
  model: Model,
  picture: jax.Array,
  hidden: grids.Hidden,
  key: jax.Array,
  budget: Budget,
  draws: int = 0,
) -> Model:
  """Trains a model on the visible pixels.

  Args:
    model: where it starts.
    picture: [C, n1, n2] of variance about 1.
    hidden: pixels that are not looked at.
    key: of the draws.
    budget: how long.
    draws: of the hidden pixels, in each round; 0 where there are none.
  """
  size = picture.shape[1:]
  start, unravel = jax.flatten_util.ravel_pytree(model)
  adam = optax.scale_by_adam()
  every = budget.rounds * budget.steps

  def one_round(number, carry):
    now = state(unravel(carry[0]), picture, hidden)
    own = jax.random.fold_in(key, number)
    shape = draws, len(hidden.at)
    normals = jax.random.normal(own, shape, picture.dtype)
    spread = grids.spread(now.factor, hidden, normals, size)

    def step(at, carry):
      flat, moments = carry
      slope = gradient(unravel(flat), now.images, spread, 1 / max(draws, 1))
      slope = -jax.flatten_util.ravel_pytree(slope)[0] / now.images.size
      change, moments = adam.update(slope, moments)
      part = (number * budget.steps + at) / every
      rate = budget.rate * (0.55 + 0.45 * jnp.cos(jnp.pi * part))
      return flat - rate * change, moments

    return jax.lax.fori_loop(0, budget.steps, step, carry)

  carry = start, adam.init(start)
  flat, _ = jax.lax.fori_loop(0, budget.rounds, one_round, carry)
  return unravel(flat)
