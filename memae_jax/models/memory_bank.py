"""The memory as a Flax parameter."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from memae_jax import memory


def _uniform(key: jax.Array, shape: tuple[int, int], first=0) -> jax.Array:
  """Draws slots from U(-1/sqrt(C), 1/sqrt(C)), as in the released code.

  Each slot has a random key of its own, so it starts the same whatever the
  size of the memory and whichever device holds it.

  Args:
    key: of the replica.
    shape: (N, C).
    first: number of the first slot.
  """
  bound = shape[-1] ** -0.5
  keys = jax.vmap(jax.random.fold_in, (None, 0))(
    key, first + jnp.arange(shape[0])
  )
  draw = lambda key: jax.random.uniform(
    key, shape[1:], jnp.float32, -bound, bound
  )
  return jax.vmap(draw)(keys)


def queries(encoding: jax.Array, per_position: bool) -> jax.Array:
  """Returns the queries [Q, C] of encodings [B, ..., C].

  Args:
    encoding: [B, ..., C].
    per_position: whether each position is a query; else each encoding is one,
      flattened.
  """
  if per_position:
    return encoding.reshape(-1, encoding.shape[-1])
  return encoding.reshape(encoding.shape[0], -1)


class MemoryBank(nn.Module):
  """N slots, read by encodings of any rank.

  Attributes:
    slots: memory size N.
    per_position: False: one query per sample, its flattened encoding. True:
      one query per position of [B, ..., C].
    options: how it is read. With an axis, `slots` counts the slots of this
      device.
  """

  slots: int
  per_position: bool = False
  options: memory.ReadOptions = memory.ReadOptions()

  def first(self) -> jax.Array | int:
    """Returns the number of the first slot of this device."""
    if self.options.axis is None:
      return 0
    return jax.lax.axis_index(self.options.axis) * self.slots

  @nn.compact
  def __call__(
    self,
    encoding: jax.Array,
    threshold: jax.Array | float,
    slot_mask: jax.Array | None = None,
    sample_mask: jax.Array | None = None,
  ) -> tuple[jax.Array, memory.MemoryRead]:
    """Reads the memory.

    Args:
      encoding: [B, ..., C].
      threshold: shrinkage threshold lambda, an absolute weight, scalar.
      slot_mask: [N] bool; False marks slots that do not exist. With an axis,
        N counts the slots of this device.
      sample_mask: [B] bool; False marks padding.

    Returns:
      The value in the shape and type of `encoding`, and the `MemoryRead` of
      the Q = B (or B times positions) queries.
    """
    query = queries(encoding, self.per_position)
    slots = self.param(
      'slots', _uniform, (self.slots, query.shape[-1]), self.first()
    )
    if sample_mask is not None:
      sample_mask = jnp.repeat(
        sample_mask, query.shape[0] // sample_mask.shape[0]
      )
    read = memory.read(
      query,
      slots,
      threshold,
      self.options,
      slot_mask=slot_mask,
      query_mask=sample_mask,
    )
    return read.value.reshape(encoding.shape).astype(encoding.dtype), read
