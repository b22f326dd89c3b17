"""Chooses how the memory is read: all at once, or in blocks of slots."""

import jax

from memae_jax.memory import addressing, streaming

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
  **options,
) -> addressing.MemoryRead:
  """Reads the memory; all kinds give the same.

  Args:
    query: [Q, C].
    slots: [N, C].
    threshold: lambda as an absolute weight, scalar.
    shrink_gradient: 'exact', or 'published', which only the dense read has.
    kind: 'dense', 'streaming', or 'auto': dense if it fits `read_bytes`.
    read_bytes: about what a read and its gradient may hold besides queries
      and slots. Sizes the blocks of the streaming read. Under `jax.vmap` it is
      meant for each of the mapped reads.
    axis: mesh axis that the slots are spread over, see `streaming.read`.
    **options: see `addressing.read`.

  Returns:
    `MemoryRead`.

  Raises:
    ValueError: the kind is unknown or does not have what is asked for.
  """
  kind = _choose(kind, query, slots, shrink_gradient, read_bytes, axis)
  if kind == 'dense':
    return addressing.read(
      query, slots, threshold, shrink_gradient=shrink_gradient, **options
    )
  chunk = chunk_size(query.shape[0], slots.shape[0], read_bytes)
  return streaming.read(
    query, slots, threshold, chunk=chunk, axis=axis, **options
  )


def chunk_size(queries: int, slots: int, read_bytes: int) -> int:
  """Slots in a block: a multiple of 128 from 128 on, or all of them."""
  fit = read_bytes // (_LIVE * 4 * max(queries, 1))
  return min(max(fit // 128, 1) * 128, slots)


def _choose(kind, query, slots, shrink_gradient, read_bytes, axis) -> str:
  """Returns 'dense' or 'streaming'; see `read`."""
  if kind not in ('auto', 'dense', 'streaming'):
    raise ValueError(f'kind is "{kind}"; use "auto", "dense" or "streaming"')
  if axis is not None and kind == 'dense':
    raise ValueError(f'slots over the mesh axis "{axis}" need kind "streaming"')
  if shrink_gradient == 'published':
    if kind == 'streaming' or axis is not None:
      raise ValueError(
        'shrink_gradient "published" needs kind "dense" and no mesh axis'
      )
    return 'dense'
  if kind != 'auto':
    return kind
  size = _LIVE * 4 * query.shape[0] * slots.shape[0]
  return 'dense' if axis is None and size <= read_bytes else 'streaming'
