"""A memory of samples: slots are chosen among features, and not learned."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from memae_jax import losses
from memae_jax.features import kinds
from memae_jax.methods import base
from memae_jax.methods import slots as slots_lib


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
  return Bank(
    slots=slots_lib.build(config, replicas),
    shape=tuple(input_shape),
    extract=kinds.build(options, input_shape, config.data.scaling),
  )


@dataclasses.dataclass(frozen=True)
class Bank(base.Method):
  """A bank of features, see `base.Method`.

  Attributes:
    slots: how they are chosen and read.
    shape: of one sample.
    extract: [B, ...] samples -> [B, C] features, or [B, h, w, C] of positions.
  """

  slots: slots_lib.Slots
  shape: tuple[int, ...]
  extract: Callable[[jax.Array], jax.Array]

  criterion = losses.MEMORY, 'distance'

  @property
  def memories(self):
    """Slots at their path."""
    return self.slots.memories

  @property
  def stages(self):
    """Returns the one pass that collects features."""
    return (self.slots.stage,)

  def hyper(self, replicas, config):
    """Returns the slots of each replica."""
    del config
    return slots_lib.counts(replicas)

  def on(self, across):
    """Returns what one device runs."""
    return dataclasses.replace(self, slots=self.slots.on(across))

  def init(self, key, samples, hyper):
    """Returns empty slots."""
    del key, samples, hyper
    sample = jax.ShapeDtypeStruct((1, *self.shape), jnp.float32)
    return self.slots.empty(jax.eval_shape(self.extract, sample).shape[-1])

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the features of samples."""
    del variables, hyper, mask, stage, round_
    return self.slots.collect(self.extract(x))

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Chooses the slots."""
    del stage, round_
    return self.slots.chosen(variables, collected, int(hyper), rng), True

  def predict(self, variables, x, hyper, mask, keys):
    """Returns distances to the nearest slots, and maps of patches."""
    del hyper, keys
    return self.slots.predict(variables, self.extract(x), mask, self.shape)
