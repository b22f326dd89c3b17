"""The classical detectors as methods: fitted on the host, scored on devices.

What `classical` fits is a collection of arrays of fixed shapes, so that a
detector is evaluated, stored, spread over devices and exported as a network is.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import losses
from memae_jax.methods import base, classical

_FITTED = 'fitted'


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Fitted':
  """Builds the method of one classical detector.

  Args:
    config: resolved.
    input_shape: shape of one sample.
    replicas: of the family, so of one detector.
  """
  return Fitted(
    replicas[0].variant, tuple(input_shape), config.eval.baseline_samples
  )


@dataclasses.dataclass(frozen=True)
class Fitted(base.Method):
  """A classical detector, as a `base.Method`.

  Attributes:
    name: of the detector.
    shape: of one sample; clips are represented by the frame that is scored.
    most: largest number of samples that fit it.
  """

  name: str
  shape: tuple[int, ...]
  most: int

  @property
  def criterion(self):
    """Criterion of the best weights: the score of the detector."""
    name = 'mse' if self.name in _REBUILT else self.name
    return name, name

  @property
  def stages(self):
    """One pass, which keeps the samples."""
    return (base.Collect(keeps='rows', most=self.most),)

  @property
  def _width(self) -> int:
    return math.prod(self.shape[1 if len(self.shape) == 4 else 0 :])

  def hyper(self, replicas, config):
    """Returns the seeds of the fits [R], made of seed and normal class."""
    del config
    streams = [
      np.random.SeedSequence([replica.seed, replica.normal_class or 0])
      for replica in replicas
    ]
    return np.asarray([int(s.generate_state(1)[0]) for s in streams], np.uint32)

  def init(self, key, samples, hyper):
    """Returns zeros, as nothing is fitted yet."""
    del key, samples, hyper
    shapes = _SHAPES[self.name](self._width, self.most)
    return {
      _FITTED: {
        name: jnp.zeros(shape, classical.NODES.get(name, jnp.float32))
        for name, shape in shapes.items()
      }
    }

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the samples themselves, flattened: [B, D]."""
    del variables, hyper, mask, stage, round_
    return self._flat(x)

  def _flat(self, x: jax.Array) -> jax.Array:
    """Returns flat samples [B, D]; of clips, the frames that are scored."""
    frames = losses.scored_frame(x) if x.ndim == losses.CLIP else x
    return frames.reshape(len(x), -1)

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Fits the detector; its arrays are padded to those of `init`."""
    del stage, round_, rng
    arrays, _, _ = classical.fit(self.name, collected, int(hyper), self.most)
    if 'codes' in arrays:  # Their number without padding.
      arrays['count'] = len(arrays['codes'])
    fitted = {}
    for name, like in variables[_FITTED].items():
      array = np.asarray(arrays[name], like.dtype)
      padding = [(0, n - have) for n, have in zip(like.shape, array.shape)]
      fitted[name] = np.pad(array, padding) if padding else array
    return {_FITTED: fitted}, True

  def predict(self, variables, x, hyper, mask, keys):
    """Returns the scores of samples, and reconstructions if there are any."""
    del hyper, mask, keys
    fitted, rows = variables[_FITTED], self._flat(x)
    if self.name not in _REBUILT:
      return base.Prediction({self.name: _SCORES[self.name](fitted, rows)})
    out = _REBUILT[self.name](fitted, rows)
    if x.ndim == losses.CLIP:  # The other frames are as they should be.
      middle = out.reshape(len(x), *x.shape[2:])
      out = x.at[:, x.shape[1] // 2].set(middle)
    out = out.reshape(x.shape)
    return base.Prediction(**losses.of(x, out), output=out)


def _codes(fitted: Mapping[str, jax.Array], rows: jax.Array) -> jax.Array:
  """Returns rows on the components [B, k]; 0 on components of padding."""
  return (rows - fitted['mean'][None]) @ fitted['components'].T


def _on_plane(fitted, rows):
  plane = _codes(fitted, rows) @ fitted['components']
  return plane + fitted['mean'][None]


def _squared_distance(rows: jax.Array, others: jax.Array) -> jax.Array:
  """Returns the squared distances [B, M] between [B, D] and [M, D]."""
  inner = rows @ others.T
  norms = jnp.sum(rows**2, axis=1)[:, None] + jnp.sum(others**2, axis=1)[None]
  return jnp.maximum(norms - 2 * inner, 0)


def _density(fitted, rows):
  """Returns the negative log of the sum of Gaussian kernels, [B] in nats."""
  width = jnp.where(fitted['bandwidth'] > 0, fitted['bandwidth'], 1)
  far = _squared_distance(_codes(fitted, rows), fitted['codes'])
  exists = jnp.arange(len(fitted['codes'])) < fitted['count']
  kernel = jnp.where(exists[None], -0.5 * far / width**2, -jnp.inf)
  # Before the fit every kernel is padding.
  return -jax.nn.logsumexp(jnp.where(exists.any(), kernel, 0), axis=1)


def _surface(fitted, rows):
  """Returns the [B] negative distance to the surface of a one-class SVM."""
  far = _squared_distance(rows, fitted['support'])
  kernel = jnp.exp(-fitted['gamma'] * far)
  return -(kernel @ fitted['weights'] + fitted['intercept'])


def _isolation(fitted, rows):
  """Returns the score [B] of a forest: equation 2 of Liu et al. (2008)."""
  trees = jnp.arange(classical.FOREST_TREES)

  def down(_, node):
    feature, split = (
      fitted['feature'][trees, node],
      fitted['split'][trees, node],
    )
    value = jnp.take_along_axis(rows, feature, axis=1)
    left, right = fitted['left'][trees, node], fitted['right'][trees, node]
    return jnp.where(value <= split, left, right)

  depth = math.ceil(math.log2(classical.FOREST_ROWS))
  start = jnp.zeros((len(rows), len(trees)), jnp.int32)
  node = jax.lax.fori_loop(0, depth, down, start)
  return 2.0 ** -jnp.mean(fitted['length'][trees, node], axis=1)


def _pca_shapes(width: int, most: int) -> dict[str, tuple[int, ...]]:
  count = min(width, most, classical.PCA_WIDE)
  return {'mean': (width,), 'components': (count, width)}


def _kde_shapes(width: int, most: int) -> dict[str, tuple[int, ...]]:
  rows = min(most, classical.KERNEL_ROWS)
  plane = _pca_shapes(width, rows)
  codes = rows, plane['components'][0]
  return plane | {'codes': codes, 'bandwidth': (), 'count': ()}


def _svm_shapes(width: int, most: int) -> dict[str, tuple[int, ...]]:
  rows = min(most, classical.KERNEL_ROWS)
  of_one = {'intercept': (), 'gamma': ()}
  return {'support': (rows, width), 'weights': (rows,), **of_one}


def _forest_shapes(width: int, most: int) -> dict[str, tuple[int, ...]]:
  del width, most
  size = classical.FOREST_TREES, 2 * classical.FOREST_ROWS
  return dict.fromkeys(classical.NODES, size)


_SHAPES = {
  'mean': lambda width, most: {'mean': (width,)},
  'pca': _pca_shapes,
  'kde': _kde_shapes,
  'ocsvm': _svm_shapes,
  'isolation_forest': _forest_shapes,
}
_REBUILT = {
  'mean': lambda fitted, rows: jnp.broadcast_to(fitted['mean'], rows.shape),
  'pca': _on_plane,
}
_SCORES = {
  'kde': _density,
  'ocsvm': _surface,
  'isolation_forest': _isolation,
}
