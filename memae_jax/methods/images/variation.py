"""Variation model: how many deviations each pixel is from its mean.

After Steger, Ulrich and Wiedemann 2018, "Machine vision algorithms and
applications", section 3.4: mean and deviation of the grey levels of training
normals at each pixel, and a least deviation. So parts have to lie as those of
the training did: with parts that are turned freely it can only fail, unless
they are aligned first. Published rows aligned them by matching of shapes; here
`align` "rotate" turns a part by its principal axis alone.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import image_errors
from memae_jax.methods import base, positions
from memae_jax.methods.images import grey, turning
from memae_jax.runtime import errors

RULE = 'deviations'
FLOOR = 2 / 255  # Least deviation, in grey levels of which white is 1.
_ROUNDS = 10  # Passes at most until both ends of all parts agree.


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Variation':
  """Builds the family.

  Args:
    config: resolved.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: samples are no pictures, or not scaled to [-1, 1].
  """
  del replicas
  grey.check('variation', config, input_shape)
  if config.data.scaling != 'fixed':
    raise errors.UserError(
      'method "variation" has a least deviation in grey levels, which needs'
      f' data.scaling "fixed" and not "{config.data.scaling}"; change it, or'
      ' leave the method out'
    )
  options = config.methods.variation
  height, width, _ = input_shape
  return Variation((height, width), options.samples, options.align == 'rotate')


@dataclasses.dataclass(frozen=True)
class Variation(base.Method):
  """A variation model, see `base.Method`.

  Attributes:
    size: rows and columns of a picture.
    most: so many training normals are compared at most; 0: all.
    turns: whether parts are turned upright first.
  """

  size: tuple[int, int]
  most: int = 30
  turns: bool = False

  criterion = RULE, 'deviations'

  @property
  def stages(self):
    """Returns the one pass that collects pictures."""
    return (base.Collect(keeps='rows', most=self.most),)

  def init(self, key, samples, hyper):
    """Returns a model that is not fitted: black, with a deviation of 1."""
    del key, samples, hyper
    size = turning.canvas(*self.size) if self.turns else self.size
    return {'variation': {'mean': jnp.zeros(size), 'deviation': jnp.ones(size)}}

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the grey levels of pictures, upright or upside down."""
    del variables, hyper, mask, stage, round_
    pictures = grey.grey(image_errors.to_unit(x))
    if not self.turns:
      return pictures
    upright = lambda one: turning.upright(one, turning.pose(one))
    return jax.vmap(upright)(pictures)

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Takes the mean and the deviation of each pixel."""
    del variables, hyper, stage, round_, rng
    pictures = collected.astype(np.float64)
    if self.turns:
      pictures = agreed(pictures)
    fitted = {'mean': pictures.mean(axis=0), 'deviation': pictures.std(axis=0)}
    return {'variation': jax.tree.map(np.float32, fitted)}, True

  def predict(self, variables, x, hyper, mask, keys):
    """Returns maps of deviations, and the largest of each."""
    del hyper, mask, keys
    fitted = variables['variation']

    def compared(pictures):
      least = jnp.maximum(fitted['deviation'], FLOOR)
      return jnp.abs(pictures - fitted['mean']) / least

    def turned(one):
      at = turning.pose(one)
      upright = turning.upright(one, at)
      is_reversed = turning.is_reversed(upright, fitted['mean'])
      turn = lambda y: jnp.where(is_reversed, turning.reversed_(y), y)
      return turning.back(turn(compared(turn(upright))), at, self.size)

    pictures = grey.grey(image_errors.to_unit(x))
    maps = jax.vmap(turned if self.turns else compared)(pictures)
    return base.Prediction(**positions.highest(RULE, maps))


def agreed(pictures: np.ndarray) -> np.ndarray:
  """Turns some pictures upside down, so that all resemble their mean.

  The first mean is the first picture; further ones are those of all, until
  none changes.

  Args:
    pictures: [n, H, W] float64, upright or upside down.
  """
  mean, before = pictures[0], None
  for _ in range(_ROUNDS):
    turn = turning.is_reversed(pictures, mean)
    if before is not None and (turn == before).all():
      break
    turned = turning.reversed_(pictures)
    found = np.where(turn[:, None, None], turned, pictures)
    mean, before = found.mean(axis=0), turn
  return found
