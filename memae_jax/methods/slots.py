"""Slots that are chosen among features, and read by their distance.

What all memories of samples have in common, whatever their features are: one
pass over the training normals collects these, `selection` chooses slots among
them, and the score is the distance to the nearest ones: a k-nearest neighbour
detector whose memory is read by the machinery of `memory`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import losses
from memae_jax.memory import nearest, usage
from memae_jax.methods import base, positions, selection
from memae_jax.runtime import errors, parallel

COLLECTION = 'bank'  # Name of the variables, and of the memory in logs.
PATH = COLLECTION, 'slots'


def build(config: Any, replicas: Sequence[Any]) -> 'Slots':
  """Returns the slots that the fields of `methods.bank` describe.

  Args:
    config: resolved.
    replicas: of the family; there is room for the largest of them.

  Raises:
    UserError: there are fewer slots than neighbours.
  """
  options = config.methods.bank
  count = max(replica.slots for replica in replicas)
  of_device = parallel.padded(count, config.mesh.memory) // config.mesh.memory
  if options.neighbours > min(of_device, *(r.slots for r in replicas)):
    raise errors.UserError(
      f'config field "methods.bank.neighbours" is {options.neighbours}, more'
      ' than model.memory.slots, or than those of a device; lower it'
    )
  return Slots(
    count=count,
    select=options.select,
    dropped=options.dropped,
    density=options.density,
    most=options.most,
    positions=options.positions,
    neighbours=options.neighbours,
    blur=options.blur,
    read_bytes=config.model.memory.read_bytes,
  )


def counts(replicas: Sequence[Any]) -> np.ndarray:
  """Returns the number of slots of each replica, [R] int32."""
  return np.asarray([replica.slots for replica in replicas], np.int32)


@dataclasses.dataclass(frozen=True)
class Slots:
  """Slots of one replica: how they are chosen, and how they score.

  Attributes:
    count: of slots that there is room for, on all devices.
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

  count: int
  select: str
  dropped: float
  density: int
  most: int
  positions: int
  neighbours: int
  blur: float
  read_bytes: int
  across: base.Across = base.Across()

  @property
  def memories(self) -> dict[base.Path, int]:
    """Slots at their path, as `base.Method.memories` has them."""
    return {PATH: self.count}

  @property
  def stage(self) -> base.Collect:
    """The pass that collects features."""
    return base.Collect(keeps='rows', most=self.most)

  @property
  def _here(self) -> int:
    """Slots of one device, with padding."""
    shards = self.across.memory
    return parallel.padded(self.count, shards) // shards

  def on(self, across: base.Across) -> 'Slots':
    """Returns what one device runs."""
    return dataclasses.replace(self, across=across)

  def empty(self, width: int) -> base.Variables:
    """Returns variables without any slot, for features of a width."""
    slots = jnp.zeros((self._here, width))
    return {COLLECTION: {'slots': slots, 'count': jnp.zeros((), jnp.int32)}}

  def collect(self, features: jax.Array) -> jax.Array:
    """Returns what the pass keeps of features [B, ..., C]: [B, P, C]."""
    features = features.reshape(len(features), -1, features.shape[-1])
    return positions.drawn(features, self.positions)

  def chosen(
    self,
    variables: base.Variables,
    collected: np.ndarray,
    count: int,
    rng: np.random.Generator,
  ) -> base.Variables:
    """Chooses the slots, on the host.

    Args:
      variables: of the replica.
      collected: [n, P, C] features.
      count: slots of the replica, at most those that there is room for.
      rng: for what is random.

    Returns:
      The variables with slots, and with how many there are.
    """
    rows = collected.reshape(-1, collected.shape[-1])
    rows = selection.without_outliers(rows, self.dropped, self.density)
    chosen = selection.select(rows, self.select, count, rng)
    slots = np.zeros_like(variables[COLLECTION]['slots'])
    slots[: len(chosen)] = chosen
    both = {'slots': slots, 'count': np.int32(len(chosen))}
    return {**variables, COLLECTION: both}

  def predict(
    self,
    variables: base.Variables,
    features: jax.Array,
    mask: jax.Array,
    shape: Sequence[int],
    centres: Sequence[Sequence[float]] | None = None,
  ) -> base.Prediction:
    """Returns distances to the nearest slots, and maps of positions.

    Args:
      variables: of the replica.
      features: [B, C], or [B, h, w, C] of positions.
      mask: [B] bool, False for padding.
      shape: of one sample.
      centres: of the positions, see `image_errors.enlarged`.
    """
    queries = features.reshape(-1, features.shape[-1])
    near = self._read(variables[COLLECTION], queries)
    # Before the pass nothing is there, and everything is as far.
    distance = jnp.where(jnp.isfinite(near.distance), near.distance, 0)
    distance = jnp.mean(distance, axis=1).reshape(features.shape[:-1])
    each = len(queries) // len(features)
    return base.Prediction(
      **positions.scored(losses.MEMORY, distance, shape, self.blur, centres),
      kept=jnp.full(len(features), each * self.neighbours, jnp.int32),
      totals={COLLECTION: self._totals(near, mask, each)},
    )

  def no_reads(self) -> dict[str, usage.ReadTotals]:
    """Returns the totals of a loss that does not read the slots."""
    return {COLLECTION: usage.nothing(self._here)}

  def _read(self, bank, queries) -> nearest.Neighbours:
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
    whole = (
      jnp.zeros(self._here * self.across.memory).at[near.index].add(served)
    )
    return usage.ReadTotals(
      queries=count,
      dead=jnp.zeros_like(count),
      kept=count * self.neighbours,
      lost=jnp.zeros_like(count),
      usage=whole[self._numbers()],
    )
