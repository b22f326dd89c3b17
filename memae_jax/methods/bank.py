"""A memory of samples: slots are chosen among features, and not learned.

Several kinds of features have slots each, and their distances are added.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from memae_jax import losses
from memae_jax.features import kinds
from memae_jax.methods import base
from memae_jax.methods import slots as slots_lib
from memae_jax.runtime import errors


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Bank':
  """Builds the family.

  Args:
    config: resolved.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: the samples do not have such features, or there are fewer slots
      than neighbours.
  """
  options = config.methods.bank
  names = (options.features, *options.also)
  slots = slots_lib.build(config, replicas, names if options.also else ())
  scaling = config.data.scaling
  shares = options.shares or (1.0,) * len(names)
  parts = tuple(
    Part(of_kind, kinds.build(options, input_shape, scaling, name), share)
    for name, of_kind, share in zip(names, slots, shares, strict=True)
  )
  rebuilds = names == ('cells',) and not options.blur
  rebuilds &= options.neighbours == 1 and not options.weighted
  of_rows = len(input_shape) == losses.TABLE - 1 and names == ('raw',)
  bank = Bank(parts, tuple(input_shape), rebuilds, of_rows)
  _check_alike(names, [len(form) > 1 for form in bank.forms])
  return bank


def _check_alike(names: Sequence[str], of_positions: Sequence[bool]) -> None:
  """Raises UserError if some parts have positions, and others have none."""
  for name, one in zip(names, of_positions):
    if one != of_positions[0]:
      sorts = 'whole pictures', 'positions'
      raise errors.UserError(
        f'config field "methods.bank.also" has "{name}", features of'
        f' {sorts[one]}, beside "{names[0]}", those of {sorts[not one]}; join'
        ' kinds of one sort'
      )


@dataclasses.dataclass(frozen=True)
class Part:
  """Features of one kind and their slots.

  Attributes:
    slots: how they are chosen and read.
    extract: [B, ...] samples -> [B, C] features, or [B, h, w, C] of positions.
    share: weight of their distance in the sum over the parts.
  """

  slots: slots_lib.Slots
  extract: Callable[[jax.Array], jax.Array]
  share: float = 1.0


@dataclasses.dataclass(frozen=True)
class Bank(base.Method):
  """A bank of features, see `base.Method`.

  Attributes:
    parts: one for each kind of features; of several the distances are
      standardised.
    shape: of one sample.
    rebuilds: whether the nearest slot of each pixel is what rebuilds it, so
      that distances are errors.
    by_value: whether features are the values of rows of a table, so that a
      distance is made of columns.
  """

  parts: tuple[Part, ...]
  shape: tuple[int, ...]
  rebuilds: bool = False
  by_value: bool = False

  criterion = losses.MEMORY, 'distance'

  @property
  def forms(self) -> list[tuple[int, ...]]:
    """Shapes of the features of one sample, one for each part."""
    sample = jax.ShapeDtypeStruct((1, *self.shape), jnp.float32)
    return [
      jax.eval_shape(part.extract, sample).shape[1:] for part in self.parts
    ]

  @property
  def memories(self):
    """Slots at their paths."""
    return {k: v for part in self.parts for k, v in part.slots.memories.items()}

  @property
  def by_slot(self):
    """Slots and their weights at their paths."""
    return {k: v for part in self.parts for k, v in part.slots.by_slot.items()}

  @property
  def stages(self):
    """Returns the one pass that collects features."""
    return (self.parts[0].slots.stage,)

  def hyper(self, replicas, config):
    """Returns the slots of each replica."""
    del config
    return slots_lib.counts(replicas)

  def on(self, across):
    """Returns what one device runs."""
    parts = (
      dataclasses.replace(part, slots=part.slots.on(across))
      for part in self.parts
    )
    return dataclasses.replace(self, parts=tuple(parts))

  def _variables(self, of_parts: Sequence[base.Variables]) -> base.Variables:
    """Returns the variables of the parts at their paths."""
    if len(self.parts) == 1:
      return {slots_lib.COLLECTION: of_parts[0]}
    names = (part.slots.path[-1] for part in self.parts)
    return {slots_lib.COLLECTION: dict(zip(names, of_parts))}

  def init(self, key, samples, hyper):
    """Returns empty slots."""
    del key, samples, hyper
    return self._variables(
      [part.slots.empty(f[-1]) for part, f in zip(self.parts, self.forms)]
    )

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the features of samples, for each part."""
    del variables, hyper, mask, stage, round_
    return tuple(part.slots.collect(part.extract(x)) for part in self.parts)

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Chooses the slots."""
    del stage, round_
    chosen = [
      part.slots.chosen(
        base.leaf(variables, part.slots.path), features, int(hyper), rng
      )
      for part, features in zip(self.parts, collected)
    ]
    return self._variables(chosen), True

  def embed(self, variables, x):
    """Returns the features of samples, of the first kind, and its slots."""
    first = self.parts[0]
    return first.slots.embed(
      base.leaf(variables, first.slots.path), first.extract(x)
    )

  def predict(self, variables, x, hyper, mask, keys):
    """Returns distances to the nearest slots, and maps of them."""
    del hyper, keys
    first, *others = (
      _times(
        part.share,
        part.slots.predict(
          base.leaf(variables, part.slots.path),
          part.extract(x),
          mask,
          self.shape,
          by_value=self.by_value,
        ),
      )
      for part in self.parts
    )
    for other in others:
      first = first._replace(
        scores=jax.tree.map(jnp.add, first.scores, other.scores),
        maps=jax.tree.map(jnp.add, first.maps, other.maps),
        kept=first.kept + other.kept,
        totals=first.totals | other.totals,
      )
    if self.rebuilds:
      far = first.maps[losses.MEMORY] ** 2 / self.shape[-1]
      error = jnp.mean(far, axis=(1, 2))
      first = first._replace(
        scores=first.scores | {'mse': error}, maps=first.maps | {'mse': far}
      )
    return first


def _times(share: float, found: base.Prediction) -> base.Prediction:
  """Returns scores and maps times a share."""
  if share == 1:
    return found
  scores, maps = jax.tree.map(lambda x: share * x, (found.scores, found.maps))
  return found._replace(scores=scores, maps=maps)
