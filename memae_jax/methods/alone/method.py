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
from memae_jax.methods.alone import nkn, statements, trivial
from memae_jax.runtime import errors, foreign

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
    UserError: samples are no pictures, or patches of some; the blocks do not
      fit; or pictures are larger than can be fitted.
  """
  name, shape = replicas[0].variant, tuple(input_shape)
  if len(shape) != 3:
    raise errors.UserError(
      f'method "{name}" is of pictures, but a sample has shape {shape}; leave'
      ' it out of fleet.variants'
    )
  if config.data.patch and config.data.patch_for == 'all':
    raise errors.UserError(
      f'config field "data.patch" is {config.data.patch}, but method "{name}"'
      ' fits whole pictures; use 0, and data.image_size for large ones'
    )
  options = config.methods.nkn
  settings = nkn.Settings(
    **{field: options[field] for field in nkn.Settings._fields}
  )
  if settings.stride > nkn.side_of(shape[:2], settings):
    raise errors.UserError(
      f'config field "methods.nkn.stride" is {settings.stride}, so that blocks'
      f' of {nkn.side_of(shape[:2], settings)} pixels would leave gaps; use at'
      ' most that'
    )
  _check(name, settings, shape[:2], 0)
  return Alone(name, shape, settings)


def _check(name: str, settings: nkn.Settings, size, unknown: int) -> None:
  """Refuses pictures that a detector cannot take.

  Args:
    name: of the detector.
    settings: of it.
    size: (H, W) of a picture.
    unknown: number of its pixels that are filled in.

  Raises:
    UserError: a block is larger than the picture, or the memory or hours that
      it would take are too much.
  """
  words = f'pictures have {size[0]} x {size[1]} pixels'
  if settings.block > min(size):
    raise errors.UserError(
      f'config field "methods.nkn.block" is {settings.block}, but {words};'
      ' lower it (block=)'
    )
  if name == 'period_shift' and max(size) > LONGEST:
    raise errors.UserError(
      f'{words}: "{name}" would compare them with millions of shifts; set'
      f' data.image_size (size=) to at most {LONGEST}, or leave it out of'
      ' fleet.variants'
    )
  if name != 'nkn':
    return
  needed, there = nkn.memory(size, unknown, settings), foreign.memory()
  if needed <= there and max(size) <= LONGEST:
    return
  side = _fitting(settings, unknown / (size[0] * size[1]), there)
  mend = f'set data.image_size (size=) to at most {side}, or cut them to that'
  if settings.block:
    mend += ', or lower methods.nkn.block (block=)'
  if unknown:
    mend += ', or mark fewer pixels in data.fill (fill=)'
  raise errors.UserError(
    f'{words}: a Gaussian process of these would take about'
    f' {foreign.size_of(needed)} of memory (here are {foreign.size_of(there)})'
    f' and, at {LONGEST} pixels already, an hour each; {mend}'
  )


def _fitting(settings: nkn.Settings, share: float, room: int) -> int:
  """Returns the side of the largest square picture that fits, in pixels.

  Args:
    settings: of the fit.
    share: of the pixels that nobody knows.
    room: in bytes.
  """
  of = lambda side: nkn.memory((side, side), int(share * side**2), settings)
  fits = [side for side in range(8, LONGEST + 1, 8) if of(side) <= room]
  return max(fits, default=8)


@dataclasses.dataclass(frozen=True)
class Alone(base.Method):
  """A detector of one picture alone, see `base.Method`.

  Attributes:
    name: of the detector.
    shape: of a picture.
    settings: of its blocks and of the Gaussian process.
    count: of pictures.
    unknown: pixels of all of them that are filled in, as bits.
    sizes: (H, W) of each picture, which may be smaller than `shape`; empty: all
      have that.
  """

  name: str
  shape: tuple[int, ...]
  settings: nkn.Settings
  count: int = 1
  unknown: bytes = b''
  sizes: tuple[tuple[int, int], ...] = ()

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

  def for_samples(self, rows, source):
    """Returns the method that holds these pictures.

    Raises:
      UserError: see `build`.
    """
    hole, sizes = source.unknown, ()
    if source.sizes is not None:
      sizes = tuple(map(tuple, source.sizes[rows].tolist()))
    for size in dict.fromkeys(sizes or (self.shape[:2],)):
      unknown = 0 if hole is None else int(hole.sum())
      _check(self.name, self.settings, size, unknown)
    bits = b'' if hole is None else np.packbits(hole).tobytes()
    return dataclasses.replace(self, count=len(rows), unknown=bits, sizes=sizes)

  def size(self, k: int) -> tuple[int, int]:
    """Returns height and width of a picture."""
    return self.sizes[k] if self.sizes else self.shape[:2]

  def block(self, k: int) -> int:
    """Returns the side of the blocks of a picture, in pixels."""
    return nkn.side_of(self.size(k), self.settings)

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
    k = min(round_, last)
    height, width = self.size(k)
    picture = np.asarray(collected[k][:height, :width], np.float64)
    # Around a small picture nothing is foretold, and there is no error.
    kept['picture'][k] = kept['mean'][k] = collected[k]
    found = self._found(picture, self.block(k), int(hyper))
    for name, value in found.items():
      place = tuple(slice(count) for count in np.shape(value))
      kept[name][(k, *place)] = value
    return {_KEPT: kept}, round_ >= last

  def _found(self, picture, block: int, seed: int) -> dict[str, Any]:
    """Returns what `init` has room for, of one picture at its own size."""
    if self.name != 'nkn':
      hole = self.missing
      if hole.any():
        picture = np.where(
          hole[..., None], picture[~hole].mean(axis=0), picture
        )
      return {'mean': trivial.ALL[self.name](picture, block)}
    height, width = picture.shape[:2]  # A hole has the size of all pictures.
    hole = self.missing[:height, :width]
    found = nkn.fit(picture, hole, self.settings, seed)._asdict()
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
    """Returns `Statements` of the Gaussian process, None of other detectors."""
    if self.name != 'nkn':
      return None
    names = statements.Statements._fields
    kept = {n: v for n, v in variables[_KEPT].items() if n in names}
    every = range(self.count)
    return statements.Statements(
      **kept,
      block=np.array([self.block(k) for k in every]),
      size=np.array([self.size(k) for k in every]),
    )
