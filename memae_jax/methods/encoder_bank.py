"""A bank of the codes that an autoencoder of our own learned.

First an autoencoder without a memory learns, then one pass collects its codes,
`selection` chooses slots among them, and the score is the distance to the
nearest: MemAE's question, asked of a memory that is not learned. Codes of clips
have a time: maps and scores are of the one that the scored frame belongs to.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from memae_jax import losses
from memae_jax.methods import autoencoder, base
from memae_jax.methods import slots as slots_lib
from memae_jax.models import conv_net, memae


class Hyper(NamedTuple):
  """Traced values of a replica (scalars), or of a fleet ([R] each).

  network: of the autoencoder. slots: how many there are.
  """

  network: autoencoder.Hyper
  slots: jax.Array


def _plain(replicas: Sequence[Any]) -> list[Any]:
  """Returns replicas of the autoencoder alone, as those of the method `ae`."""
  return [replica._replace(variant='ae') for replica in replicas]


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'EncoderBank':
  """Builds the family.

  Args:
    config: resolved; fields of `methods.bank` decide how slots are chosen.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: fields of the network do not fit each other or the samples, or
      there are fewer slots than neighbours.
  """
  network = autoencoder.build(config, input_shape, _plain(replicas))
  has_positions = len(network.model.code_shape) in (3, 4)
  (slots,) = slots_lib.build(config, replicas)
  centres = None
  if config.model.memory.per_position and has_positions:
    plan = network.model.encoder.plan
    centres = conv_net.centres(plan, config.model.layout)[-2:]
  return EncoderBank(
    network=network,
    slots=slots,
    shape=tuple(input_shape),
    centres=centres,
  )


@dataclasses.dataclass(frozen=True)
class EncoderBank(base.Method):
  """A bank of encodings, see `base.Method`.

  Attributes:
    network: the autoencoder, the same as that of the method `ae`.
    slots: how they are chosen and read.
    shape: of one sample.
    centres: rows and columns that the positions of a code are centred at, each
      of which is a feature; of clips, those at the time of the scored frame.
      None: the whole code is one.
  """

  network: autoencoder.Autoencoder
  slots: slots_lib.Slots
  shape: tuple[int, ...]
  centres: tuple[tuple[float, ...], ...] | None

  score = losses.MEMORY

  @property
  def criterion(self):
    """Criterion of the best weights of the autoencoder."""
    return self.network.criterion

  @property
  def memories(self):
    """Slots at their path."""
    return self.slots.memories

  @property
  def by_slot(self):
    """Slots and their weights at their paths."""
    return self.slots.by_slot

  @property
  def stages(self):
    """Returns the training, and the pass that collects codes."""
    return *self.network.stages, self.slots.stage

  def hyper(self, replicas, config):
    """Returns the `Hyper` of replicas."""
    network = self.network.hyper(_plain(replicas), config)
    return Hyper(network, slots_lib.counts(replicas))

  def on(self, across):
    """Returns what one device runs."""
    network, slots = self.network.on(across), self.slots.on(across)
    return dataclasses.replace(self, network=network, slots=slots)

  def init(self, key, samples, hyper):
    """Returns the weights of the autoencoder, and empty slots."""
    shape = self.network.model.code_shape
    width = math.prod(shape) if self.centres is None else shape[-1]
    weights = self.network.init(key, samples, hyper.network)
    return weights | {slots_lib.COLLECTION: self.slots.empty(width)}

  def loss(self, variables, batch, hyper, across):
    """Returns the loss of the autoencoder."""
    parts = self.network.loss(variables, batch, hyper.network, across)
    return parts._replace(totals=self.slots.no_reads())

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the codes of samples."""
    del hyper, mask, stage, round_
    return self.slots.collect(self._codes(variables, x))

  def _codes(self, variables, x) -> jax.Array:
    """Returns the codes of samples, see `_features`."""
    encode = memae.MemAE.encode
    codes = self.network.model.apply(variables, x, method=encode)
    return self._features(codes)

  def embed(self, variables, x):
    """Returns the codes of samples, and the slots."""
    bank = variables[slots_lib.COLLECTION]
    return self.slots.embed(bank, self._codes(variables, x))

  def _features(self, codes: jax.Array) -> jax.Array:
    """Returns [B, C], or [B, h, w, C] of the positions of codes [B, ...]."""
    if self.centres is None:
      return codes.reshape(len(codes), -1)
    return losses.scored_frame(codes) if codes.ndim == losses.CLIP else codes

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Chooses the slots."""
    del stage, round_
    bank = variables[slots_lib.COLLECTION]
    bank = self.slots.chosen(bank, collected, int(hyper.slots), rng)
    return variables | {slots_lib.COLLECTION: bank}, True

  def predict(self, variables, x, hyper, mask, keys):
    """Returns distances to the nearest slots, and reconstruction errors.

    Maps are those of the distances.
    """
    del keys
    out = self.network.model.apply(
      variables, x, hyper.network.knobs, sample_mask=mask
    )
    codes = self._features(out.code)
    bank = variables[slots_lib.COLLECTION]
    near = self.slots.predict(bank, codes, mask, self.shape, self.centres)
    rebuilt = losses.of(x, out.reconstruction)['scores']
    return near._replace(scores=near.scores | rebuilt)

  def decode_slots(self, variables, slots):
    """Returns slots as samples; None where a slot holds a part of a code."""
    if self.centres is not None:
      return None
    decode = memae.MemAE.decode
    return self.network.model.apply(variables, slots, method=decode)
