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
  """Reads the memory; all kinds give the same result, but see `top_k`.

  Args:
    query: [Q, C].
    slots: [N, C].
    threshold: lambda as an absolute weight, scalar.
    options: how to read.
    slot_mask, query_mask: see `addressing.read`.

  Returns:
    `MemoryRead`.

  Raises:
    ValueError: the kind is unknown or does not support the other options.

  Example:
    The softmax weights are 0.7, 0.2 and 0.1. The read at once and the read in
    blocks of two slots give 0.7 / 0.9 and 0.2 / 0.9 of the first two slots.

    >>> from math import log
    >>> query = jax.numpy.array([[1.0, 0.0]])
    >>> slots = jax.numpy.array([[log(7), 0], [log(2), 9], [log(1), 90]])
    >>> dense = addressing.ReadOptions(similarity='dot', kind='dense')
    >>> print(read(query, slots, 0.15, dense).value)
    [[1.67 2.  ]]
    >>> streaming_ = dense._replace(kind='streaming', chunk=2)
    >>> print(read(query, slots, 0.15, streaming_).value)
    [[1.67 2.  ]]
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
  """Returns the kind of a read, in place of 'auto' the one it stands for."""
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
