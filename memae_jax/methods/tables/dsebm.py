"""DSEBM: an energy whose gradient takes noise away.

After Zhai et al. 2016, "Deep structured energy based models for anomaly
detection". A network of softplus layers gives E(x) = |x - b|^2 / 2 - sum of its
last layer. What it makes of x is x - dE/dx, so the decoder is the network's own
gradient, with tied weights. It learns to take noise away, which is score
matching. An energy says nothing but within its own network: compare metrics.

The row of DSEBM in the tables of others is that of the DAGMM paper; the code
behind it was never published.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from memae_jax import losses
from memae_jax.methods import base
from memae_jax.models import conv_net

RULE = 'energy'


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Dsebm':
  """Builds `dsebm_e` or `dsebm_r`, which differ in their scores alone.

  Args:
    config: resolved; `config.methods.dsebm` describes network and noise.
    input_shape: of one sample.
    replicas: of the family.
  """
  name = replicas[0].variant
  options = config.methods[name]
  return Dsebm(
    energy=Energy(tuple(options.widths), tuple(input_shape)),
    noise=options.noise,
    score=RULE if name == 'dsebm_e' else 'mse',
  )


@jax.custom_jvp
def _softplus(x: jax.Array) -> jax.Array:
  """Returns log(1 + exp(x)), whose derivative is one exponential.

  JAX's goes by the value itself, which the gradient of an energy never needs.
  """
  return jax.nn.softplus(x)


@_softplus.defjvp
def _softplus_jvp(primals, tangents):
  (x,), (slope,) = primals, tangents
  return _softplus(x), jax.nn.sigmoid(x) * slope


class Energy(nn.Module):
  """Energy of samples, by softplus layers.

  Attributes:
    widths: of the layers.
    shape: of a sample; pictures have convolutions of 3 x 3 with stride 2, whose
      outputs add up.
  """

  widths: Sequence[int]
  shape: Sequence[int]

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns the energies [B] of samples [B, ...]."""
    bias = self.param('bias', nn.initializers.zeros, tuple(self.shape))
    apart = (x - bias[None]).reshape(len(x), -1)
    h = x
    for width in self.widths:
      if len(self.shape) == losses.IMAGE - 1:
        layer = conv_net.Conv(width, 3, (2, 2))
      else:
        layer = nn.Dense(width)
      h = _softplus(layer(h))
    explained = jnp.sum(h.reshape(len(x), -1), axis=1)
    return 0.5 * jnp.sum(apart**2, axis=1) - explained


@dataclasses.dataclass(frozen=True)
class Dsebm(base.Method):
  """DSEBM, see `base.Method`.

  Attributes:
    energy: the network.
    noise: deviation of the noise in training, in units of the model input.
    score: name of the score.
  """

  energy: Energy
  noise: float
  score: str

  criterion = 'mse', 'reconstruction'

  def init(self, key, samples, hyper):
    """Returns initial weights; the bias is the mean of the samples."""
    del hyper
    variables = self.energy.init(key, samples[:1])
    params = variables['params'] | {'bias': jnp.mean(samples, axis=0)}
    return {'params': params}

  def init_samples(self, batch_size):
    """Returns the number of training samples that `init` takes."""
    return batch_size

  def _rebuilt(self, params, x) -> jax.Array:
    """Returns x less the gradient of its energy."""
    total = lambda x: jnp.sum(self.energy.apply({'params': params}, x))
    return x - jax.grad(total)(x)

  def loss(self, variables, batch, hyper, across):
    """Returns the error of what is made of noisy samples."""
    del hyper, across
    noisy = batch.x + self.noise * batch.normal(batch.x.shape[1:])
    out = self._rebuilt(variables['params'], noisy)
    error = batch.mean(losses.mean(losses.squared(batch.x, out)))
    # Published: squared lengths.
    width = math.prod(batch.x.shape[1:])
    return base.LossParts(width * error, {'reconstruction': error})

  def predict(self, variables, x, hyper, mask, keys):
    """Returns energies and errors of reconstructions."""
    del hyper, mask, keys
    out = self._rebuilt(variables['params'], x)
    found = losses.of(x, out)
    energies = self.energy.apply(variables, x)
    scores = found['scores'] | {RULE: energies}
    return base.Prediction(scores, found['maps'], output=out)
