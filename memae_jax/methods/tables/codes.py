"""Deep SVDD and DCN: how far a code is from the centre of the normals.

Deep SVDD (Ruff et al. 2018, "Deep one-class classification") has one centre and
no decoder: the encoder, without biases, learns to bring all normals near the
mean of their first codes. It can bring *everything* there; `spread` says so.

DCN (Yang et al. 2017, "Towards k-means-friendly spaces") has several centres,
and an autoencoder that keeps codes apart: it is trained, k-means finds centres,
then reconstruction and distance are trained together while centres follow the
codes. It is a memory that reads one slot, and that only the loss looks at.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import sklearn.cluster

from memae_jax import losses
from memae_jax.methods import base, tasks
from memae_jax.models import memae

RULE = 'code_distance'
_CENTRES = 'centres'
_LEAST = 0.1  # Published: no value of the centre of Deep SVDD is nearer to 0.
_COLLAPSED = 1e-3  # Deviation of codes, over the length of the centre.
_FITTED = 20_000  # Codes that k-means gets, at most.


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> base.Method:
  """Builds the method of "deep_svdd" or "dcn".

  Args:
    config: resolved.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: fields of the network do not fit each other or the samples.
  """
  if replicas[0].variant == 'deep_svdd':
    options = config.methods.deep_svdd
    return DeepSvdd(tuple(options.widths), options.code)
  seen, wanted = tasks.of(config, input_shape).shapes(input_shape)
  model = memae.build(
    config.model, seen, None, dtype=config.model.compute, output_shape=wanted
  )
  options = config.methods.dcn
  return Dcn(model, options.clusters, options.pull, options.rate)


class _Plain(nn.Module):
  """Layers without biases, leaky ReLU between them."""

  widths: Sequence[int]

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    x = x.reshape(len(x), -1)
    for number, width in enumerate(self.widths):
      x = nn.leaky_relu(x, 0.1) if number else x
      x = nn.Dense(width, use_bias=False)(x)
    return x


@dataclasses.dataclass(frozen=True)
class DeepSvdd(base.Method):
  """Deep SVDD, see `base.Method`.

  Attributes:
    widths: of the hidden layers.
    code: width of the code.
  """

  widths: tuple[int, ...]
  code: int

  criterion = RULE, 'distance'
  score = RULE
  # The centre comes first; the last pass looks how far codes are apart.
  stages = (base.Collect(), base.Train(), base.Collect())

  @property
  def _net(self) -> _Plain:
    return _Plain((*self.widths, self.code))

  def init(self, key, samples, hyper):
    """Returns initial weights; the centre is not known yet."""
    del hyper
    params = self._net.init(key, samples[:1])['params']
    centre = {'centre': jnp.zeros(self.code), 'spread': jnp.zeros(())}
    return {'params': params, _CENTRES: centre}

  def _far(self, variables, x) -> jax.Array:
    code = self._net.apply({'params': variables['params']}, x)
    return jnp.sum((code - variables[_CENTRES]['centre'][None]) ** 2, axis=1)

  def loss(self, variables, batch, hyper, across):
    """Returns the mean squared distance to the centre."""
    del hyper, across
    far = batch.mean(self._far(variables, batch.x))
    return base.LossParts(far, {'distance': far})

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns sums of codes and of their squares."""
    del hyper, stage, round_
    code = self._net.apply({'params': variables['params']}, x)
    code = jnp.where(mask[:, None], code, 0)
    return {
      'count': jnp.sum(mask * 1.0),
      'sum': jnp.sum(code, axis=0),
      'squares': jnp.sum(code**2, axis=0),
    }

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Returns the centre, or after training how far codes are apart.

    `spread` is the deviation of codes over the length of the centre.
    """
    del hyper, round_, rng
    kept = dict(variables[_CENTRES])
    mean = collected['sum'] / collected['count']
    if stage == 0:
      signs = np.where(mean < 0, -1, 1)
      far = np.where(np.abs(mean) < _LEAST, signs * _LEAST, mean)
      kept['centre'] = far.astype(np.float32)
    variance = np.maximum(
      collected['squares'] / collected['count'] - mean**2, 0
    )
    length = np.linalg.norm(kept['centre'])
    kept['spread'] = np.float32(np.sqrt(variance.sum()) / length)
    return variables | {_CENTRES: kept}, True

  def doubt(self, variables):
    """Returns a sentence where all codes are one."""
    spread = float(variables[_CENTRES]['spread'])
    if spread >= _COLLAPSED:
      return ''
    return (
      f'all training samples have the same code (deviation {spread:.1g} of the'
      ' length of the centre): it has collapsed, its scores say nothing'
    )

  def predict(self, variables, x, hyper, mask, keys):
    """Returns the squared distance to the centre."""
    del hyper, mask, keys
    return base.Prediction({RULE: self._far(variables, x)})


@dataclasses.dataclass(frozen=True)
class Dcn(base.Method):
  """DCN, see `base.Method`.

  Attributes:
    model: the autoencoder.
    clusters: number of centres.
    pull: weight of the distance to the nearest centre.
    rate: share by which a centre follows the mean of its codes in a step. The
      authors take one over the count of all codes so far.
  """

  model: memae.MemAE
  clusters: int
  pull: float
  rate: float

  criterion = 'mse', 'reconstruction'
  score = RULE
  stages = (
    base.Train(),
    base.Collect(keeps='rows', most=_FITTED),
    base.Train(),
  )

  @property
  def _width(self) -> int:
    return math.prod(self.model.code_shape)

  def on(self, across):
    """Returns what one device runs: norms see the batch of all devices."""
    model = self.model.sharded(
      across.data_axis, across.memory_axis, across.memory
    )
    return dataclasses.replace(self, model=model)

  @property
  def least_samples(self):
    """Least number of training samples: one for each centre."""
    return self.clusters

  @property
  def _knobs(self) -> memae.Knobs:
    return memae.Knobs(False, False, 0.0, 0)

  def init(self, key, samples, hyper):
    """Returns initial weights; centres that do not pull yet."""
    del hyper
    variables = self.model.init(key, samples[:1], self._knobs)
    centres = jnp.zeros((self.clusters, self._width))
    return variables | {_CENTRES: {'at': centres, 'pulls': jnp.zeros(())}}

  def _codes(self, variables, x) -> jax.Array:
    code = self.model.apply(_network(variables), x, method=memae.MemAE.encode)
    return code.reshape(len(x), -1)

  def loss(self, variables, batch, hyper, across):
    """Returns reconstruction and distance; centres follow their codes."""
    del hyper
    out, updates = self.model.apply(
      _network(variables),
      batch.x,
      self._knobs,
      train=True,
      sample_mask=batch.mask,
      mutable=['batch_stats'],
    )
    kept = jax.lax.stop_gradient(variables[_CENTRES])
    code = out.code.reshape(len(batch.x), -1)
    square = _squares(code, kept['at'])
    far = batch.mean(jnp.min(square, axis=1))
    rebuilt = batch.mean(
      losses.mean(losses.squared(batch.x, out.reconstruction))
    )
    # Published: both squared lengths; here over the width of a sample.
    share = 0.5 * self.pull / math.prod(batch.x.shape[1:])
    loss = rebuilt + share * kept['pulls'] * far
    moved = self._moved(kept, jax.lax.stop_gradient(code), batch.mask, across)
    terms = {'reconstruction': rebuilt, 'distance': far}
    return base.LossParts(loss, terms, {**updates, _CENTRES: moved})

  def _moved(self, kept, code, mask, across):
    """Returns centres that follow the codes nearest to them."""
    nearest = jnp.argmin(_squares(code, kept['at']), axis=1)
    shares = jax.nn.one_hot(nearest, self.clusters)
    if mask is not None:
      shares = shares * mask[:, None]
    count, total = across.sum((jnp.sum(shares, axis=0), shares.T @ code))
    mean = total / jnp.maximum(count, 1)[:, None]
    step = self.rate * kept['pulls'] * (count > 0)
    at = kept['at'] + step[:, None] * (mean - kept['at'])
    return kept | {'at': at}

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns codes [B, D]."""
    del hyper, mask, stage, round_
    return self._codes(variables, x)

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Finds the first centres by k-means; from now on they pull."""
    del hyper, stage, round_
    means = sklearn.cluster.KMeans(
      self.clusters, n_init=3, random_state=int(rng.integers(2**31))
    ).fit(np.asarray(collected, np.float64))
    at = means.cluster_centers_.astype(np.float32)
    kept = {'at': at, 'pulls': np.float32(1)}
    return variables | {_CENTRES: kept}, True

  def predict(self, variables, x, hyper, mask, keys):
    """Returns distances to the nearest centre, and reconstructions."""
    del hyper, keys
    out = self.model.apply(
      _network(variables), x, self._knobs, sample_mask=mask
    )
    found = losses.of(x, out.reconstruction)
    code = out.code.reshape(len(x), -1)
    square = jnp.min(_squares(code, variables[_CENTRES]['at']), axis=1)
    scores = found['scores'] | {RULE: jnp.sqrt(square)}
    return base.Prediction(scores, found['maps'], output=out.reconstruction)


def _network(variables: base.Variables) -> base.Variables:
  return {name: of for name, of in variables.items() if name != _CENTRES}


def _squares(code: jax.Array, centres: jax.Array) -> jax.Array:
  """Returns the squared distances [B, K] of codes [B, D] to centres [K, D]."""
  return jnp.sum((code[:, None] - centres[None]) ** 2, axis=-1)
