"""MemAE of frozen features: they are what is encoded, read and rebuilt.

The features are those of the bank, so that a memory that is learned and one
that is chosen can be compared on the same ones. The same small network sees
each position by itself. The frozen network is part of each step: its weights
are constants of the program, and no gradient passes through it.

Features are standardised first, by two passes over the training normals: less
their mean, and divided by one deviation for all dimensions together. So the
distances are those that a bank measures, up to a factor, and an error of 1 is
that of a network that knows nothing but the mean. A deviation per dimension
would blow up what hardly varies among normals, such as pixels at the border.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from memae_jax import losses
from memae_jax.features import kinds
from memae_jax.methods import autoencoder, base, positions

RULE = 'feature_error'


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'FeatureMemAE':
  """Builds the family.

  Args:
    config: resolved; the fields of `methods.bank` decide the features, those
      of `methods.feature_memae` the network.
    input_shape: of one sample.
    replicas: of the family; parts that none of them uses are left out.

  Raises:
    UserError: the samples do not have such features.
  """
  options = config.methods.bank
  extract = kinds.build(options, input_shape, config.data.scaling)
  sample = jax.ShapeDtypeStruct((1, *input_shape), jnp.float32)
  _, *places, width = jax.eval_shape(extract, sample).shape
  network = autoencoder.build(_of_rows(config), (width,), replicas)
  # Encodings are random ones of a pass: before it, nothing is standardised.
  init = config.model.memory.init.replace('encodings', 'random')
  return FeatureMemAE(
    network=dataclasses.replace(
      network, queries=math.prod(places), memory_init=init
    ),
    shape=tuple(input_shape),
    extract=extract,
    width=width,
    blur=options.blur,
  )


def _of_rows(config: Any) -> ml_collections.FrozenConfigDict:
  """Returns a config by which the network of features is an autoencoder."""
  own, out = config.methods.feature_memae, config.to_dict()
  out['model'] |= {
    'task': 'reconstruct',
    'network': 'dense',
    'widths': own.widths,
    'code': own.code,
    'batch_norm': False,
    'code_activation': 'none',
    'output_activation': 'none',
  }
  out['model']['memory']['per_position'] = False  # A row has one query.
  out['train']['loss'] = 'mse'
  return ml_collections.FrozenConfigDict(out)


@dataclasses.dataclass(frozen=True)
class FeatureMemAE(base.Method):
  """Autoencoders of features, with a memory and without; see `base.Method`.

  Attributes:
    network: the autoencoder, whose samples are rows of features.
    shape: of one sample.
    extract: [B, ...] samples -> [B, D] features, or [B, h, w, D] of positions.
    width: D.
    blur: deviation of the Gaussian that maps are blurred by, in pixels.
  """

  network: autoencoder.Autoencoder
  shape: tuple[int, ...]
  extract: Callable[[jax.Array], jax.Array]
  width: int
  blur: float

  criterion = RULE, 'reconstruction'

  @property
  def memories(self):
    """Slots at their path."""
    return self.network.memories

  @property
  def stages(self):
    """Returns two passes for mean and deviation before those of the network."""
    return base.Collect(rounds=2), *self.network.stages

  @property
  def least_samples(self):
    """Least number of training samples that give each slot an encoding."""
    return self.network.least_samples

  def hyper(self, replicas, config):
    """Returns the `autoencoder.Hyper` of replicas."""
    return self.network.hyper(replicas, config)

  def on(self, across):
    """Returns what one device runs."""
    return dataclasses.replace(self, network=self.network.on(across))

  def init(self, key, samples, hyper):
    """Returns initial weights, and features that are not standardised."""
    del samples  # The network's weights depend on no feature.
    weights = self.network.init(key, jnp.zeros((1, self.width)), hyper)
    moments = {'mean': jnp.zeros(self.width), 'deviation': jnp.ones(())}
    return weights | {'features': moments}

  def _standard(self, variables, x: jax.Array) -> jax.Array:
    """Returns the standardised features of samples, [B, ..., D]."""
    moments, features = variables['features'], self.extract(x)
    mean = moments['mean'].reshape((1,) * (features.ndim - 1) + (-1,))
    return (features - mean) / moments['deviation']

  def _rows(self, features: jax.Array) -> jax.Array:
    return features.reshape(-1, self.width)

  def loss(self, variables, batch, hyper, across):
    """Returns the error of the features, and the entropy of the reads."""
    rows = self._rows(self._standard(variables, batch.x))
    each, mask = self.network.queries, batch.mask
    part = batch.replace(
      x=rows,
      mask=None if mask is None else jnp.repeat(mask, each),
      size=batch.size * each,
    )
    return self.network.loss(variables, part, hyper, across)

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns sums of the features and their squares, or encodings of them."""
    features = self._standard(variables, x)
    if stage:
      rows = self._rows(features)
      return self.network.collect(
        variables, rows, hyper, mask, stage - 1, round_
      )
    rows = features.reshape(len(x), -1, self.width)
    rows = jnp.where(mask[:, None, None], rows, 0)
    count = mask.sum(dtype=jnp.float32) * rows.shape[1]
    return rows.sum(axis=(0, 1)), (rows**2).sum(axis=(0, 1)), count

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Ends a pass: the first knows the mean, the second the deviation."""
    if stage:
      return self.network.finish(
        variables, collected, hyper, stage - 1, round_, rng
      )
    total, squares, count = collected
    moments = variables['features']
    if round_ == 0:
      moments = moments | {'mean': np.float32(total / count)}
    else:
      deviation = math.sqrt(np.mean(squares / count))
      # Where all features are the same, there is nothing to divide by.
      moments = moments | {'deviation': np.float32(deviation or 1)}
    return variables | {'features': moments}, round_ == 1

  def embed(self, variables, x):
    """Returns queries of the standardised features, and slots."""
    rows = self._rows(self._standard(variables, x))
    found = self.network.embed(variables, rows)
    if found is None:
      return None
    queries, slots = found
    return queries.reshape(len(x), -1, queries.shape[-1]), slots

  def predict(self, variables, x, hyper, mask, keys):
    """Returns errors and distances to the memory, and maps of positions."""
    features = self._standard(variables, x)
    each = self.network.queries
    of_rows = self.network.predict(
      variables, self._rows(features), hyper, jnp.repeat(mask, each), keys
    )
    scores, maps = {}, {}
    for rule, own in (('mse', RULE), (losses.MEMORY, losses.MEMORY)):
      if rule in of_rows.scores:
        error = of_rows.scores[rule].reshape(features.shape[:-1])
        found = positions.scored(own, error, self.shape, self.blur)
        scores |= found['scores']
        maps |= found['maps']
    kept = of_rows.kept
    if kept is not None:
      kept = kept.reshape(len(x), -1).sum(axis=1, dtype=jnp.int32)
    return base.Prediction(scores, maps, kept=kept, totals=of_rows.totals)

  def alone(self, replica, variables):
    """Returns the network of one replica, without a bank it lacks."""
    network, variables = self.network.alone(replica, variables)
    return dataclasses.replace(self, network=network), variables
