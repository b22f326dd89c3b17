"""The memory-augmented autoencoder: encode, read the memory, decode."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from memae_jax import memory
from memae_jax.models import conv_net, dense, memory_bank, variational


class Knobs(NamedTuple):
  """What may differ between replicas of one architecture; all traced.

  use_memory: bool scalar; False decodes the encoding itself (variant `ae`).
  sample_code: bool scalar; True draws the code from the variational head.
  threshold: lambda as a multiple of 1/N; 0 for no shrinkage (`nonspar`).
  slots: N, the number of slots that exist.
  """

  use_memory: jax.Array
  sample_code: jax.Array
  threshold: jax.Array
  slots: jax.Array


def slot_mask(knobs: Knobs, slots: int) -> jax.Array:
  """Returns [slots] bool: which slots of a padded bank exist."""
  return jnp.arange(slots) < knobs.slots


class Output(NamedTuple):
  """What a batch of B samples gives.

  reconstruction: as the input. code: the encoding [B, ...].
  read: None without bank. divergence: [B] in nats, None without head.
  """

  reconstruction: jax.Array
  code: jax.Array
  read: memory.MemoryRead | None
  divergence: jax.Array | None


class MemAE(nn.Module):
  """x -> encoder -> memory -> decoder (Figure 2 of the paper).

  Attributes:
    encoder: [B, ...] -> [B, *code_shape], called with (x, train).
    decoder: the way back, called with (code, train).
    code_shape: of the encoding of one sample.
    bank: None for a fleet without memory.
    head: None for a fleet without variational autoencoder.
  """

  encoder: nn.Module
  decoder: nn.Module
  code_shape: tuple[int, ...]
  bank: memory_bank.MemoryBank | None = None
  head: variational.Head | None = None

  def __call__(
    self,
    x: jax.Array,
    knobs: Knobs,
    train: bool = False,
    sample_mask: jax.Array | None = None,
  ) -> Output:
    """Reconstructs [B, ...] inputs; `sample_mask` [B] is False for padding.

    Training with a variational head takes the random stream `code`.
    """
    encoding = code = self.encode(x, train)
    read = divergence = None
    if self.head is not None:
      # Nothing of the head may reach the gradients of other variants.
      drawn, divergence = self.head(
        jnp.where(knobs.sample_code, code, 0), train
      )
      code = jnp.where(knobs.sample_code, drawn, code)
    if self.bank is not None:
      value, read = self.bank(
        encoding,
        knobs.threshold / knobs.slots,
        slot_mask(knobs, self.bank.slots),
        sample_mask,
      )
      code = jnp.where(knobs.use_memory, value, code)
    return Output(self.decode(code, train), encoding, read, divergence)

  def encode(self, x: jax.Array, train: bool = False) -> jax.Array:
    """Returns the encodings [B, *code_shape] of [B, ...] inputs.

    They have the type of x, whatever the encoder computes in.
    """
    return self.encoder(x, train).astype(x.dtype)

  def decode(self, code: jax.Array, train: bool = False) -> jax.Array:
    """Decodes [B, *code_shape] codes; the result has their type.

    Whole encodings may be flat, [B, D], as slots are.
    """
    code = code.reshape(-1, *self.code_shape)
    return self.decoder(code, train).astype(code.dtype)


def build(
  config: Any,
  input_shape: tuple[int, ...],
  slots: int | None,
  with_head: bool = False,
  dtype: Any = jnp.float32,
) -> MemAE:
  """Builds the network that `config.model` describes.

  Args:
    config: resolved `config.model`.
    input_shape: of one sample, without the batch.
    slots: memory size (the largest of the fleet), or None for no memory.
    with_head: whether the fleet has a variational autoencoder.
    dtype: that encoder and decoder compute in.

  Raises:
    UserError: the network does not fit its fields or the samples.
  """
  options = dict(
    activation=config.activation, batch_norm=config.batch_norm, dtype=dtype
  )
  if config.network == 'dense':
    options['widths'] = tuple(config.widths)
    encoder = dense.DenseEncoder(code=config.code, **options)
    decoder = dense.DenseDecoder(output_shape=tuple(input_shape), **options)
    code_shape = (config.code,)
  else:
    plan = conv_net.plan(
      config.widths,
      config.kernels,
      config.strides,
      config.time_strides,
      config.layout,
      input_shape,
    )
    options |= dict(plan=plan, layout=config.layout)
    wrap = conv_net.remat if config.remat else lambda module: module
    encoder = wrap(conv_net.ConvEncoder)(**options)
    widths, kernels = conv_net.mirrored(
      plan, config.layout, config.decoder_widths, config.decoder_kernels
    )
    decoder = wrap(conv_net.ConvDecoder)(
      channels=input_shape[-1], widths=widths, kernels=kernels, **options
    )
    code_shape = plan.code_shape
  bank = None
  if slots is not None:
    bank = memory_bank.MemoryBank(
      slots=slots,
      per_position=config.memory.per_position,
      similarity=config.memory.similarity,
      temperature=config.memory.temperature,
      on_empty=config.memory.on_empty,
      shrink_gradient=config.memory.shrink_gradient,
    )
  return MemAE(
    encoder=encoder,
    decoder=decoder,
    code_shape=code_shape,
    bank=bank,
    head=variational.Head() if with_head else None,
  )
