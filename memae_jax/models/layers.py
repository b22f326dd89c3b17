"""What the networks have in common."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
  'tanh': nn.tanh,
  'relu': nn.relu,
  'leaky_relu': lambda x: nn.leaky_relu(x, 0.2),
}


class BatchNorm(nn.Module):
  """Batch normalisation whose moments leave padding out.

  With `axis`, a mesh axis that the batch is spread over, they are those of
  the whole batch. The moments are those of PyTorch's defaults: momentum 0.1
  there is 0.9 here.
  """

  dtype: Any
  axis: str | None = None
  momentum: float = 0.9
  epsilon: float = 1e-5

  @nn.compact
  def __call__(
    self, x: jax.Array, train: bool, sample_mask: jax.Array | None = None
  ) -> jax.Array:
    """[B, ..., C] -> the same; `sample_mask` [B] is False for padding."""
    width = x.shape[-1:]
    own = lambda name, fill: self.variable(
      'batch_stats', name, jnp.full, width, fill, jnp.float32
    )
    mean, var = own('mean', 0.0), own('var', 1.0)
    scale = self.param('scale', nn.initializers.ones, width)
    bias = self.param('bias', nn.initializers.zeros, width)
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    now = mean.value, var.value
    if train:
      *now, count = self._moments(x, sample_mask)
      if not self.is_initializing():
        for old, new in zip((mean, var), now):
          moved = self.momentum * old.value + (1 - self.momentum) * new
          # A part of a batch may be nothing but padding.
          old.value = jnp.where(count > 0, moved, old.value)
    last = lambda v: v.reshape((1,) * (x.ndim - 1) + width)
    x = (x - last(now[0])) * last(jax.lax.rsqrt(now[1] + self.epsilon) * scale)
    return (x + last(bias)).astype(self.dtype)

  def _moments(self, x, sample_mask) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mean and variance [C] over all else, and of how many values.

    The mean comes first: E[x^2] - E[x]^2 loses the digits of a variance that
    is small beside the mean.
    """
    along = tuple(range(x.ndim - 1))
    keep = whole = lambda x: x
    samples = x.shape[0]
    if sample_mask is not None:
      mask = jnp.expand_dims(sample_mask, tuple(range(1, x.ndim)))
      keep = lambda x: jnp.where(mask, x, 0)
      samples = jnp.sum(sample_mask)
    if self.axis is not None:
      whole = lambda x: jax.lax.psum(x, self.axis)
    count = jnp.asarray(samples, x.dtype) * (x[0].size // x.shape[-1])
    count, total = whole((count, jnp.sum(keep(x), along)))
    some = jnp.maximum(count, 1)
    mean = total / some
    away = jnp.square(x - jnp.expand_dims(mean, along))
    return mean, whole(jnp.sum(keep(away), along)) / some, count


class NormAct(nn.Module):
  """Optional BatchNorm -> activation, after each hidden layer."""

  activation: str
  batch_norm: bool
  dtype: Any
  axis: str | None = None

  @nn.compact
  def __call__(
    self, x: jax.Array, train: bool, sample_mask: jax.Array | None = None
  ) -> jax.Array:
    """[B, ..., C] -> [B, ..., C]; see `BatchNorm`."""
    if self.batch_norm:
      x = BatchNorm(self.dtype, self.axis)(x, train, sample_mask)
    return ACTIVATIONS[self.activation](x)
