"""Layers that all networks share: activations and batch normalisation."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

MOMENTUM = 0.9  # PyTorch's default, which calls it 0.1.
ACTIVATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
  'tanh': nn.tanh,
  'relu': nn.relu,
  'leaky_relu': lambda x: nn.leaky_relu(x, 0.2),
  'sigmoid': nn.sigmoid,
}


def output(x: jax.Array, activation: str) -> jax.Array:
  """Applies the activation of an output, in float32 at least.

  In bfloat16 a sigmoid could not come nearer to 1 than 0.996.

  Args:
    x: of any type; without activation it stays as it is.
    activation: a name in `ACTIVATIONS`, or 'none'.
  """
  if activation == 'none':
    return x
  x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
  return ACTIVATIONS[activation](x)


class BatchNorm(nn.Module):
  """Batch normalisation whose moments leave padding out.

  Flax has `nn.BatchNorm(mask=, axis_name=)`. It is not used, as it takes the
  plain mean over devices (`pmean`) of the masked mean of each device. Where
  the devices hold unequal amounts of padding, as in the last batch of a mesh,
  these means count different numbers of samples, and their plain mean is not
  that of the batch: samples of a device with much padding would weigh more.
  Here sums and counts cross the devices, and are divided afterwards.

  Attributes:
    dtype: of the result; moments are float32.
    axis: mesh axis over which the batch is spread; the moments are those of
      the batch on all its devices. None: the batch is on one device.
    momentum: share of the stored moments that a step keeps.
    epsilon: added to the variance, PyTorch's default.
  """

  dtype: Any
  axis: str | None = None
  momentum: float = MOMENTUM
  epsilon: float = 1e-5

  @nn.compact
  def __call__(
    self, x: jax.Array, train: bool, sample_mask: jax.Array | None = None
  ) -> jax.Array:
    """Normalises each channel.

    Args:
      x: [B, ..., C].
      train: whether the moments of this batch are used, and stored in part.
      sample_mask: [B] bool, False for padding; None: there is none.

    Returns:
      [B, ..., C] of type `dtype`.
    """
    width = x.shape[-1:]
    stored = lambda name, fill: self.variable(
      'batch_stats', name, jnp.full, width, fill, jnp.float32
    )
    mean, var = stored('mean', 0.0), stored('var', 1.0)
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
    """Returns mean [C], variance [C] and the number of values of each.

    The mean comes first: E[x^2] - E[x]^2 loses the digits of a variance that
    is small beside the mean.
    """
    along = tuple(range(x.ndim - 1))
    keep = over_devices = lambda x: x
    samples = x.shape[0]
    if sample_mask is not None:
      mask = jnp.expand_dims(sample_mask, tuple(range(1, x.ndim)))
      keep = lambda x: jnp.where(mask, x, 0)
      samples = jnp.sum(sample_mask)
    if self.axis is not None:
      over_devices = lambda x: jax.lax.psum(x, self.axis)
    count = jnp.asarray(samples, x.dtype) * (x[0].size // x.shape[-1])
    count, total = over_devices((count, jnp.sum(keep(x), along)))
    divisor = jnp.maximum(count, 1)
    mean = total / divisor
    square = jnp.square(x - jnp.expand_dims(mean, along))
    return mean, over_devices(jnp.sum(keep(square), along)) / divisor, count


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
    """Maps [B, ..., C] to the same shape; for the arguments see `BatchNorm`."""
    if self.batch_norm:
      x = BatchNorm(self.dtype, self.axis)(x, train, sample_mask)
    return ACTIVATIONS[self.activation](x)
