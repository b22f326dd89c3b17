"""Chooses how the memory is read: all at once, or in blocks of slots.

kind         gradient             holds           best for
dense        exact or published   [Q, N]          small memories
streaming    exact                [Q, chunk]      large memories
top_k        none                 [Q, k, C]       sparse reads, inference
"""

import jax

from memae_jax.memory import addressing, blocks, streaming, top_k

_KINDS = {
  'dense': addressing.read,
  'streaming': streaming.read,
  'top_k': top_k.read,
}


def read(
  query: jax.Array,
  slots: jax.Array,
  threshold: jax.Array | float,
  options: addressing.ReadOptions = addressing.USUAL,
  *,
  slot_mask: jax.Array | None = None,
  query_mask: jax.Array | None = None,
) -> addressing.MemoryRead:
  """Reads the memory; all kinds give the same, but see `top_k`.

  Args:
    query: [Q, C].
    slots: [N, C].
    threshold: lambda as an absolute weight, scalar.
    options: how to read.
    slot_mask, query_mask: see `addressing.read`.

  Returns:
    `MemoryRead`.

  Raises:
    ValueError: the kind is unknown or does not have what is asked for.
  """
  kind = _choose(options, query, slots)
  return _KINDS[kind](
    query,
    slots,
    threshold,
    options,
    slot_mask=slot_mask,
    query_mask=query_mask,
  )


def _choose(options: addressing.ReadOptions, query, slots) -> str:
  """Returns the kind of a read, which 'auto' stands for."""
  kind, axis = options.kind, options.axis
  published = options.shrink_gradient == 'published'
  if kind not in ('auto', *_KINDS):
    raise ValueError(
      f'kind is "{kind}"; use "auto", "dense", "streaming" or "top_k"'
    )
  if (kind == 'top_k') != (options.k is not None):
    raise ValueError(f'kind is "{kind}" and k is {options.k}; "top_k" needs k')
  if axis is not None and kind in ('dense', 'top_k'):
    raise ValueError(f'slots over the mesh axis "{axis}" need kind "streaming"')
  if published and (axis is not None or kind in ('streaming', 'top_k')):
    raise ValueError(
      'shrink_gradient "published" needs kind "dense" and no mesh axis'
    )
  if kind != 'auto':
    return kind
  size = blocks.LIVE * 4 * query.shape[0] * slots.shape[0]
  fits = axis is None and size <= options.read_bytes
  return 'dense' if fits or published else 'streaming'
