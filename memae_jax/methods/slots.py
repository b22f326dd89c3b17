"""Slots that are chosen among features, and read by their distance.

What all memories of samples have in common, whatever their features are: one
pass over the training normals collects these, `selection` chooses slots among
them, and the score is the distance to the nearest ones: a k-nearest neighbour
detector whose memory is read by the machinery of `memory`.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import losses
from memae_jax.memory import nearest, reweighting, usage
from memae_jax.methods import base, positions, selection, usual
from memae_jax.runtime import errors, parallel

COLLECTION = 'bank'  # Name of the variables, and of the memory in logs.


def build(
  config: Any, replicas: Sequence[Any], kinds: Sequence[str] = ()
) -> tuple['Slots', ...]:
  """Returns the slots that the fields of `methods.bank` describe.

  Args:
    config: resolved.
    replicas: of the family; there is room for the largest of them.
    kinds: names of several kinds of features that have slots each; none: one
      kind, whose distances are not standardised.

  Raises:
    UserError: there are fewer slots than neighbours.
  """
  options = config.methods.bank
  for name in ('neighbours', 'reweight'):
    field, among = f'methods.bank.{name}', 'model.memory.slots'
    check_room(field, options[name], among, replicas, config.mesh.memory)
  rule = selection.Rule(
    options.select, options.dropped, options.weighted, options.density
  )
  one = Slots(
    path=(COLLECTION,),
    count=max(replica.slots for replica in replicas),
    rule=rule,
    most=options.most,
    positions=options.positions,
    least=options.least,
    neighbours=options.neighbours,
    reweight=options.reweight,
    is_standard=bool(kinds),
    blur=options.blur,
    read_bytes=config.model.memory.read_bytes,
  )
  if not kinds:
    return (one,)
  at = lambda kind: dataclasses.replace(one, path=(COLLECTION, kind))
  return tuple(map(at, kinds))


def check_room(
  field: str, wanted: int, among: str, replicas: Sequence[Any], shards: int
) -> None:
  """Raises UserError if a read takes more slots than there are.

  Args:
    field: name of the config field that says how many it takes.
    wanted: its value.
    among: name of the field of the slots.
    replicas: of the family.
    shards: devices that hold a part of the slots each.
  """
  have = counts(replicas)
  of_device = parallel.padded(max(have), shards) // shards
  if wanted > min(of_device, *have):
    raise errors.UserError(
      f'config field "{field}" is {wanted}, more than {among}, or than those of'
      ' a device; lower it'
    )


def counts(replicas: Sequence[Any]) -> np.ndarray:
  """Returns the number of slots of each replica, [R] int32."""
  return np.asarray([replica.slots for replica in replicas], np.int32)


@dataclasses.dataclass(frozen=True)
class Slots:
  """Slots of one replica: how they are chosen, and how they score.

  Attributes:
    path: of its variables, such as ('bank',).
    count: of slots that there is room for, on all devices.
    rule: how slots are made of features.
    most: so many training normals give features at most.
    positions: so many positions of a picture give features; 0: all.
    least: features of a smaller norm become no slots, and have no distance.
    neighbours: how many nearest slots a distance is the mean of.
    reweight: slots around the nearest one by which the distance of a sample is
      re-weighted, see `memory.reweighting`; 0: it is not.
    is_standard: whether distances are less the usual mean and over the usual
      deviation, see `usual`.
    blur: deviation of the Gaussian that maps are blurred by, in pixels.
    read_bytes: see `memory.ReadOptions`.
    across: the devices of a replica.
  """

  path: base.Path
  count: int
  rule: selection.Rule = selection.Rule()
  most: int = 0
  positions: int = 0
  least: float = 0.0
  neighbours: int = 1
  reweight: int = 0
  is_standard: bool = False
  blur: float = 0.0
  read_bytes: int = 2**28
  across: base.Across = base.Across()

  @property
  def memories(self) -> dict[base.Path, int]:
    """Slots at their path, as `base.Method.memories` has them."""
    return {(*self.path, 'slots'): self.count}

  @property
  def by_slot(self) -> dict[base.Path, int]:
    """Slots and their weights, as `base.Method.by_slot` has them."""
    return self.memories | {(*self.path, 'weights'): self.count}

  @property
  def name(self) -> str:
    """Name of the memory."""
    return base.memory_name((*self.path, 'slots'))

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
    """Returns the variables at `path` without any slot.

    Args:
      width: of the features.
    """
    variables = {
      'slots': jnp.zeros((self._here, width)),
      'count': jnp.zeros((), jnp.int32),
    }
    if self.rule.weighted:
      variables['weights'] = jnp.ones(self._here)
    if self.is_standard:
      variables |= {'mean': jnp.zeros(()), 'deviation': jnp.ones(())}
    return variables

  def collect(self, features: jax.Array) -> jax.Array:
    """Returns what the pass keeps of features [B, ..., C]: [B, P, C]."""
    rows = features.reshape(len(features), -1, features.shape[-1])
    return positions.drawn(rows, self.positions)

  def embed(
    self, variables: base.Variables, features: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Returns features [B, P, C] and slots, as `base.Method.embed`.

    Args:
      variables: those at `path`.
      features: [B, C], or [B, h, w, C] of positions.
    """
    width = features.shape[-1]
    return features.reshape(len(features), -1, width), variables['slots']

  def chosen(
    self,
    variables: base.Variables,
    collected: np.ndarray,
    count: int,
    rng: np.random.Generator,
  ) -> base.Variables:
    """Chooses the slots, on the host.

    Args:
      variables: those at `path`.
      collected: [n, P, C] features of the training normals.
      count: slots of the replica, at most those that there is room for.
      rng: for what is random.

    Returns:
      The variables at `path`, with slots.
    """
    features = self._large(self.rule.clean(collected))
    rows, weights = self.rule.slots(features, count, rng)
    slots = np.zeros_like(variables['slots'])
    slots[: len(rows)] = rows
    new: dict[str, Any] = {'slots': slots, 'count': np.int32(len(rows))}
    if self.rule.weighted:
      new['weights'] = np.ones_like(variables['weights'])
      new['weights'][: len(rows)] = weights
    if self.is_standard:
      found = usual.usual(self.rule, features, count, self.neighbours, rng)
      new |= zip(('mean', 'deviation'), map(np.float32, found))
    return new

  def _large(self, features: selection.Features) -> selection.Features:
    """Returns the features that are large enough; all, if none is."""
    if not self.least:
      return features
    large = np.linalg.norm(features.rows, axis=1) >= self.least
    return features.at(np.flatnonzero(large)) if large.any() else features

  def predict(
    self,
    variables: base.Variables,
    features: jax.Array,
    mask: jax.Array,
    shape: Sequence[int],
    centres: Sequence[Sequence[float]] | None = None,
    by_value: bool = False,
  ) -> base.Prediction:
    """Returns distances to the nearest slots, and maps of positions.

    Args:
      variables: those at `path`.
      features: [B, C], or [B, h, w, C] of positions.
      mask: [B] bool, False for padding.
      shape: of one sample.
      centres: of the positions, see `image_errors.enlarged`.
      by_value: features [B, C] are the inputs of rows: a map [B, C] says how
        much each adds to the distance.
    """
    queries = features.reshape(-1, features.shape[-1])
    each = len(queries) // len(features)
    near = self.near(variables, queries, self.neighbours)
    # Before the pass nothing is there, and everything is as far.
    distance = jnp.where(jnp.isfinite(near.distance), near.distance, 0)
    distance = jnp.mean(distance, axis=1)
    if self.least:
      size = jnp.linalg.norm(queries, axis=1)
      distance = jnp.where(size < self.least, 0, distance)
    distance = distance.reshape(features.shape[:-1])
    found = positions.scored(
      losses.MEMORY,
      self._standard(variables, distance),
      shape,
      self.blur,
      centres,
    )
    if self.reweight:
      factor = self._factors(variables, queries, near, distance)
      far = jnp.max(distance.reshape(len(features), each), axis=1)
      score = self._standard(variables, factor * far)
      found['scores'] = {losses.MEMORY: score}
    if by_value and not self.is_standard:  # Else there is no sum over values.
      score = found['scores'][losses.MEMORY]
      shares = self._shares(variables, queries, near)
      whole = queries.shape[1] * score[:, None]
      found['maps'] = {losses.MEMORY: shares * whole}
    return base.Prediction(
      **found,
      kept=jnp.full(len(features), each * self.neighbours, jnp.int32),
      totals={self.name: self._totals(near, mask, each)},
    )

  def no_reads(self) -> dict[str, usage.ReadTotals]:
    """Returns the totals of a loss that does not read the slots."""
    return {self.name: usage.nothing(self._here)}

  def _standard(self, variables, distance: jax.Array) -> jax.Array:
    if not self.is_standard:
      return distance
    return (distance - variables['mean']) / variables['deviation']

  def near(
    self, variables: base.Variables, queries: jax.Array, count: int
  ) -> nearest.Neighbours:
    """Returns the nearest slots of queries, as they are read.

    Args:
      variables: those at `path`.
      queries: [Q, C].
      count: how many for each.
    """
    find = nearest.nearest
    if self.rule.weighted:
      find = functools.partial(nearest.weighted, weights=variables['weights'])
    return find(queries, variables['slots'], k=count, **self._how(variables))

  def _shares(self, variables, queries, near) -> jax.Array:
    """Returns the parts of values in the distance of queries, [Q, C].

    A distance is the sum of the squared differences over itself, so it is a sum
    over the values; of several neighbours the mean of these.
    """
    total = jnp.zeros_like(queries)
    for distance, index in zip(near.distance.T, near.index.T):
      slots = nearest.at(variables['slots'], index, self.across.memory_axis)
      square = (queries - slots) ** 2
      length = jnp.sum(square, axis=1)
      scale = jnp.where(length > 0, distance / length, 0)
      # Before the pass there is no slot, and no distance either.
      total += square * jnp.where(jnp.isfinite(scale), scale, 0)[:, None]
    far = jnp.sum(total, axis=1)
    return total / jnp.where(far > 0, far, 1)[:, None]

  def _factors(self, variables, queries, near, distance) -> jax.Array:
    """Returns what the distance [B] of each sample's farthest part counts."""
    far = distance.reshape(len(distance), -1)
    each = far.shape[1]
    farthest = jnp.arange(len(far)) * each + jnp.argmax(far, axis=1)
    return reweighting.factors(
      queries[farthest],
      variables['slots'],
      near.index[farthest, 0],
      self.reweight,
      **self._how(variables),
    )

  def _how(self, variables) -> dict[str, Any]:
    """Returns which slots there are, and how they are read."""
    return {
      'slot_mask': self._numbers() < variables['count'],
      'read_bytes': self.read_bytes,
      'axis': self.across.memory_axis,
    }

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
