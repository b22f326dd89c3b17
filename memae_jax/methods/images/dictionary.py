"""Dictionary of features: the distance of each window to its nearest entry.

After Napoletano, Piccoli and Schettini 2018, "Anomaly detection in nanofibrous
materials by CNN-based self-similarity": features of windows of 16 x 16 pixels,
their principal components, k-means, and of each centre the feature nearest to
it, which is an entry. There, and in published rows, each window went through a
ResNet-18 by itself. Here one pass of another network sees the whole picture,
and its outputs are averaged over windows; so numbers are not those of the
paper. Without weights the windows' pixels are the features.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import losses
from memae_jax.features import kinds
from memae_jax.methods import base, positions, selection
from memae_jax.methods import slots as slots_lib
from memae_jax.methods.images import grey, principal

VARIANCE = 0.95  # Share that the principal components explain.
_NAME = 'dictionary'


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Dictionary':
  """Builds the family.

  Args:
    config: resolved.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: samples are no pictures or smaller than a window, weights are
      missing, or there are fewer entries than neighbours.
  """
  grey.check(_NAME, config, input_shape)
  options = config.methods.dictionary
  kinds.check_patch(options, input_shape, _NAME)
  extract = kinds.build(options, input_shape, config.data.scaling, group=_NAME)
  if options.features != 'patches':
    extract = functools.partial(
      _pooled, extract, size=options.patch, stride=options.stride
    )
  slots_lib.check_room(
    'methods.dictionary.neighbours',
    options.neighbours,
    'methods.dictionary.slots',
    replicas,
    config.mesh.memory,
  )
  slots = slots_lib.Slots(
    path=(_NAME,),
    count=max(replica.slots for replica in replicas),
    rule=selection.Rule('k_means_rows'),
    most=options.samples,
    positions=options.positions,
    neighbours=options.neighbours,
    read_bytes=config.model.memory.read_bytes,
  )
  return Dictionary(
    slots, extract, tuple(input_shape), options.patch, options.stride
  )


@dataclasses.dataclass(frozen=True)
class Dictionary(base.Method):
  """A dictionary of features, see `base.Method`.

  Attributes:
    slots: how entries are chosen and read.
    extract: [B, H, W, C] pictures -> [B, h, w, D] features of windows.
    shape: of one sample.
    side: pixels of a side of a window.
    stride: pixels from one window to the next.
  """

  slots: slots_lib.Slots
  extract: Callable[[jax.Array], jax.Array]
  shape: tuple[int, ...]
  side: int
  stride: int

  criterion = losses.MEMORY, 'distance'

  @property
  def memories(self):
    """Entries at their path."""
    return self.slots.memories

  @property
  def stages(self):
    """Returns the one pass that collects features."""
    return (self.slots.stage,)

  def hyper(self, replicas, config):
    """Returns the entries of each replica."""
    del config
    return slots_lib.counts(replicas)

  def on(self, across):
    """Returns what one device runs."""
    return dataclasses.replace(self, slots=self.slots.on(across))

  def init(self, key, samples, hyper):
    """Returns no entries, and no component."""
    del key, hyper
    width = jax.eval_shape(self.extract, samples).shape[-1]
    plane = {'mean': jnp.zeros(width), 'components': jnp.zeros((width, width))}
    return {_NAME: self.slots.empty(width), 'plane': plane}

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the features of some windows of each picture, [B, P, D]."""
    del variables, hyper, mask, stage, round_
    return self.slots.collect(self.extract(x))

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Fits the components, and chooses the entries on them."""
    del stage, round_
    features = collected.astype(np.float64)
    width = features.shape[-1]
    mean = features.mean(axis=(0, 1))
    directions = principal.padded(
      principal.components(features.reshape(-1, width), VARIANCE), width
    )
    codes = np.float32((features - mean) @ directions.T)
    entries = self.slots.chosen(variables[_NAME], codes, int(hyper), rng)
    plane = {'mean': mean, 'components': directions}
    return {_NAME: entries, 'plane': jax.tree.map(np.float32, plane)}, True

  def _codes(self, variables, x) -> jax.Array:
    """Returns windows [B, h, w, D] by their components, then zeros."""
    plane, features = variables['plane'], self.extract(x)
    rows = features.reshape(-1, features.shape[-1]) - plane['mean'][None]
    return jnp.matmul(
      rows, plane['components'].T, precision=jax.lax.Precision.HIGHEST
    ).reshape(features.shape)

  def embed(self, variables, x):
    """Returns the windows of samples, and the entries."""
    return self.slots.embed(variables[_NAME], self._codes(variables, x))

  def predict(self, variables, x, hyper, mask, keys):
    """Returns distances to the nearest entries, and maps of windows."""
    del hyper, keys
    codes = self._codes(variables, x)
    centres = positions.of_windows(codes.shape[1:3], self.side, self.stride)
    return self.slots.predict(
      variables[_NAME], codes, mask, self.shape, centres
    )


def windows(pixels: int, positions: int, side: int, stride: int) -> np.ndarray:
  """Returns the weights by which positions of an axis make windows of pixels.

  Args:
    pixels: of the axis.
    positions: cells of equal length that it is divided into.
    side: pixels of a window, at most all.
    stride: pixels from one window to the next.

  Returns:
    [n, positions] the share of each cell in each window; a row sums to 1.
  """
  edges = np.linspace(0, pixels, positions + 1)
  starts = np.arange(0, pixels - side + 1, stride)[:, None]
  ends = np.minimum(edges[1:], starts + side)
  shares = np.maximum(ends - np.maximum(edges[:-1], starts), 0) / side
  return shares.astype(np.float32)


def _pooled(extract, x: jax.Array, size: int, stride: int) -> jax.Array:
  """Returns the means of features over windows, [B, h, w, D]."""
  maps = extract(x)
  rows, columns = (
    windows(pixels, positions, size, stride)
    for pixels, positions in zip(x.shape[1:3], maps.shape[1:3])
  )
  exact = jax.lax.Precision.HIGHEST
  return jnp.einsum('bhwd,ih,jw->bijd', maps, rows, columns, precision=exact)
