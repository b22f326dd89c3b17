"""A number that tells whether a state is the one that was saved."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

Shapes = tuple[tuple[int, ...], ...]


@functools.partial(jax.jit, static_argnums=1)
def of(tree: Any, unpadded: Shapes | None = None) -> jax.Array:
  """Returns a uint32 that changes when any bit of any leaf changes.

  It finds damage, not forgery. It is computed on the devices, so it costs one
  pass and no transfer, and is the same however the leaves are spread and
  padded. It is one program, as many small ones that sum over the same CPU
  devices at the same time can wait for each other forever.

  Args:
    tree: tree of arrays.
    unpadded: shape of each leaf without padding; None: there is none.
  """
  total = jnp.uint32(0)
  leaves = jax.tree.leaves(tree)
  unpadded = unpadded or tuple(leaf.shape for leaf in leaves)
  for number, (leaf, shape) in enumerate(zip(leaves, unpadded, strict=True)):
    if leaf.dtype == jnp.bool_:
      leaf = leaf.astype(jnp.uint8)
    width = f'uint{8 * leaf.dtype.itemsize}'
    bits = jax.lax.bitcast_convert_type(leaf, width).astype(jnp.uint32)
    index, inside, stride = jnp.uint32(0), True, 1
    for axis in reversed(range(leaf.ndim)):
      along = jax.lax.broadcasted_iota(jnp.uint32, leaf.shape, axis)
      index += along * jnp.uint32(stride % 2**32)
      inside &= along < shape[axis]
      stride *= shape[axis]
    weight = index * jnp.uint32(2654435761)
    mixed = (bits ^ (bits >> 15)) * (2 * weight + jnp.uint32(2 * number + 1))
    mixed = jnp.where(inside, mixed ^ (mixed >> 13), 0)
    total += jnp.sum(mixed, dtype=jnp.uint32)
  return total
