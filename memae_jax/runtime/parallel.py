"""The mesh ('replica', 'data', 'memory'): which device holds what.

  axis     spreads over its devices
  replica  the replicas of a fleet, each leaf [R, ...];
  data     the samples of a batch, each leaf [R, B, ...];
  memory   the slots [R, N, C], and each leaf with one value per slot.

Everything else of a replica is the same on all devices of `data` and `memory`.
A fleet or memory whose size its axis does not divide is padded on the devices;
the host never sees the padding. The code is the same for one process and many.
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

# Numbers of slots, by the end of the path of a leaf.
Memories = Mapping[tuple[str, ...], int]

_ABSTRACT = contextvars.ContextVar('abstract', default=False)


def mesh(
  config: Any,
  replicas: int,
  batch_size: int,
  devices: Sequence[jax.Device] | None = None,
  long_steps: bool = False,
) -> Mesh:
  """Lays out the devices.

  The size of an axis is chosen where the config says 0. `replica` takes the
  fewest devices that finish the fleet in as many rounds as all of them would.
  `data` takes the devices that are left. On a CPU that serves only this
  process, it takes one; but where steps are long and devices would wait for
  others, batches are divided, if that saves a fifth of the rounds.

  Args:
    config: the resolved `config.mesh`.
    replicas: number of replicas of the fleet.
    batch_size: of training; `data` is not chosen larger.
    devices: all devices of all processes by default.
    long_steps: whether a step takes so long that devices of a CPU may wait for
      each other several times in it.

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
  if alone and long_steps and not (config.replica or config.data):
    replica, data = _least_rounds(replicas, batch_size, left, (replica, data))
  sizes = replica, data, config.memory
  used = math.prod(sizes)
  if used > len(devices):
    raise errors.UserError(
      f'the mesh replica={replica}, data={data}, memory={config.memory} needs'
      f' {used} devices, but there are {len(devices)}; lower config.mesh'
    )
  taken = devices[:used]
  idle = {d.process_index for d in devices} - {d.process_index for d in taken}
  if idle:
    raise errors.UserError(
      f'the mesh replica={replica}, data={data}, memory={config.memory} uses'
      f' {used} of {len(devices)} devices and none of process {min(idle)};'
      ' set config.mesh so that all are used, or start fewer processes'
    )
  types = (AxisType.Auto,) * len(AXES)
  # On TPUs `make_mesh` needs chips that form a box, as all of them do.
  if used < len(devices):
    return Mesh(np.array(taken).reshape(sizes), AXES, axis_types=types)
  return jax.make_mesh(sizes, AXES, devices=taken, axis_types=types)


def _least_rounds(
  replicas: int, batch_size: int, devices: int, least: tuple[int, int]
) -> tuple[int, int]:
  """Returns the sizes of `replica` and `data` that end a step first.

  Args:
    replicas: of the fleet.
    batch_size: of training, which `data` divides.
    devices: at most so many are taken.
    least: sizes that are kept, unless others save a fifth of the rounds.
  """
  rounds = lambda sizes: math.ceil(replicas / sizes[0]) / sizes[1]
  others = [
    (devices // data, data)
    for data in range(2, devices + 1)
    if batch_size % data == 0
  ]
  best = min(others, key=rounds, default=least)
  return best if rounds(best) <= 0.8 * rounds(least) else least


def padded(count: int, shards: int) -> int:
  """Returns the least multiple of `shards` that is at least `count`."""
  return math.ceil(count / shards) * shards


def _names(path: tuple[Any, ...]) -> tuple[str, ...]:
  return tuple(str(getattr(k, 'key', getattr(k, 'name', k))) for k in path)


def _slots(path: tuple[Any, ...], memories: Memories) -> int | None:
  """Returns the number of slots of a leaf; None if it has no rows of slots.

  The paths of slots and of their moments in the optimizer end alike.
  """
  names = _names(path)
  for end, count in memories.items():
    if names[-len(end) :] == end:
      return count
  return None


def specs(tree: Any, memories: Memories) -> Any:
  """Returns the PartitionSpecs of the [R, ...] leaves of a fleet's state.

  Args:
    tree: of arrays or shapes.
    memories: numbers of slots, by the end of the path of a leaf.
  """
  where = lambda path, _: BY_SLOT if _slots(path, memories) else BY_REPLICA
  return jax.tree.map_with_path(where, tree)


def unpadded_shapes(
  tree: Any, replicas: int, memories: Memories
) -> tuple[tuple[int, ...], ...]:
  """Returns the shapes of the leaves of a fleet's state without padding.

  Args:
    tree: of arrays or shapes [R, ...], with padding.
    replicas: R without padding.
    memories: numbers of slots, by the end of the path of a leaf.
  """
  return tuple(
    (replicas, slots, *leaf.shape[2:])
    if (slots := _slots(path, memories))
    else (replicas, *leaf.shape[1:])
    for path, leaf in jax.tree.leaves_with_path(tree)
  )


def without_padding(tree: Any, memories: Memories, axis: int = 0) -> Any:
  """Returns leaves on the host without the padding of slots.

  Args:
    tree: of one replica, or of a fleet with `axis` 1.
    memories: numbers of slots, by the end of the path of a leaf.
    axis: of the slots.
  """

  def cut(path, leaf):
    slots = _slots(path, memories)
    return leaf[(slice(None),) * axis + (slice(slots),)] if slots else leaf

  return jax.tree.map_with_path(cut, tree)


def padded_shapes(tree: Any, mesh: Mesh, memories: Memories) -> Any:
  """Returns the shapes [R, ...] of a fleet's state as on the devices.

  Args:
    tree: of arrays or shapes, without padding.
    mesh: of the fleet.
    memories: numbers of slots, by the end of the path of a leaf.

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
  """Returns a part of an array, which is padded by copies of its last row."""
  first = index[0] if index else slice(None)
  if first.stop is None or first.stop <= len(host):
    return host[index]
  rows = np.minimum(np.arange(first.start or 0, first.stop), len(host) - 1)
  return host[(rows, *index[1:])]


def _filled(
  shape: tuple[int, ...],
  sharding: NamedSharding,
  part: Callable[[tuple[slice, ...]], np.ndarray],
) -> jax.Array:
  """Returns an array; each device of this process gets part(its index)."""
  parts = sharding.addressable_devices_indices_map(shape).items()
  return jax.make_array_from_single_device_arrays(
    shape,
    sharding,
    [jax.device_put(part(index), device) for device, index in parts],
  )


@contextlib.contextmanager
def abstract() -> Iterator[None]:
  """Makes `place` return shapes: programs can be described, but not run."""
  token = _ABSTRACT.set(True)
  try:
    yield
  finally:
    _ABSTRACT.reset(token)


def place(tree: Any, mesh: Mesh, spec: PartitionSpec) -> Any:
  """Puts host arrays on the mesh, each process its own part.

  Args:
    tree: of arrays that are the same in every process.
    mesh: of the fleet.
    spec: of every leaf. Padding of replicas repeats the last one.
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
  """Puts host arrays [R, ...] on the mesh, with the shardings of others.

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
  """Reads the samples [R, B, ...] of this process and puts them on the mesh.

  Args:
    shape: [R, B, ...] of the samples of all processes, without padding of R.
    mesh: of the fleet.
    read: (replicas, rows) -> samples; called once per process, for all that
      its devices hold.
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
  samples = read(slice(first, min(last, shape[0])), slice(start, stop))

  def part(index):
    replicas = np.arange(full[0])[index[0]].clip(max=shape[0] - 1) - first
    rows = np.arange(full[1])[index[1]] - start
    return samples[replicas[0] : replicas[-1] + 1, rows[0] : rows[-1] + 1][
      replicas - replicas[0]
    ]

  return _filled(full, sharding, part)


def to_host(tree: Any) -> Any:
  """Copies arrays to the host; every process gets all of each."""
  if jax.process_count() == 1:
    return jax.device_get(tree)
  with jax.transfer_guard('allow'):
    return multihost_utils.process_allgather(tree, tiled=True)


def broadcast_list(numbers: Sequence[int]) -> list[int]:
  """Returns the numbers of the first process; all processes must call it."""
  if jax.process_count() == 1:
    return list(numbers)
  sent = np.zeros(broadcast_from_first(len(numbers)), np.int32)
  if is_first():
    sent[:] = numbers
  if not len(sent):
    return []
  with jax.transfer_guard('allow'):
    return np.asarray(multihost_utils.broadcast_one_to_all(sent)).tolist()


def is_first() -> bool:
  """Returns whether this process is the first one, which alone writes files.

  It starts no backend: a process that only starts others must not take devices.
  """
  return not jax.distributed.is_initialized() or jax.process_index() == 0


@contextlib.contextmanager
def all_or_none() -> Iterator[None]:
  """Makes its body succeed in every process, or fail in every process.

  Without it, one process would end and the others wait for it. The body must
  not wait for other processes itself.

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
      'another process of this run has failed; mend what its error names'
    )


def any_process(flag: bool) -> bool:
  """Returns whether the flag is set in any process; all must call it."""
  if jax.process_count() == 1:
    return flag
  with jax.transfer_guard('allow'):
    return bool(multihost_utils.process_allgather(np.asarray(flag)).any())


def broadcast_from_first(number: int) -> int:
  """Returns the number of the first process; all processes must call it."""
  if jax.process_count() == 1:
    return number
  with jax.transfer_guard('allow'):
    return int(multihost_utils.broadcast_one_to_all(np.int32(number)))
