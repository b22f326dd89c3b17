"""The read of slots that are spread over the devices of a mesh (section 5).

For whole arrays and a mesh at hand. Slots are spread over the mesh axis
'memory', queries over 'data' if the mesh has it. Sums over slots cross
'memory', and only the sums over queries (the gradient of the slots and their
usage) cross 'data'; slots themselves never move.
"""

import functools

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from memae_jax.memory import addressing, streaming


def _specs(mesh: Mesh) -> tuple[str | None, P, P]:
  """The data axis if it splits queries; how queries and slots are spread."""
  data = 'data' if mesh.shape.get('data', 1) > 1 else None
  return data, P(data), P('memory')


# The gradient is taken around the two maps, not through them, which would sum
# gradients that are whole on every device already.
@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def _read(mesh, rules, *arrays):
  return _read_fwd(mesh, rules, *arrays)[0]


def _read_fwd(mesh, rules, query, slots, threshold, slot_mask, query_mask):
  data, by_query, by_slot = _specs(mesh)

  @functools.partial(
    jax.shard_map,
    mesh=mesh,
    in_specs=(by_query, by_slot, P(), by_slot, by_query),
    out_specs=(
      addressing.MemoryRead(*[by_query] * 5, usage=by_slot),
      by_query,
    ),
    check_vma=False,
  )
  def forward(*arrays):
    read, residuals = streaming.forward(rules, *arrays)
    if data is not None:
      read = read._replace(usage=jax.lax.psum(read.usage, data))
    return read, residuals

  read, residuals = forward(query, slots, threshold, slot_mask, query_mask)
  saved = query, slots, slot_mask, read.value, read.entropy, residuals
  return read, saved


def _read_bwd(mesh, rules, saved, cotangent):
  data, by_query, by_slot = _specs(mesh)

  @functools.partial(
    jax.shard_map,
    mesh=mesh,
    in_specs=(by_query, by_slot, by_slot, *[by_query] * 5),
    out_specs=(by_query, by_slot),
    check_vma=False,
  )
  def backward(*arrays):
    query_bar, slots_bar = streaming.backward(rules, *arrays)
    if data is not None:
      slots_bar = jax.lax.psum(slots_bar, data)
    return query_bar, slots_bar

  gradients = backward(*saved, cotangent.value, cotangent.entropy)
  return *gradients, None, None, None


_read.defvjp(_read_fwd, _read_bwd)


def _pad(array: jax.Array, size: int) -> jax.Array:
  """Adds zeros (False) at the end of the first axis, up to a size."""
  extra = [(0, size - array.shape[0])] + [(0, 0)] * (array.ndim - 1)
  return jnp.pad(array, extra) if extra[0][1] else array


def read(
  mesh: Mesh,
  query: jax.Array,
  slots: jax.Array,
  threshold: jax.Array | float,
  *,
  similarity: str = 'cosine',
  temperature: float | jax.Array = 1.0,
  slot_mask: jax.Array | None = None,
  query_mask: jax.Array | None = None,
  on_empty: str = 'zero',
  chunk: int = 1024,
) -> addressing.MemoryRead:
  """Equals `streaming.read` of the whole arrays.

  Args:
    mesh: with an axis 'memory', and maybe 'data'; others hold copies.
    query: [Q, C]; padded if 'data' does not divide Q.
    slots: [N, C]; padded, that is copied, if 'memory' does not divide N.
    threshold: lambda as an absolute weight, scalar.
    similarity, temperature, slot_mask, query_mask, on_empty: see
      `addressing.read`.
    chunk: slots in a block, of those that a device holds.

  Returns:
    `MemoryRead` of whole arrays: by query spread over 'data', usage over
    'memory'.

  Raises:
    ValueError: the mesh has no axis 'memory'.
  """
  if 'memory' not in mesh.shape:
    raise ValueError(f'the mesh has axes {mesh.axis_names}; it needs "memory"')
  queries, count = query.shape[0], slots.shape[0]
  query = streaming.prepare(query, similarity, temperature)
  parts, rows = mesh.shape['memory'], mesh.shape.get('data', 1)
  most, wide = -(-count // parts) * parts, -(-queries // rows) * rows
  if slot_mask is None:
    slot_mask = jnp.ones(count, bool)
  if query_mask is None:
    query_mask = jnp.ones(queries, bool)
  out = _read(
    mesh,
    streaming.Rules(similarity, on_empty, min(chunk, most // parts), 'memory'),
    _pad(query, wide),
    _pad(slots, most),
    jnp.asarray(threshold, query.dtype),
    _pad(slot_mask, most),
    _pad(query_mask, wide),
  )
  by_query = jax.tree.map(lambda x: x[:queries], out._replace(usage=None))
  return by_query._replace(usage=out.usage[:count])
