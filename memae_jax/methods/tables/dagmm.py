"""DAGMM: a mixture of Gaussians of codes and of how well they are rebuilt.

After Zong et al. 2018, "Deep autoencoding Gaussian mixture model for
unsupervised anomaly detection". A small network says to which component a
sample belongs; weights, means and covariances of a batch follow from that, and
the energy of the batch under them is a part of the loss. After training a pass
takes them over all training samples, by which test samples are scored.

An untrained DAGMM detects the attacks of KDDCUP99, too: see `untrained`.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import losses
from memae_jax.methods import base
from memae_jax.methods.tables import mixtures
from memae_jax.models import dense

RULE = 'energy'
_MIXTURE, _DROPS = 'mixture', 2  # A collection; number of a draw in a step.


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Dagmm':
  """Builds the family.

  Args:
    config: resolved; `config.methods.dagmm` describes networks and losses.
    input_shape: of one sample.
    replicas: of the family.
  """
  del replicas  # They differ in their seeds alone.
  options, dtype = config.methods.dagmm, config.model.compute
  widths = tuple(options.widths)
  return Dagmm(
    encoder=dense.DenseEncoder(widths, options.code, dtype=dtype),
    decoder=dense.DenseDecoder(widths[::-1], input_shape, dtype=dtype),
    members=Members(options.components, options.hidden),
    of_energy=options.energy,
    of_covariance=options.covariance,
    of_errors=options.features,
  )


class Members(nn.Module):
  """Network of memberships: hidden layer, tanh, dropout, softmax.

  Attributes:
    components: of the mixture.
    hidden: width.
  """

  components: int
  hidden: int

  @nn.compact
  def __call__(self, z: jax.Array, keep: jax.Array | None = None) -> jax.Array:
    """Returns memberships [B, K] of [B, D].

    Args:
      z: codes with the features of their reconstructions.
      keep: [B, hidden] factors of dropout; None: without.
    """
    x = jnp.tanh(nn.Dense(self.hidden)(z))
    x = x if keep is None else x * keep
    return jax.nn.softmax(nn.Dense(self.components)(x))


def features(x: jax.Array, output: jax.Array) -> jax.Array:
  """Returns [B, 2]: relative distance and cosine of rows and outputs [B, D]."""
  norm = lambda of: jnp.sqrt(jnp.sum(of**2, axis=1) + _TINY**2)
  far = norm(x - output) / jnp.maximum(norm(x), _TINY_NORM)
  both = jnp.maximum(norm(x) * norm(output), _TINY_NORM)
  return jnp.stack([far, jnp.sum(x * output, axis=1) / both], axis=1)


_TINY, _TINY_NORM = 1e-8, 1e-6  # Rows of zeros have no direction.


@dataclasses.dataclass(frozen=True)
class Dagmm(base.Method):
  """DAGMM, see `base.Method`.

  Attributes:
    encoder, decoder, members: the networks.
    of_energy, of_covariance: weights of the losses beside the reconstruction.
    of_errors: whether the mixture sees the `features` of reconstructions beside
      the code, as published.
  """

  encoder: dense.DenseEncoder
  decoder: dense.DenseDecoder
  members: Members
  of_energy: float
  of_covariance: float
  of_errors: bool = True

  criterion = 'mse', 'reconstruction'
  score = RULE
  stages = (base.Train(), base.Collect(rounds=2))

  @property
  def _size(self) -> int:
    return self.encoder.code + 2 * self.of_errors

  def init(self, key, samples, hyper):
    """Returns initial weights, and a mixture that stands for none yet."""
    del hyper
    keys, count = jax.random.split(key, 3), self.members.components
    code = jnp.zeros((1, self.encoder.code))
    z = jnp.zeros((1, self._size))
    unit = jnp.eye(self._size)[None]
    return {
      'params': {
        'encoder': self.encoder.init(keys[0], samples[:1], False)['params'],
        'decoder': self.decoder.init(keys[1], code, False)['params'],
        'members': self.members.init(keys[2], z)['params'],
      },
      _MIXTURE: {
        'weights': jnp.full(count, 1 / count),
        'means': jnp.zeros((count, self._size)),
        'factors': jnp.repeat(unit, count, axis=0),
      },
    }

  def _seen(self, params, x):
    """Returns the samples [B, D] of the mixture, and reconstructions."""
    code = self.encoder.apply({'params': params['encoder']}, x, False)
    out = self.decoder.apply({'params': params['decoder']}, code, False)
    if not self.of_errors:
      return code, out
    found = features(x.reshape(len(x), -1), out.reshape(len(x), -1))
    return jnp.concatenate([code, found], axis=1), out

  def _belong(self, params, z, keep=None):
    return self.members.apply({'params': params['members']}, z, keep)

  def loss(self, variables, batch, hyper, across):
    """Returns reconstruction, energy and penalty of a batch.

    The mixture is that of the batch on all devices.
    """
    del hyper
    params = variables['params']
    z, out = self._seen(params, batch.x)
    drop = lambda key: jax.random.bernoulli(
      jax.random.fold_in(key, _DROPS), 0.5, (self.members.hidden,)
    )
    shares = self._belong(params, z, 2.0 * jax.vmap(drop)(batch.keys))
    mask = jnp.ones(len(z)) if batch.mask is None else batch.mask * 1.0
    total = across.sum(mixtures.sums(z, shares, mask))
    of_all = mixtures.scatter(z, shares, mask, mixtures.means(total))
    mixture = mixtures.mixture(total, across.sum(of_all))
    rebuilt = batch.mean(losses.mean(losses.squared(batch.x, out)))
    width = math.prod(batch.x.shape[1:])  # Published: lengths, not means.
    energy = batch.mean(mixtures.energy(z, mixture))
    penalty = mixtures.inverse_variances(mixture) * jnp.sum(mask) / total.count
    loss = width * rebuilt
    # One of weight 0 has no gradient, not even one that is not finite.
    loss += self.of_energy * energy if self.of_energy else 0
    loss += self.of_covariance * penalty if self.of_covariance else 0
    terms = {'reconstruction': rebuilt, 'energy': energy}
    return base.LossParts(loss, terms | {'covariance': penalty})

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the sums of the mixture: of means, then of covariances."""
    del hyper, stage, round_
    params = variables['params']
    z, _ = self._seen(params, x)
    shares, known = self._belong(params, z), mask * 1.0
    return {
      'sums': mixtures.sums(z, shares, known)._asdict(),
      'scatter': mixtures.scatter(
        z, shares, known, variables[_MIXTURE]['means']
      ),
    }

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Returns the means after the first pass, the mixture after the second."""
    del hyper, stage, rng
    total = mixtures.Sums(**collected['sums'])
    mixture = dict(variables[_MIXTURE])
    members = np.maximum(total.members, mixtures.LEAST)
    mixture['means'] = (total.first / members[:, None]).astype(np.float32)
    if round_:
      ridge = mixtures.LEAST * np.eye(self._size)
      covariances = collected['scatter'] / members[:, None, None] + ridge
      mixture['factors'] = np.linalg.cholesky(covariances).astype(np.float32)
      mixture['weights'] = (total.members / total.count).astype(np.float32)
    return variables | {_MIXTURE: mixture}, bool(round_)

  def predict(self, variables, x, hyper, mask, keys):
    """Returns energies beside the errors of reconstructions."""
    del hyper, mask, keys
    z, out = self._seen(variables['params'], x)
    mixture = mixtures.Mixture(**variables[_MIXTURE])
    found = losses.of(x, out)
    scores = found['scores'] | {RULE: mixtures.energy(z, mixture)}
    return base.Prediction(scores, found['maps'], output=out)
