"""A memory of samples: slots are chosen among features, and not learned.

One pass over the training normals collects features, `selection` chooses slots
among them, and the score is the distance to the nearest ones: a k-nearest
neighbour detector whose memory is read by the machinery of `memory`. Several
kinds of features have slots each, and their distances are added.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from memae_jax import losses
from memae_jax.features import kinds
from memae_jax.methods import base, part, selection
from memae_jax.runtime import errors, parallel

_NAME = 'bank'


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
  slots = max(replica.slots for replica in replicas)
  of_device = parallel.padded(slots, config.mesh.memory) // config.mesh.memory
  for field in ('neighbours', 'reweight'):
    if options[field] > min(of_device, *(r.slots for r in replicas)):
      raise errors.UserError(
        f'config field "methods.bank.{field}" is {options[field]}, more than'
        ' model.memory.slots, or than those of a device; lower it'
      )
  names = (options.features, *options.also)
  parts = [
    part.Part(
      path=(_NAME, name) if options.also else (_NAME,),
      slots=slots,
      shape=tuple(input_shape),
      extract=kinds.build(options, input_shape, config.data.scaling, name),
      rule=selection.Rule(
        options.select, options.dropped, options.weighted, options.density
      ),
      positions=options.positions,
      neighbours=options.neighbours,
      reweight=options.reweight,
      is_standard=bool(options.also),
      blur=options.blur,
      read_bytes=config.model.memory.read_bytes,
    )
    for name in names
  ]
  _check_alike(names, parts)
  shares = options.shares or (1.0,) * len(parts)
  return Bank(parts=tuple(parts), shares=shares, most=options.most)


def _check_alike(names: Sequence[str], parts: Sequence[part.Part]) -> None:
  """Raises UserError if some parts have positions, and others have none."""
  of_positions = [len(one.form) > 1 for one in parts]
  for name, one in zip(names, of_positions):
    if one != of_positions[0]:
      sorts = 'whole pictures', 'positions'
      raise errors.UserError(
        f'config field "methods.bank.also" has "{name}", features of'
        f' {sorts[one]}, beside "{names[0]}", those of {sorts[not one]}; join'
        ' kinds of one sort'
      )


@dataclasses.dataclass(frozen=True)
class Bank(base.Method):
  """A bank of features, see `base.Method`.

  Attributes:
    parts: one for each kind of features; of several the distances are
      standardised.
    shares: weights of the parts in the sum of their distances.
    most: so many training normals give features at most.
  """

  parts: tuple[part.Part, ...]
  shares: tuple[float, ...]
  most: int

  criterion = losses.MEMORY, 'distance'

  @property
  def memories(self):
    """Slots at their paths."""
    return {(*one.path, 'slots'): one.slots for one in self.parts}

  @property
  def by_slot(self):
    """Slots and their weights at their paths."""
    weights = {(*one.path, 'weights'): one.slots for one in self.parts}
    return self.memories | weights

  @property
  def stages(self):
    """Returns the one pass that collects features."""
    return (base.Collect(keeps='rows', most=self.most),)

  def hyper(self, replicas, config):
    """Returns the slots of each replica."""
    del config
    return np.asarray([replica.slots for replica in replicas], np.int32)

  def on(self, across):
    """Returns what one device runs."""
    parts = (dataclasses.replace(one, across=across) for one in self.parts)
    return dataclasses.replace(self, parts=tuple(parts))

  def _variables(self, of_parts: Sequence[base.Variables]) -> base.Variables:
    """Returns the variables of the parts at their paths."""
    if len(self.parts) == 1:
      return {_NAME: of_parts[0]}
    names = (one.path[-1] for one in self.parts)
    return {_NAME: dict(zip(names, of_parts))}

  def init(self, key, samples, hyper):
    """Returns empty slots."""
    del key, samples, hyper
    return self._variables([one.init() for one in self.parts])

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the features of samples, for each part."""
    del variables, hyper, mask, stage, round_
    return tuple(one.collect(x) for one in self.parts)

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Chooses the slots."""
    del stage, round_
    filled = [
      one.fill(base.leaf(variables, one.path), features, int(hyper), rng)
      for one, features in zip(self.parts, collected)
    ]
    return self._variables(filled), True

  def predict(self, variables, x, hyper, mask, keys):
    """Returns distances to the nearest slots, and maps where there are any."""
    del hyper, keys
    read = [
      one.read(base.leaf(variables, one.path), x, mask) for one in self.parts
    ]
    together = lambda values: sum(
      value if share == 1 else share * value
      for share, value in zip(self.shares, values)
    )
    maps = {}
    if read[0].maps is not None:
      maps = {losses.MEMORY: together([one.maps for one in read])}
    paths = list(self.memories)
    return base.Prediction(
      {losses.MEMORY: together([one.score for one in read])},
      maps,
      kept=sum(one.kept for one in read),
      totals={
        base.memory_name(path): one.totals for path, one in zip(paths, read)
      },
    )
