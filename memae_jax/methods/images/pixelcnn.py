"""PixelCNN: how many bits a picture takes, under a network of the normals.

The likelihood is the product over the values of a picture, each given those
before it, see `models.pixelcnn`. Values are grey levels of equal width; with
the 256 of most files they would be the pixels themselves, 16 are the default
as fewer are learned sooner.

A picture can be likely and yet unlike all normals: one that is simple takes
few bits under most networks, a blank one fewer than the normals themselves.
This is a property of the likelihood, not of the training, and makes `bits` a
bad detector of what is simpler than the normals. `bits_excess` corrects for it
as Serra et al. 2020 do, "Input complexity and out-of-distribution detection
with likelihood-based generative models": it subtracts the bits that a lossless
code takes which knows no normals. Theirs is that of PNG or FLIF; here it is one
whose length follows from counts, see `plain_bits`.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import jax.scipy.special

from memae_jax import losses
from memae_jax.methods import base
from memae_jax.models import pixelcnn
from memae_jax.runtime import errors

BITS, EXCESS = 'bits', 'bits_excess'
_LEVELS = 256  # Of the files of most pictures.


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'PixelCnn':
  """Builds the family.

  Args:
    config: resolved; `config.methods.pixelcnn` describes network and levels.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: samples are no pictures in [-1, 1], or the network has fewer
      features than they have channels.
  """
  del replicas  # They differ in their seeds and rates alone.
  options, data = config.methods.pixelcnn, config.data
  if len(input_shape) != losses.IMAGE - 1:
    raise errors.UserError(
      '"pixelcnn" takes pictures, but a sample has shape'
      f' {tuple(input_shape)}; leave it out of fleet.variants'
    )
  if data.scaling not in ('fixed', 'contrast') or data.input != 'frames':
    raise errors.UserError(
      '"pixelcnn" takes the levels of pictures in [-1, 1], but data.scaling is'
      f' "{data.scaling}" and data.input "{data.input}"; set them to "fixed" or'
      ' "contrast" and "frames", or leave it out of fleet.variants'
    )
  if options.width < input_shape[-1]:
    raise errors.UserError(
      f'config field "methods.pixelcnn.width" is {options.width}, but pictures'
      f' have {input_shape[-1]} channels; use at least that'
    )
  network = pixelcnn.PixelCnn(
    options.levels, options.layers, options.width, config.model.compute
  )
  return PixelCnn(network, options.score)


def level_of(x: jax.Array, levels: int) -> jax.Array:
  """Returns the level of each value, int32 from 0 to levels - 1.

  All levels have as many of the 256 values of a pixel, or one more or less; no
  value lies on the border of two, where rounding would decide.

  Args:
    x: in [-1, 1]; what lies outside gets the first or the last level.
    levels: at most 256.
  """
  pixel = (x + 1) * ((_LEVELS - 1) / 2) + 0.5
  level = jnp.floor(pixel * (levels / _LEVELS)).astype(jnp.int32)
  return jnp.clip(level, 0, levels - 1)


def plain_bits(level: jax.Array, levels: int) -> jax.Array:
  """Returns bits per value [B] of a lossless code that knows no normals.

  Each value is predicted from its neighbours to the left, above, and to the
  upper left by the median edge detector of JPEG-LS. The differences, modulo the
  number of levels, are coded by how often each one came before in the picture
  (arithmetic coding by Krichevsky and Trofimov's estimator); the length of that
  depends on their counts alone. Over all pictures, 2 to the power of minus the
  length adds up to 1.

  Args:
    level: [B, H, W, C] from `level_of`.
    levels: their number.
  """
  up = jnp.pad(level, ((0, 0), (1, 0), (0, 0), (0, 0)))[:, :-1]
  left, corner = (
    jnp.pad(of, ((0, 0), (0, 0), (1, 0), (0, 0)))[:, :, :-1]
    for of in (level, up)
  )
  low, high = jnp.minimum(left, up), jnp.maximum(left, up)
  rest = (level - jnp.clip(left + up - corner, low, high)) % levels
  shown = rest[..., None] == jnp.arange(levels)[None, None, None, None]
  counts = jnp.sum(shown, axis=(1, 2, 3)) * 1.0
  log_gamma, size = jax.scipy.special.gammaln, math.prod(level.shape[1:])
  ends = log_gamma(size + levels / 2) - log_gamma(levels / 2)
  each = log_gamma(counts + 0.5) - log_gamma(0.5)
  return (ends - jnp.sum(each, axis=1)) / (size * math.log(2))


@dataclasses.dataclass(frozen=True)
class PixelCnn(base.Method):
  """PixelCNN, see `base.Method`.

  Attributes:
    network: of logits.
    score: name of the anomaly score, `BITS` or `EXCESS`.
  """

  network: pixelcnn.PixelCnn
  score: str

  criterion = BITS, BITS

  def init(self, key, samples, hyper):
    """Returns the initial weights."""
    del hyper
    return self.network.init(key, samples[:1])

  def _bits(self, variables, level) -> jax.Array:
    """Returns the bits [B, H, W, C] of values, from their levels."""
    count = self.network.levels
    x = level * (2 / (count - 1)) - 1  # What is learned is of levels alone.
    logits = self.network.apply({'params': variables['params']}, x)
    its = level[..., None] == jnp.arange(count)[None, None, None, None]
    own = jnp.sum(jnp.where(its, logits, 0), axis=-1)
    return (jax.nn.logsumexp(logits, axis=-1) - own) / math.log(2)

  def loss(self, variables, batch, hyper, across):
    """Returns the mean bits of a value."""
    del hyper, across
    level = level_of(batch.x, self.network.levels)
    bits = batch.mean(self._bits(variables, level))
    return base.LossParts(bits, {BITS: bits})

  def predict(self, variables, x, hyper, mask, keys):
    """Returns bits per value, less those of a plain code, and of each pixel."""
    del hyper, mask, keys
    level = level_of(x, self.network.levels)
    of_values = self._bits(variables, level)
    bits = losses.mean(of_values)
    excess = bits - plain_bits(level, self.network.levels)
    of_pixels = losses.pixels(of_values)
    return base.Prediction(
      {BITS: bits, EXCESS: excess}, {BITS: of_pixels, EXCESS: of_pixels}
    )
