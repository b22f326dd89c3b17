"""The memory-augmented autoencoder: encode, read the memory, decode."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from memae_jax import memory
from memae_jax.models import dense, memory_bank


class Knobs(NamedTuple):
  """What may differ between replicas of one architecture; all traced.

  use_memory: bool scalar; False decodes the encoding itself (variant `ae`).
  threshold: lambda as a multiple of 1/N; 0 for no shrinkage (`nonspar`).
  slots: N, the number of slots that exist.
  """

  use_memory: jax.Array
  threshold: jax.Array
  slots: jax.Array


def slot_mask(knobs: Knobs, slots: int) -> jax.Array:
  """Returns [slots] bool: which slots of a padded bank exist."""
  return jnp.arange(slots) < knobs.slots


class Output(NamedTuple):
  """reconstruction: as the input. code: the query. read: None without bank."""

  reconstruction: jax.Array
  code: jax.Array
  read: memory.MemoryRead | None


class MemAE(nn.Module):
  """x -> encoder -> memory -> decoder (Figure 2 of the paper).

  Attributes:
    encoder: [B, ...] -> [B, ..., C], called with (x, train).
    decoder: the way back, called with (code, train).
    bank: None for a fleet of plain autoencoders.
  """

  encoder: nn.Module
  decoder: nn.Module
  bank: memory_bank.MemoryBank | None = None

  def __call__(
    self,
    x: jax.Array,
    knobs: Knobs,
    train: bool = False,
    sample_mask: jax.Array | None = None,
  ) -> Output:
    """Reconstructs [B, ...] inputs; `sample_mask` [B] is False for padding."""
    code = self.encoder(x, train)
    if self.bank is None:
      return Output(self.decoder(code, train), code, None)
    value, read = self.bank(
      code,
      knobs.threshold / knobs.slots,
      slot_mask(knobs, self.bank.slots),
      sample_mask,
    )
    value = jnp.where(knobs.use_memory, value, code)
    return Output(self.decoder(value, train), code, read)

  def encode(self, x: jax.Array) -> jax.Array:
    """Returns the encodings of [B, ...] inputs, in inference mode."""
    return self.encoder(x, False)

  def decode(self, code: jax.Array) -> jax.Array:
    """Decodes codes, for example the slots themselves, in inference mode."""
    return self.decoder(code, False)


def build(
  config: Any, input_shape: tuple[int, ...], slots: int | None
) -> MemAE:
  """Builds the network that `config.model` describes.

  Args:
    config: resolved `config.model`.
    input_shape: of one sample, without the batch.
    slots: memory size (the largest of the fleet), or None for no memory.
  """
  options = dict(
    widths=tuple(config.widths),
    activation=config.activation,
    batch_norm=config.batch_norm,
  )
  bank = None
  if slots is not None:
    bank = memory_bank.MemoryBank(
      slots=slots,
      similarity=config.memory.similarity,
      temperature=config.memory.temperature,
      on_empty=config.memory.on_empty,
      shrink_gradient=config.memory.shrink_gradient,
    )
  return MemAE(
    encoder=dense.DenseEncoder(code=config.code, **options),
    decoder=dense.DenseDecoder(output_shape=tuple(input_shape), **options),
    bank=bank,
  )
