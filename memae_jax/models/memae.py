"""The memory-augmented autoencoder: encode, read the memory, decode."""

import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from memae_jax import memory
from memae_jax.models import (
  conv_net,
  dense,
  layers,
  memory_bank,
  variational,
)


class Knobs(NamedTuple):
  """Traced values that may differ between replicas of one architecture.

  use_memory: bool scalar; False decodes the encoding itself (variant `ae`).
  sample_code: bool scalar; True draws the code from the variational head.
  relative_threshold: lambda as a multiple of 1/N; 0 for no shrinkage
    (`nonspar`). Reads of a memory take `threshold` instead, an absolute
    weight: this value divided by N.
  slots: N, the number of slots that exist.
  """

  use_memory: jax.Array
  sample_code: jax.Array
  relative_threshold: jax.Array
  slots: jax.Array


class Output(NamedTuple):
  """Results of the network for a batch of B samples.

  reconstruction: [B, ...], shaped like the input, or as `build` was told. code:
  the encoding [B, ...]. read: of the memory; None without bank. divergence: [B]
  in nats; None without head.
  """

  reconstruction: jax.Array
  code: jax.Array
  read: memory.MemoryRead | None
  divergence: jax.Array | None


class MemAE(nn.Module):
  """Network x -> encoder -> memory -> decoder (Figure 2 of the paper).

  Attributes:
    encoder: [B, ...] -> [B, *code_shape], called with (x, train).
    decoder: [B, *code_shape] -> [B, ...], called with (code, train).
    code_shape: shape of the encoding of one sample.
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
    code_noise: jax.Array | None = None,
  ) -> Output:
    """Reconstructs inputs.

    Args:
      x: [B, ...].
      knobs: traced values of the replica.
      train: whether norms take the moments of the batch.
      sample_mask: [B] bool, False for padding.
      code_noise: [B, *code_shape] from N(0, 1), by which a variational head
        draws its codes; None: its codes are the means.
    """
    encoding = code = self.encode(x, train, sample_mask)
    read = divergence = None
    if self.head is not None:
      # Nothing of the head may reach the gradients of other variants.
      drawn, divergence = self.head(
        jnp.where(knobs.sample_code, code, 0), code_noise
      )
      code = jnp.where(knobs.sample_code, drawn, code)
    if self.bank is not None:
      value, read = self.bank(
        encoding,
        knobs.relative_threshold / knobs.slots,
        self.bank.first() + jnp.arange(self.bank.slots) < knobs.slots,
        sample_mask,
      )
      code = jnp.where(knobs.use_memory, value, code)
    out = self.decode(code, train, sample_mask)
    return Output(out, encoding, read, divergence)

  def encode(
    self,
    x: jax.Array,
    train: bool = False,
    sample_mask: jax.Array | None = None,
  ) -> jax.Array:
    """Returns the encodings [B, *code_shape] of [B, ...] inputs.

    They have the type of x, whatever the encoder computes in.
    """
    return self.encoder(x, train, sample_mask).astype(x.dtype)

  def decode(
    self,
    code: jax.Array,
    train: bool = False,
    sample_mask: jax.Array | None = None,
  ) -> jax.Array:
    """Decodes [B, *code_shape] codes; the result has their type.

    Codes may be flat, [B, D], as slots of whole encodings are.
    """
    code = code.reshape(-1, *self.code_shape)
    return self.decoder(code, train, sample_mask).astype(code.dtype)

  def sharded(self, data: str | None, memory: str | None, shards: int):
    """Returns the part of this network that one device of a mesh runs.

    Args:
      data: mesh axis over which batches are spread, or None.
      memory: mesh axis over which the slots are spread, or None.
      shards: the size of the axis `memory`.
    """
    bank = self.bank
    if bank is not None and memory:
      bank = bank.clone(
        slots=math.ceil(bank.slots / shards),
        options=bank.options._replace(axis=memory),
      )
    return self.clone(
      encoder=self.encoder.clone(axis=data),
      decoder=self.decoder.clone(axis=data),
      bank=bank,
    )


def settled(model: MemAE, variables: Any, samples: jax.Array) -> Any:
  """Returns variables whose norms of the encoder hold the moments of samples.

  Then it encodes without `train` as a first step of training would.

  Args:
    model: the network.
    variables: of it.
    samples: [B, ...].
  """
  if 'batch_stats' not in variables:
    return variables
  stats = variables['batch_stats']
  # Of zeros, a step keeps nothing: what is there is the new moments' share.
  nothing = jax.tree.map(jnp.zeros_like, stats)
  _, moved = model.apply(
    {**variables, 'batch_stats': nothing},
    samples,
    True,
    method=MemAE.encode,
    mutable=['batch_stats'],
  )
  share = 1 - layers.MOMENTUM
  encoder = jax.tree.map(lambda x: x / share, moved['batch_stats']['encoder'])
  return {**variables, 'batch_stats': {**stats, 'encoder': encoder}}


def read_options(config: Any) -> memory.ReadOptions:
  """Returns how a memory is read by a resolved `config.model.memory`."""
  return memory.ReadOptions(
    similarity=config.similarity,
    temperature=config.temperature,
    on_empty=config.on_empty,
    shrink_gradient=config.shrink_gradient,
    kind=config.read,
    read_bytes=config.read_bytes,
    k=config.top_k if config.read == 'top_k' else None,
  )


def _dense(config, input_shape, output_shape, options):
  """Returns encoder and decoder of dense layers, and the shape of the code."""
  del input_shape
  widths = tuple(config.widths)
  encoder = dense.DenseEncoder(
    widths=widths,
    code=config.code,
    code_activation=config.code_activation,
    **options,
  )
  decoder = dense.DenseDecoder(
    widths=tuple(config.decoder_widths) or widths[::-1],
    output_shape=tuple(output_shape),
    output_activation=config.output_activation,
    **options,
  )
  return encoder, decoder, (config.code,)


def _convolutions(config, input_shape, output_shape, options):
  """Returns encoder and decoder of convolutions, and the shape of the code."""
  plan = conv_net.plan(
    config.widths,
    config.kernels,
    config.strides,
    config.time_strides,
    config.layout,
    input_shape,
    config.paddings,
  )
  options = options | {'plan': plan, 'layout': config.layout}
  wrap = conv_net.remat(config.remat)
  encoder = wrap(conv_net.ConvEncoder)(
    linear_code=config.linear_code, **options
  )
  widths, kernels = conv_net.mirrored(
    plan, config.layout, config.decoder_widths, config.decoder_kernels
  )
  decoder = wrap(conv_net.ConvDecoder)(
    channels=output_shape[-1],
    widths=widths,
    kernels=kernels,
    surplus=config.surplus,
    output_activation=config.output_activation,
    **options,
  )
  return encoder, decoder, plan.code_shape


def build(
  config: Any,
  input_shape: tuple[int, ...],
  slots: int | None,
  with_head: bool = False,
  dtype: Any = jnp.float32,
  output_shape: tuple[int, ...] | None = None,
) -> MemAE:
  """Builds the network that `config.model` describes.

  Args:
    config: resolved `config.model`.
    input_shape: shape of one sample, without the batch.
    slots: memory size (the largest of the fleet), or None for no memory.
    with_head: whether the fleet has a variational autoencoder.
    dtype: type in which encoder and decoder compute.
    output_shape: shape of the output for one sample; None: that of the input.
      A network of convolutions keeps all but the channels.

  Raises:
    UserError: fields of the network do not fit each other or the samples.
  """
  output_shape = output_shape or tuple(input_shape)
  options = dict(
    activation=config.activation, batch_norm=config.batch_norm, dtype=dtype
  )
  form = _dense if config.network == 'dense' else _convolutions
  encoder, decoder, code_shape = form(
    config, input_shape, output_shape, options
  )
  bank = None
  if slots is not None:
    bank = memory_bank.MemoryBank(
      slots=slots,
      per_position=config.memory.per_position,
      options=read_options(config.memory),
    )
  return MemAE(
    encoder=encoder,
    decoder=decoder,
    code_shape=code_shape,
    bank=bank,
    head=variational.Head() if with_head else None,
  )
