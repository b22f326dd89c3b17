"""Fully connected encoder and decoder (KDDCUP network; small images)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from memae_jax.models import layers

INTERMEDIATES = 'intermediates'  # Name of a collection, as Flax has it.


class _Hidden(nn.Module):
  """Layers Dense -> optional BatchNorm -> activation, one per width.

  What the first one gives is sown as 'first' of the collection INTERMEDIATES.
  """

  widths: Sequence[int]
  activation: str
  batch_norm: bool
  dtype: Any
  axis: str | None

  @nn.compact
  def __call__(self, x: jax.Array, train: bool, sample_mask) -> jax.Array:
    for number, width in enumerate(self.widths):
      x = nn.Dense(width, dtype=self.dtype)(x)
      x = layers.NormAct(
        self.activation, self.batch_norm, self.dtype, self.axis
      )(x, train, sample_mask)
      if number == 0:
        self.sow(INTERMEDIATES, 'first', x)
    return x


def first_layer(collections: Mapping[str, Any]) -> jax.Array:
  """Returns the activations [B, width] of the first layer of an encoder.

  Args:
    collections: what a network with a `DenseEncoder` as its `encoder` returned
      when INTERMEDIATES was mutable.
  """
  ((x,),) = (
    hidden['first'] for hidden in collections[INTERMEDIATES]['encoder'].values()
  )
  return x


class DenseEncoder(nn.Module):
  """Encoder [B, ...] -> [B, code].

  With widths (60, 30, 10), code 3 and tanh: FC(D,60)-FC(60,30)-FC(30,10)-
  FC(10,3), the paper's KDDCUP encoder, whose code is linear.
  """

  widths: Sequence[int]
  code: int
  code_activation: str = 'none'
  activation: str = 'tanh'
  batch_norm: bool = False
  dtype: Any = jnp.float32
  axis: str | None = None

  @nn.compact
  def __call__(
    self, x: jax.Array, train: bool, sample_mask: jax.Array | None = None
  ) -> jax.Array:
    """Encodes flattened inputs; `sample_mask` [B] is False for padding."""
    x = x.reshape(x.shape[0], -1)
    x = _Hidden(
      self.widths, self.activation, self.batch_norm, self.dtype, self.axis
    )(x, train, sample_mask)
    x = nn.Dense(self.code, dtype=self.dtype)(x)
    return layers.output(x, self.code_activation)


class DenseDecoder(nn.Module):
  """Decoder [B, code] -> [B, *output_shape]; `widths` in its own order."""

  widths: Sequence[int]
  output_shape: Sequence[int]
  output_activation: str = 'none'
  activation: str = 'tanh'
  batch_norm: bool = False
  dtype: Any = jnp.float32
  axis: str | None = None

  @nn.compact
  def __call__(
    self, code: jax.Array, train: bool, sample_mask: jax.Array | None = None
  ) -> jax.Array:
    """Decodes codes; `sample_mask` [B] is False for padding."""
    x = _Hidden(
      self.widths, self.activation, self.batch_norm, self.dtype, self.axis
    )(code, train, sample_mask)
    x = nn.Dense(math.prod(self.output_shape), dtype=self.dtype)(x)
    x = layers.output(x, self.output_activation)
    return x.reshape(x.shape[0], *self.output_shape)
