"""A memory of samples: slots are chosen among features, and not learned.

One pass over the training normals collects features, `selection` chooses slots
among them, and the score is the distance to the nearest ones: a k-nearest
neighbour detector whose memory is read by the machinery of `memory`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import image_errors, losses
from memae_jax.features import kinds
from memae_jax.memory import nearest, usage
from memae_jax.methods import base, selection
from memae_jax.runtime import errors, jax_settings, parallel

_SLOTS = ('bank', 'slots')


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Bank':
  """Builds the family.

  Args:
    config: resolved.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: the samples do not have such features.
  """
  options = config.methods.bank
  extract = kinds.build(options, input_shape, config.data.scaling)
  slots = max(replica.slots for replica in replicas)
  of_device = parallel.padded(slots, config.mesh.memory) // config.mesh.memory
  if options.neighbours > min(of_device, *(r.slots for r in replicas)):
    raise errors.UserError(
      f'config field "methods.bank.neighbours" is {options.neighbours}, more'
      ' than model.memory.slots, or than those of a device; lower it'
    )
  return Bank(
    slots=slots,
    shape=tuple(input_shape),
    extract=extract,
    select=options.select,
    dropped=options.dropped,
    density=options.density,
    most=options.most,
    positions=options.positions,
    neighbours=options.neighbours,
    blur=options.blur,
    read_bytes=config.model.memory.read_bytes,
  )


@dataclasses.dataclass(frozen=True)
class Bank(base.Method):
  """A bank of features, see `base.Method`.

  Attributes:
    slots: that it has room for, on all devices.
    shape: of one sample.
    extract: [B, ...] samples -> [B, C] features, or [B, h, w, C] of positions.
    select: see `selection.select`.
    dropped: share of the features that is left out before, as outliers.
    density: neighbours over which it is told what is one.
    most: so many training normals give features at most.
    positions: so many positions of a picture give features; 0: all.
    neighbours: how many nearest slots a distance is the mean of.
    blur: deviation of the Gaussian that maps are blurred by, in pixels.
    read_bytes: see `memory.ReadOptions`.
    across: the devices of a replica.
  """

  slots: int
  shape: tuple[int, ...]
  extract: Callable[[jax.Array], jax.Array]
  select: str
  dropped: float
  density: int
  most: int
  positions: int
  neighbours: int
  blur: float
  read_bytes: int
  across: base.Across = base.Across()

  criterion = losses.MEMORY, 'distance'

  @property
  def memories(self):
    """Slots at their path."""
    return {_SLOTS: self.slots}

  @property
  def stages(self):
    """Returns the one pass that collects features."""
    return (base.Collect(keeps='rows', most=self.most),)

  @property
  def _here(self) -> int:
    """Slots of one device, with padding."""
    count = self.across.memory
    return parallel.padded(self.slots, count) // count

  @property
  def _form(self) -> tuple[int, ...]:
    """Shape of the features of one sample."""
    sample = jax.ShapeDtypeStruct((1, *self.shape), jnp.float32)
    return jax.eval_shape(self.extract, sample).shape[1:]

  def hyper(self, replicas, config):
    """Returns the slots of each replica."""
    del config
    return np.asarray([replica.slots for replica in replicas], np.int32)

  def on(self, across):
    """Returns what one device runs."""
    return dataclasses.replace(self, across=across)

  def init(self, key, samples, hyper):
    """Returns empty slots."""
    del key, samples, hyper
    shape = self._here, self._form[-1]
    count = jnp.zeros((), jnp.int32)
    return {'bank': {'slots': jnp.zeros(shape), 'count': count}}

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the features of samples."""
    del variables, hyper, mask, stage, round_
    features = self.extract(x)
    features = features.reshape(len(x), -1, features.shape[-1])
    if not 0 < self.positions < features.shape[1]:
      return features
    return jax.vmap(self._some)(features)

  def _some(self, features: jax.Array) -> jax.Array:
    """Draws positions [p, D] of a picture [P, D]: by what it shows.

    So the same ones are drawn wherever the picture stands in a batch.
    """
    content = jax.lax.bitcast_convert_type(jnp.sum(features), jnp.uint32)
    key = jax.random.key(content, impl=jax_settings.PRNG)
    chosen = jax.random.choice(
      key, len(features), (self.positions,), replace=False
    )
    return features[chosen]

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Chooses the slots."""
    del stage, round_
    there = variables['bank']['slots']
    rows = collected.reshape(-1, collected.shape[-1])
    rows = selection.without_outliers(rows, self.dropped, self.density)
    chosen = selection.select(rows, self.select, int(hyper), rng)
    slots = np.zeros_like(there)
    slots[: len(chosen)] = chosen
    return {'bank': {'slots': slots, 'count': np.int32(len(chosen))}}, True

  def predict(self, variables, x, hyper, mask, keys):
    """Returns distances to the nearest slots, and maps of patches."""
    del hyper, keys
    features = self.extract(x)
    queries = features.reshape(-1, features.shape[-1])
    near = self._read(variables, queries)
    # Before the pass nothing is there, and everything is as far.
    distance = jnp.where(jnp.isfinite(near.distance), near.distance, 0)
    distance = jnp.mean(distance, axis=1).reshape(features.shape[:-1])
    maps = {}
    if distance.ndim > 1:
      maps[losses.MEMORY] = image_errors.enlarged(
        distance, self.shape[:2], self.blur
      )
      distance = jnp.max(distance, axis=(1, 2))
    each = len(queries) // len(x)
    return base.Prediction(
      {losses.MEMORY: distance},
      maps,
      kept=jnp.full(len(x), each * self.neighbours, jnp.int32),
      totals={base.memory_name(_SLOTS): self._totals(near, mask, each)},
    )

  def _read(self, variables, queries) -> nearest.Neighbours:
    bank = variables['bank']
    return nearest.nearest(
      queries,
      bank['slots'],
      self.neighbours,
      slot_mask=self._numbers() < bank['count'],
      read_bytes=self.read_bytes,
      axis=self.across.memory_axis,
    )

  def _numbers(self) -> jax.Array:
    """Returns the numbers of the slots of this device."""
    numbers = jnp.arange(self._here)
    if self.across.memory_axis is None:
      return numbers
    return jax.lax.axis_index(parallel.MEMORY) * self._here + numbers

  def _totals(self, near, mask, each: int) -> usage.ReadTotals:
    """Counts reads: each slot that is among the nearest serves one."""
    queries = jnp.repeat(mask, each)
    served = jnp.where(queries[:, None], 1 / self.neighbours, 0)
    served = jnp.broadcast_to(served, near.index.shape)
    count = jnp.sum(queries, dtype=jnp.float32)
    # Those of other devices stand behind the last slot, and are left out.
    place = near.index - self._numbers()[0]
    is_here = (place >= 0) & (place < self._here)
    place = jnp.where(is_here, place, self._here)
    return usage.ReadTotals(
      queries=count,
      dead=jnp.zeros_like(count),
      kept=count * self.neighbours,
      lost=jnp.zeros_like(count),
      usage=jnp.zeros(self._here).at[place].add(served, mode='drop'),
    )
