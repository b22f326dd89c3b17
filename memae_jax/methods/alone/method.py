"""Detectors of one picture alone, as methods: each picture is its own data.

`protocol=alone` gives all test pictures to the one pass of such a method. The
host then fits each of them by itself and keeps what it found; to predict is to
look the picture up.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax.methods import base
from memae_jax.methods.alone import nkn, trivial
from memae_jax.runtime import errors

LARGEST, SIGMA, BLOCK = 'max_abs', 'max_sigma', 'block_distance'
LONGEST = 512  # Pixels of a side above which the fit takes hours.
_KEPT = 'alone'
_NUMBERS = 'r2', 'z2', 'log_likelihood'


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Alone':
  """Builds the method of one detector.

  Args:
    config: resolved.
    input_shape: shape of one sample.
    replicas: of the family, so of one detector.

  Raises:
    UserError: samples are no pictures, or larger than can be fitted.
  """
  name, shape = replicas[0].variant, tuple(input_shape)
  if len(shape) != 3:
    raise errors.UserError(
      f'method "{name}" is of pictures, but a sample has shape {shape}; leave'
      ' it out of fleet.variants'
    )
  options = config.methods.nkn
  settings = nkn.Settings(
    **{field: options[field] for field in nkn.Settings._fields}
  )
  side = max(shape[:2])
  if name == 'nkn' and side > LONGEST:
    memory = 8 * (6 * side**2 + 4 * (side // 8) ** 4) / 2**30
    raise errors.UserError(
      f'pictures have {shape[0]} x {shape[1]} pixels: a Gaussian process of'
      f' these would take about {memory:,.0f} GiB and, at {LONGEST} pixels'
      ' already, an hour each; set data.image_size to at most that'
    )
  if settings.block > min(shape[:2]):
    raise errors.UserError(
      f'config field "methods.nkn.block" is {settings.block}, but pictures have'
      f' {shape[0]} x {shape[1]} pixels; lower it'
    )
  return Alone(name, shape, settings)


@dataclasses.dataclass(frozen=True)
class Alone(base.Method):
  """A detector of one picture alone, see `base.Method`.

  Attributes:
    name: of the detector.
    shape: of a picture.
    settings: of its blocks and of the Gaussian process.
    count: of pictures.
    unknown: pixels of all of them that are filled in, as bits.
  """

  name: str
  shape: tuple[int, ...]
  settings: nkn.Settings
  count: int = 1
  unknown: bytes = b''

  @property
  def stages(self):
    """A pass for each picture, so that a killed run goes on where it was."""
    return (base.Collect(keeps='rows', rounds=self.count),)

  @property
  def criterion(self):
    """Criterion of the best weights: the score of the detector."""
    name = SIGMA if self.name == 'nkn' else LARGEST
    return name, name

  @property
  def score(self):
    """Name of the anomaly score."""
    return self.criterion[0]

  @property
  def block(self) -> int:
    """Side of the blocks that are foretold, in pixels."""
    return nkn.side_of(self.shape[:2], self.settings)

  def for_samples(self, count, unknown=None):
    """Returns the method that holds so many pictures."""
    bits = b'' if unknown is None else np.packbits(unknown).tobytes()
    return dataclasses.replace(self, count=count, unknown=bits)

  @property
  def missing(self) -> np.ndarray:
    """Pixels [H, W] that are filled in."""
    height, width = self.shape[:2]
    if not self.unknown:
      return np.zeros((height, width), bool)
    bits = np.unpackbits(np.frombuffer(self.unknown, np.uint8))
    return bits[: height * width].reshape(height, width).astype(bool)

  def hyper(self, replicas, config):
    """Returns the seeds [R]."""
    del config
    return np.asarray([replica.seed for replica in replicas], np.uint32)

  def init(self, key, samples, hyper):
    """Returns zeros, as nothing is fitted yet."""
    del key, samples, hyper
    maps = {'z': self.shape[:2], 'sigma': self.shape[:2]}
    maps |= {'hidden': self.shape[:2], 'distance': self.shape[:2]}
    shapes = {'picture': self.shape, 'mean': self.shape, **maps}
    shapes |= {'rows': self.shape[:1], 'columns': self.shape[1:2]}
    shapes |= dict.fromkeys(_NUMBERS, ())
    return {
      _KEPT: {n: jnp.zeros((self.count, *of)) for n, of in shapes.items()}
    }

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the pictures themselves."""
    del variables, hyper, mask, stage, round_
    return x

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Fits the picture that has the number of the pass, by itself."""
    del stage, rng
    kept = {n: np.array(of) for n, of in variables[_KEPT].items()}
    last = len(collected) - 1  # A replica may have fewer pictures than others.
    picture = np.asarray(collected[min(round_, last)], np.float64)
    found = {'picture': picture, **self._found(picture, int(hyper))}
    for name, value in found.items():
      kept[name][min(round_, last)] = value
    return {_KEPT: kept}, round_ >= last

  def _found(self, picture: np.ndarray, seed: int) -> dict[str, Any]:
    """Returns what `init` has room for, of one picture."""
    if self.name != 'nkn':
      hole = self.missing
      if hole.any():
        picture = np.where(
          hole[..., None], picture[~hole].mean(axis=0), picture
        )
      return {'mean': trivial.ALL[self.name](picture, self.block)}
    found = nkn.fit(picture, self.missing, self.settings, seed)._asdict()
    found['z'] = np.nan_to_num(found['z'])  # What is filled in has no error.
    rows, columns = found.pop('kernels')
    return {**found, 'rows': rows, 'columns': columns}

  def predict(self, variables, x, hyper, mask, keys):
    """Returns what was found for the pictures."""
    del hyper, mask, keys
    kept = variables[_KEPT]
    flat = kept['picture'].reshape(self.count, -1)
    far = lambda row: jnp.argmin(jnp.max(jnp.abs(flat - row[None]), axis=1))
    at = jax.lax.map(far, x.reshape(len(x), -1))
    mean, z = kept['mean'][at], kept['z'][at]
    error = jnp.max(jnp.abs(x - mean), axis=-1)
    error = jnp.where(self.missing[None], 0, error)
    largest = lambda page: jnp.max(page, axis=(1, 2))
    scores, maps = {LARGEST: largest(error)}, {LARGEST: error}
    if self.name == 'nkn':
      scores[SIGMA], maps[SIGMA] = largest(z), z
      scores[BLOCK] = largest(kept['distance'][at])
    return base.Prediction(scores, maps, output=mean)

  def found(self, variables):
    """Returns what `init` has room for, of the Gaussian process alone."""
    return variables[_KEPT] if self.name == 'nkn' else None
