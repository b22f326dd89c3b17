"""A fleet: R independent replicas of one architecture in one program.

`replicas` lists them from the config. `over_replicas` is the one place that
maps single-replica code over the fleet and spreads it over devices; R = 1 is
the ordinary run, and nothing else in the code knows.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from memae_jax import config as config_lib
from memae_jax.methods import base, registry
from memae_jax.runtime import errors, parallel

# Axes of a fleet that some methods do not read, with their config fields.
_FIELDS = {
  'slots': 'model.memory.slots',
  'threshold': 'model.memory.threshold',
  'alpha': 'train.alpha',
}


class Replica(NamedTuple):
  """One independent run of the fleet; its fields are stored by these names.

  name: variant and all that varies in the fleet. variant: name of its method.
  seed: of split, initial weights and batches. normal_class: None where the
  protocol has none. slots: memory size N. threshold: shrinkage threshold as a
  multiple of 1/N, like the config field `model.memory.threshold`; what
  `memory` calls threshold is this divided by N. alpha: weight of the entropy.
  Both are 0 where the method does not read them.
  """

  name: str
  variant: str
  seed: int
  normal_class: int | None
  slots: int
  threshold: float
  alpha: float
  learning_rate: float

  @property
  def has_memory(self) -> bool:
    """True if its scores come out of slots."""
    return registry.find(self.variant).memories


class Hyper(NamedTuple):
  """Traced values of a replica (scalars), or of a fleet ([R] each).

  method: values of the family, from `base.Method.hyper`.
  """

  seed: jax.Array
  learning_rate: jax.Array
  method: Any


def replicas(config: Any) -> tuple[Replica, ...]:
  """Returns the replicas that the axes of `config.fleet` span.

  Replicas that differ only in fields that their method does not read are one.
  Two variants of the same seed and normal class share split and initial
  weights, so their results can be compared in pairs.
  """
  axes, model, train = config.fleet, config.model.memory, config.train
  grid = {
    'variant': axes.variants,
    'slots': axes.slots or (model.slots,),
    'threshold': axes.thresholds or (model.threshold,),
    'alpha': axes.alphas or (train.alpha,),
    'learning_rate': axes.learning_rates or (train.learning_rate,),
    'normal_class': axes.normal_classes or (None,),
    'seed': tuple(train.seed + i for i in range(axes.seeds)),
  }
  distinct = {}
  for values in itertools.product(*grid.values()):
    fields = dict(zip(grid, values))
    unread = [
      key
      for key, field in _FIELDS.items()
      if not registry.reads(fields['variant'], field)
    ]
    for key in unread:
      fields[key] = max(grid[key]) if key == 'slots' else 0.0
    parts = [fields['variant']] + [
      f'{key}={fields[key]}' for key in list(grid)[1:] if len(grid[key]) > 1
    ]
    replica = Replica('/'.join(parts), **fields)
    distinct.setdefault(tuple(fields.items()), replica)
  return tuple(distinct.values())


def families(config: Any) -> dict[str, tuple[Replica, ...]]:
  """Returns the replicas by family, in the order of `fleet.variants`."""
  by_family: dict[str, list[Replica]] = {}
  for name in config.fleet.variants:
    by_family.setdefault(registry.find(name).family, [])
  for family, group in by_family.items():
    group += [
      replica
      for replica in replicas(config_lib.of_family(config, family))
      if registry.find(replica.variant).family == family
    ]
  return {family: tuple(group) for family, group in by_family.items()}


def find(fleet: Sequence[Replica], name: str) -> int:
  """Returns the index of a replica by name; 0 if the name is empty.

  Raises:
    UserError: there is no replica of that name.
  """
  names = [replica.name for replica in fleet]
  if name and name not in names:
    raise errors.UserError(
      f'replica "{name}" is unknown' + errors.did_you_mean(name, names)
    )
  return names.index(name) if name else 0


def hyper(fleet: Sequence[Replica], config: Any, method: base.Method) -> Hyper:
  """Stacks the traced values of the replicas, [R] each, on the host.

  Args:
    fleet: from `replicas`.
    config: resolved.
    method: of their family.
  """
  column = lambda key, dtype: np.asarray(
    [getattr(r, key) for r in fleet], dtype
  )
  return Hyper(
    seed=column('seed', np.uint32),
    learning_rate=column('learning_rate', np.float32),
    method=method.hyper(fleet, config),
  )


def _faster(platform: str) -> str:
  """Returns the usual way to map a fleet on a platform: 'map' or 'vmap'.

  Measured on CPUs alone (benchmarks/fleet_images.py). On GPUs `vmap` turns the
  convolutions of the replicas into grouped ones, which may be slow: the third
  stage of benchmarks/accelerator measures both, and its result belongs here.
  """
  return 'map' if platform == 'cpu' else 'vmap'


def over_replicas(
  function: Callable,
  mesh: jax.sharding.Mesh,
  how: str = 'auto',
  in_specs: Any = parallel.BY_REPLICA,
  out_specs: Any = parallel.BY_REPLICA,
) -> Callable:
  """Maps `function(mapped, *shared)` over the leading axis of `mapped`.

  Args:
    function: code of one replica on one device; `mapped` is a tree of the
      values of this replica, or of the part of them that this device has.
    mesh: from `parallel.mesh`; each device runs its share of the replicas.
    how: 'vmap' batches the replicas of a device, 'map' runs one after
      another; 'auto' chooses by platform.
    in_specs: PartitionSpecs of the leaves of `mapped`: a tree, or its top.
    out_specs: PartitionSpecs of the leaves of the result, likewise.

  Returns:
    A function of (mapped, *shared) with [R, ...] leaves in `mapped` and in
    the result; `shared` is the same on all devices.
  """
  if how == 'auto':
    how = _faster(mesh.devices.flat[0].platform)

  def local(mapped, *shared):
    if how == 'vmap':
      return jax.vmap(lambda one: function(one, *shared))(mapped)
    return jax.lax.map(lambda one: function(one, *shared), mapped)

  def over_mesh(mapped, *shared):
    if mesh.size == 1:
      return local(mapped, *shared)
    return jax.shard_map(
      local,
      mesh=mesh,
      in_specs=(in_specs,) + (parallel.REPLICATED,) * len(shared),
      out_specs=out_specs,
      check_vma=False,
    )(mapped, *shared)

  return over_mesh


def pad_rows(rows: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
  """Stacks R arrays [n_r] into [R, max n], padded with 0, and counts [R].

  There is one column at least, so that programs have something to run on.
  """
  counts = np.asarray([len(row) for row in rows], np.int32)
  stacked = np.zeros((len(rows), max(1, *counts)), rows[0].dtype)
  for i, row in enumerate(rows):
    stacked[i, : len(row)] = row
  return stacked, counts
