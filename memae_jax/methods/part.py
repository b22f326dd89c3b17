"""One part of a bank: features of a kind, slots among them, and distances."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import image_errors
from memae_jax.memory import nearest, reweighting, usage
from memae_jax.methods import base, selection, usual
from memae_jax.runtime import jax_settings, parallel


class Distances(NamedTuple):
  """Distances of B samples to the slots of a part.

  score: [B]. maps: [B, H, W], of features of positions; else None.
  kept: [B] int32 slots that were read. totals: of the reads.
  """

  score: jax.Array
  maps: jax.Array | None
  kept: jax.Array
  totals: usage.ReadTotals


@dataclasses.dataclass(frozen=True)
class Part:
  """Features of one kind and their slots: functions of one replica.

  Attributes:
    path: of its variables, such as ('bank',).
    slots: that it has room for, on all devices.
    shape: of one sample.
    extract: [B, ...] samples -> [B, C] features, or [B, h, w, C] of positions.
    rule: how slots are made of features.
    positions: so many positions of a picture give features; 0: all.
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
  slots: int
  shape: tuple[int, ...]
  extract: Callable[[jax.Array], jax.Array]
  rule: selection.Rule
  positions: int = 0
  neighbours: int = 1
  reweight: int = 0
  is_standard: bool = False
  blur: float = 0.0
  read_bytes: int = 2**28
  across: base.Across = base.Across()

  @property
  def _here(self) -> int:
    """Slots of one device, with padding."""
    count = self.across.memory
    return parallel.padded(self.slots, count) // count

  @property
  def form(self) -> tuple[int, ...]:
    """Shape of the features of one sample: (C,), or (h, w, C) of positions."""
    sample = jax.ShapeDtypeStruct((1, *self.shape), jnp.float32)
    return jax.eval_shape(self.extract, sample).shape[1:]

  def init(self) -> base.Variables:
    """Returns empty slots."""
    variables = {
      'slots': jnp.zeros((self._here, self.form[-1])),
      'count': jnp.zeros((), jnp.int32),
    }
    if self.rule.weighted:
      variables['weights'] = jnp.ones(self._here)
    if self.is_standard:
      variables |= {'mean': jnp.zeros(()), 'deviation': jnp.ones(())}
    return variables

  def collect(self, x: jax.Array) -> jax.Array:
    """Returns the features of samples that may become slots, [B, P, C]."""
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

  def fill(
    self,
    variables: base.Variables,
    collected: np.ndarray,
    count: int,
    rng: np.random.Generator,
  ) -> base.Variables:
    """Chooses the slots, on the host.

    Args:
      variables: of the part.
      collected: [n, P, C] features of the training normals.
      count: slots at most.
      rng: for what is random.
    """
    features = self.rule.clean(collected)
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

  def read(
    self, variables: base.Variables, x: jax.Array, mask: jax.Array
  ) -> Distances:
    """Returns distances to the nearest slots.

    Args:
      variables: of the part.
      x: [B, ...] samples.
      mask: [B] bool, False for padding.
    """
    features = self.extract(x)
    queries = features.reshape(-1, features.shape[-1])
    each = len(queries) // len(x)
    near = self._near(variables, queries)
    # Before the pass nothing is there, and everything is as far.
    distance = jnp.where(jnp.isfinite(near.distance), near.distance, 0)
    distance = jnp.mean(distance, axis=1).reshape(features.shape[:-1])
    maps = None
    if distance.ndim > 1:
      maps = image_errors.enlarged(
        self._standard(variables, distance), self.shape[:2], self.blur
      )
    far = distance.reshape(len(x), each)
    score = jnp.max(far, axis=1)
    if self.reweight:
      farthest = jnp.arange(len(x)) * each + jnp.argmax(far, axis=1)
      score *= self._factors(
        variables, queries[farthest], near.index[farthest, 0]
      )
    return Distances(
      self._standard(variables, score),
      maps,
      kept=jnp.full(len(x), each * self.neighbours, jnp.int32),
      totals=self._totals(near, mask, each),
    )

  def _standard(self, variables, distance: jax.Array) -> jax.Array:
    if not self.is_standard:
      return distance
    return (distance - variables['mean']) / variables['deviation']

  def _near(self, variables, queries) -> nearest.Neighbours:
    find = nearest.nearest
    if self.rule.weighted:
      find = functools.partial(nearest.weighted, weights=variables['weights'])
    return find(
      queries, variables['slots'], k=self.neighbours, **self._how(variables)
    )

  def _factors(self, variables, queries, index) -> jax.Array:
    return reweighting.factors(
      queries, variables['slots'], index, self.reweight, **self._how(variables)
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
