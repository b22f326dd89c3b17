"""One Gaussian over the features of a bank: a rival without a memory.

Mean and covariance of the features of training normals, the covariance shrunk
towards a multiple of the identity (Ledoit and Wolf 2004); the score is the
Mahalanobis distance.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import sklearn.covariance

from memae_jax.features import kinds
from memae_jax.methods import base, positions

RULE = 'mahalanobis'
_MOST_ROWS = 2**16  # Features that fit it.


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Gaussian':
  """Builds the family.

  Args:
    config: resolved; the fields of `methods.bank` decide the features.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: the samples do not have such features.
  """
  del replicas
  options = config.methods.bank
  return Gaussian(
    shape=tuple(input_shape),
    extract=kinds.build(options, input_shape, config.data.scaling),
    most=options.most,
    blur=options.blur,
  )


@dataclasses.dataclass(frozen=True)
class Gaussian(base.Method):
  """A Gaussian over features, see `base.Method`.

  Attributes:
    shape: of one sample.
    extract: [B, ...] samples -> [B, C] features, or [B, h, w, C] of positions,
      which share the Gaussian.
    most: so many training normals give features at most.
    blur: deviation of the Gaussian that maps are blurred by, in pixels.
  """

  shape: tuple[int, ...]
  extract: Callable[[jax.Array], jax.Array]
  most: int
  blur: float

  criterion = RULE, 'distance'

  @property
  def stages(self):
    """Returns the one pass that collects features."""
    return (base.Collect(keeps='rows', most=self.most),)

  def init(self, key, samples, hyper):
    """Returns a Gaussian that is not fitted: everything is its mean."""
    del key, hyper
    width = jax.eval_shape(self.extract, samples).shape[-1]
    fitted = {'mean': jnp.zeros(width), 'whiten': jnp.zeros((width, width))}
    return {'gaussian': fitted}

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the features of samples, [B, positions, C]."""
    del variables, hyper, mask, stage, round_
    features = self.extract(x)
    return features.reshape(len(x), -1, features.shape[-1])

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Fits mean and covariance."""
    del variables, hyper, stage, round_
    rows = collected.reshape(-1, collected.shape[-1])
    if len(rows) > _MOST_ROWS:
      rows = rows[rng.choice(len(rows), _MOST_ROWS, replace=False)]
    fit = sklearn.covariance.LedoitWolf().fit(rows.astype(np.float64))
    values, vectors = np.linalg.eigh(fit.covariance_)
    # Without any spread there is no direction that counts more.
    least = max(values.max() * 1e-10, 1e-12)
    whiten = (vectors / np.sqrt(np.maximum(values, least))).T
    fitted = {'mean': fit.location_, 'whiten': whiten}
    return {'gaussian': jax.tree.map(np.float32, fitted)}, True

  def predict(self, variables, x, hyper, mask, keys):
    """Returns Mahalanobis distances, and maps where there are positions."""
    del hyper, mask, keys
    fitted, features = variables['gaussian'], self.extract(x)
    rows = features.reshape(-1, features.shape[-1]) - fitted['mean'][None]
    white = jnp.matmul(
      rows, fitted['whiten'].T, precision=jax.lax.Precision.HIGHEST
    )
    distance = jnp.sqrt(jnp.sum(white**2, axis=1)).reshape(features.shape[:-1])
    return base.Prediction(
      **positions.scored(RULE, distance, self.shape, self.blur)
    )
