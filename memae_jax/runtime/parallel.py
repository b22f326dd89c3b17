"""The mesh ('replica', 'data', 'memory'): which device holds what.

  replica  the replicas of a fleet are spread over it, each [R, ...] leaf;
  data     the samples of a batch are, each [R, B, ...] leaf;
  memory   the slots are, [R, N, C], and whatever has one value a slot.

Everything else of a replica is alike on all devices of `data` and `memory`.
A fleet or memory that its axis does not divide is padded on the devices; the
host never sees the padding. One process or many: the same code.
"""

import contextlib
import contextvars
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from memae_jax.runtime import errors

REPLICA, DATA, MEMORY = AXES = ('replica', 'data', 'memory')
REPLICATED = PartitionSpec()
BY_REPLICA = PartitionSpec(REPLICA)
BY_SAMPLE = PartitionSpec(REPLICA, DATA)
BY_SLOT = PartitionSpec(REPLICA, MEMORY)

# How many slots there are at the end of each path of a tree.
Memories = Mapping[tuple[str, ...], int]

_ABSTRACT = contextvars.ContextVar('abstract', default=False)


def mesh(
  config: Any,
  replicas: int,
  batch_size: int,
  devices: Sequence[jax.Device] | None = None,
) -> Mesh:
  """Lays out the devices.

  An axis of size 0 is chosen: `replica` takes as few devices as finish the
  fleet in as many rounds as all of them would. `data` takes those that are
  left; on a CPU that serves only this process, it takes one.

  Args:
    config: the resolved `config.mesh`.
    replicas: of the fleet.
    batch_size: of training; `data` is not chosen larger.
    devices: all devices of all processes by default.

  Raises:
    UserError: there are fewer devices than asked for, or some process would
      be left without one.
  """
  devices = list(jax.devices() if devices is None else devices)
  left = len(devices) // config.memory
  if config.replica:
    replica = config.replica
  else:
    among = max(1, left // (config.data or 1))
    replica = math.ceil(replicas / math.ceil(replicas / among))
  alone = devices[0].platform == 'cpu' and jax.process_count() == 1
  data = config.data or (
    1 if alone else max(1, min(left // replica, batch_size))
  )
  sizes = replica, data, config.memory
  used = math.prod(sizes)
  if used > len(devices):
    raise errors.UserError(
      f'the mesh replica={replica}, data={data}, memory={config.memory} needs'
      f' {used} devices, but there are {len(devices)}; lower config.mesh'
    )
  chosen = devices[:used]
  idle = {d.process_index for d in devices} - {d.process_index for d in chosen}
  if idle:
    raise errors.UserError(
      f'the mesh replica={replica}, data={data}, memory={config.memory} uses'
      f' {used} of {len(devices)} devices and none of process {min(idle)};'
      ' set config.mesh so that all are used, or start fewer processes'
    )
  types = (AxisType.Auto,) * len(AXES)
  if used < len(devices):  # No box of chips, which `make_mesh` needs on TPUs.
    return Mesh(np.array(chosen).reshape(sizes), AXES, axis_types=types)
  return jax.make_mesh(sizes, AXES, devices=chosen, axis_types=types)


def padded(count: int, shards: int) -> int:
  """The least multiple of `shards` that holds `count`."""
  return math.ceil(count / shards) * shards


def _names(path: tuple[Any, ...]) -> tuple[str, ...]:
  return tuple(str(getattr(k, 'key', getattr(k, 'name', k))) for k in path)


def _slots(path: tuple[Any, ...], memories: Memories) -> int | None:
  """How many rows a leaf has for each slot: one, for `count` slots; or none.

  Slots, and their moments in the optimizer, lie at the end of the same path.
  """
  names = _names(path)
  for end, count in memories.items():
    if names[-len(end) :] == end:
      return count
  return None


def specs(tree: Any, memories: Memories) -> Any:
  """Where the [R, ...] leaves of a fleet's state go.

  Args:
    tree: of arrays or shapes.
    memories: how many slots there are at the end of each path.
  """
  where = lambda path, _: BY_SLOT if _slots(path, memories) else BY_REPLICA
  return jax.tree.map_with_path(where, tree)


def unpadded_shapes(
  tree: Any, replicas: int, memories: Memories
) -> tuple[tuple[int, ...], ...]:
  """Shapes of the leaves of a fleet's state without padding, in order."""
  return tuple(
    (replicas, slots, *leaf.shape[2:])
    if (slots := _slots(path, memories))
    else (replicas, *leaf.shape[1:])
    for path, leaf in jax.tree.leaves_with_path(tree)
  )


def without_padding(tree: Any, memories: Memories, axis: int = 0) -> Any:
  """Leaves on the host with the slots that there are.

  Args:
    tree: of one replica, or of a fleet with `axis` 1.
    memories: how many slots there are at the end of each path.
    axis: of the slots.
  """

  def cut(path, leaf):
    slots = _slots(path, memories)
    return leaf[(slice(None),) * axis + (slice(slots),)] if slots else leaf

  return jax.tree.map_with_path(cut, tree)


def padded_shapes(tree: Any, mesh: Mesh, memories: Memories) -> Any:
  """The shapes [R, ...] of a fleet's state as they are on the devices.

  Returns:
    ShapeDtypeStructs with padding and shardings.
  """

  def wide(path, leaf):
    shape = list(leaf.shape)
    shape[0] = padded(shape[0], mesh.shape[REPLICA])
    of_slots = _slots(path, memories)
    if of_slots:
      shape[1] = padded(shape[1], mesh.shape[MEMORY])
    sharding = NamedSharding(mesh, BY_SLOT if of_slots else BY_REPLICA)
    return jax.ShapeDtypeStruct(tuple(shape), leaf.dtype, sharding=sharding)

  return jax.tree.map_with_path(wide, tree)


def _rows(host: np.ndarray, index: tuple[slice, ...]) -> np.ndarray:
  """A part of an array whose first row axis repeats its last row for ever."""
  first = index[0] if index else slice(None)
  if first.stop is None or first.stop <= len(host):
    return host[index]
  which = np.minimum(np.arange(first.start or 0, first.stop), len(host) - 1)
  return host[(which, *index[1:])]


def _filled(
  shape: tuple[int, ...],
  sharding: NamedSharding,
  part: Callable[[tuple[slice, ...]], np.ndarray],
) -> jax.Array:
  """An array of which each device of this process gets its part."""
  parts = sharding.addressable_devices_indices_map(shape).items()
  return jax.make_array_from_single_device_arrays(
    shape,
    sharding,
    [jax.device_put(part(index), device) for device, index in parts],
  )


@contextlib.contextmanager
def abstract() -> Iterator[None]:
  """Within it `place` returns shapes: programs are described, none can run."""
  token = _ABSTRACT.set(True)
  try:
    yield
  finally:
    _ABSTRACT.reset(token)


def place(tree: Any, mesh: Mesh, spec: PartitionSpec) -> Any:
  """Puts host arrays on the mesh, each process its own part.

  Args:
    tree: of arrays that are the same in every process.
    mesh: where to.
    spec: of every leaf. By replica, the last one is repeated as padding.
  """
  sharding = NamedSharding(mesh, spec)

  def put(host):
    host = np.asarray(host)
    shape = host.shape
    if spec:
      shape = (padded(len(host), mesh.shape[REPLICA]), *shape[1:])
    if _ABSTRACT.get():
      dtype = jax.dtypes.canonicalize_dtype(host.dtype)
      return jax.ShapeDtypeStruct(shape, dtype, sharding=sharding)
    return _filled(shape, sharding, lambda index: _rows(host, index))

  return jax.tree.map(put, tree)


def place_like(tree: Any, shapes: Any) -> Any:
  """Puts host arrays [R, ...] on the mesh, as others lie there.

  Args:
    tree: of arrays that are the same in every process, without padding.
    shapes: ShapeDtypeStructs with padding and shardings, see `padded_shapes`.
  """

  def put(host, like):
    host = np.asarray(host, like.dtype)
    more = [(0, 0)] * host.ndim
    more[0] = (0, like.shape[0] - len(host))
    host = np.pad(host, more, 'edge')
    more = [(0, n - have) for n, have in zip(like.shape, host.shape)]
    host = np.pad(host, more)
    return _filled(like.shape, like.sharding, lambda index: host[index])

  return jax.tree.map(put, tree, shapes)


def place_lazily(
  shape: tuple[int, ...],
  mesh: Mesh,
  read: Callable[[slice, slice], np.ndarray],
) -> jax.Array:
  """Puts samples [R, B, ...] on the mesh that are read as they are needed.

  Args:
    shape: of all, without padding of R.
    mesh: where to.
    read: returns the samples of some replicas and rows; called once in each
      process, for all that it holds.
  """
  sharding = NamedSharding(mesh, BY_SAMPLE)
  full = (padded(shape[0], mesh.shape[REPLICA]), *shape[1:])
  parts = sharding.addressable_devices_indices_map(full).values()
  bounds = [
    (
      min(part[axis].start or 0 for part in parts),
      max(part[axis].stop or full[axis] for part in parts),
    )
    for axis in (0, 1)
  ]
  (first, last), (start, stop) = bounds
  first = min(first, shape[0] - 1)
  held = read(slice(first, min(last, shape[0])), slice(start, stop))

  def part(index):
    replicas = np.arange(full[0])[index[0]].clip(max=shape[0] - 1) - first
    rows = np.arange(full[1])[index[1]] - start
    return held[replicas[0] : replicas[-1] + 1, rows[0] : rows[-1] + 1][
      replicas - replicas[0]
    ]

  return _filled(full, sharding, part)


def to_host(tree: Any) -> Any:
  """Copies arrays to the host, whole, in every process."""
  if jax.process_count() == 1:
    return jax.device_get(tree)
  with jax.transfer_guard('allow'):
    return multihost_utils.process_allgather(tree, tiled=True)


def broadcast_list(numbers: Sequence[int]) -> list[int]:
  """The numbers that the first process gives; all must call it."""
  if jax.process_count() == 1:
    return list(numbers)
  held = np.zeros(broadcast_from_first(len(numbers)), np.int32)
  if is_first():
    held[:] = numbers
  if not len(held):
    return []
  with jax.transfer_guard('allow'):
    return np.asarray(multihost_utils.broadcast_one_to_all(held)).tolist()


def is_first() -> bool:
  """Whether this process is the one that writes.

  Asks no device for it: a process that only starts others must not take one.
  """
  return not jax.distributed.is_initialized() or jax.process_index() == 0


@contextlib.contextmanager
def all_or_none() -> Iterator[None]:
  """What it holds succeeds in every process, or fails in every process.

  Else one would end, and the others wait for it. What it holds must not wait
  for other processes itself.

  Raises:
    UserError or OSError: of this process; UserError if another one failed.
  """
  problem = None
  try:
    yield
  except (errors.UserError, OSError) as error:
    problem = error
  if any_process(problem is not None):
    raise problem or errors.UserError(
      'another process of this run has failed, see what it says; mend that'
    )


def any_process(flag: bool) -> bool:
  """Whether the flag is set in any process; all must call it."""
  if jax.process_count() == 1:
    return flag
  with jax.transfer_guard('allow'):
    return bool(multihost_utils.process_allgather(np.asarray(flag)).any())


def broadcast_from_first(number: int) -> int:
  """The number that the first process gives; all must call it."""
  if jax.process_count() == 1:
    return number
  with jax.transfer_guard('allow'):
    return int(multihost_utils.broadcast_one_to_all(np.int32(number)))
