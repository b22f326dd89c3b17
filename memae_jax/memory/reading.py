"""Chooses how the memory is read: all at once, or in blocks of slots.

kind         gradient             holds           best for
dense        exact or published   [Q, N]          small memories
streaming    exact                [Q, chunk]      large memories
top_k        none                 [Q, k, C]       sparse reads, inference
"""

import jax

from memae_jax.memory import addressing, streaming, top_k

_LIVE = 4  # Arrays of [Q, slots] that a read and its gradient hold at a time.


def read(
  query: jax.Array,
  slots: jax.Array,
  threshold: jax.Array | float,
  *,
  shrink_gradient: str = 'exact',
  kind: str = 'auto',
  read_bytes: int = 2**28,
  axis: str | None = None,
  k: int | None = None,
  **options,
) -> addressing.MemoryRead:
  """Reads the memory; all kinds give the same, but see `top_k`.

  Args:
    query: [Q, C].
    slots: [N, C].
    threshold: lambda as an absolute weight, scalar.
    shrink_gradient: 'exact', or 'published', which only the dense read has.
    kind: 'dense', 'streaming', 'top_k', or 'auto': dense if it fits
      `read_bytes`, else streaming.
    read_bytes: about what a read and its gradient may hold besides queries
      and slots. Sizes the blocks of the streaming read. Under `jax.vmap` it is
      meant for each of the mapped reads.
    axis: mesh axis that the slots are spread over, see `streaming.read`.
    k: slots that 'top_k' looks at, for each query.
    **options: see `addressing.read`.

  Returns:
    `MemoryRead`.

  Raises:
    ValueError: the kind is unknown or does not have what is asked for.
  """
  kind = _choose(kind, query, slots, shrink_gradient, read_bytes, axis)
  if (kind == 'top_k') != (k is not None):
    raise ValueError(f'kind is "{kind}" and k is {k}; "top_k" needs k')
  if kind == 'dense':
    return addressing.read(
      query, slots, threshold, shrink_gradient=shrink_gradient, **options
    )
  chunk = chunk_size(query.shape[0], slots.shape[0], read_bytes)
  if kind == 'top_k':
    return top_k.read(query, slots, threshold, k=k, chunk=chunk, **options)
  return streaming.read(
    query, slots, threshold, chunk=chunk, axis=axis, **options
  )


def chunk_size(queries: int, slots: int, read_bytes: int) -> int:
  """Slots in a block: a multiple of 128 from 128 on, or all of them."""
  fit = read_bytes // (_LIVE * 4 * max(queries, 1))
  return min(max(fit // 128, 1) * 128, slots)


def _choose(kind, query, slots, shrink_gradient, read_bytes, axis) -> str:
  """Returns what 'auto' stands for; see `read`."""
  published = shrink_gradient == 'published'
  if kind not in ('auto', 'dense', 'streaming', 'top_k'):
    raise ValueError(
      f'kind is "{kind}"; use "auto", "dense", "streaming" or "top_k"'
    )
  if axis is not None and kind in ('dense', 'top_k'):
    raise ValueError(f'slots over the mesh axis "{axis}" need kind "streaming"')
  if published and (axis is not None or kind in ('streaming', 'top_k')):
    raise ValueError(
      'shrink_gradient "published" needs kind "dense" and no mesh axis'
    )
  if kind != 'auto':
    return kind
  size = _LIVE * 4 * query.shape[0] * slots.shape[0]
  fits = axis is None and size <= read_bytes
  return 'dense' if fits or published else 'streaming'
