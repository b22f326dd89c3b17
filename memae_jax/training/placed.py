"""A fleet on the devices: where its values lie, and how they get there."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from memae_jax.data import feed, types
from memae_jax.memory import usage
from memae_jax.methods import base
from memae_jax.runtime import parallel
from memae_jax.training import fleet, step

_LARGE = 2**28  # Bytes of the slots of a replica.
_READS = usage.ReadTotals(*[parallel.BY_REPLICA] * 4, usage=parallel.BY_SLOT)


class Placed:
  """A fleet whose values lie on a mesh; base of both feeds.

  name: of the feed. rounded: whether numbers of samples are rounded up by
  padding, so that other numbers need no other program. resident_bytes: bytes of
  raw samples that stay on each device. hyper, transform: values and input
  transforms of the replicas, [R] each, on the devices.
  """

  name: str
  resident_bytes = 0
  rounded = False

  def __init__(
    self,
    trainer: step.Trainer,
    mesh: jax.sharding.Mesh,
    config: Any,
    hyper: fleet.Hyper,
    splits: Sequence[types.Split],
    inputs: feed.Inputs,
    steps: int,
  ):
    """Describes the programs; each compiles when it is first used.

    Args:
      trainer: single-replica code.
      mesh: of the fleet.
      config: resolved.
      hyper: [R] each, on the host.
      splits: one per replica.
      inputs: raw samples, on the host.
      steps: number of steps of the run.
    """
    self._trainer, self._part = trainer, trainer.within(mesh)
    self._mesh, self._steps = mesh, steps
    self._how = config.train.fleet_map
    self._block = config.eval.batch_size
    self._splits, self._host_inputs = splits, inputs
    self._host_hyper = hyper
    self.hyper = self._split(hyper)
    self.transform = self._split(
      jax.tree.map(lambda *x: np.stack(x), *(s.transform for s in splits))
    )

  @functools.cached_property
  def init_shapes(self) -> step.ReplicaState:
    """Shapes, types and shardings of the state of the fleet."""
    samples = jax.ShapeDtypeStruct(
      (self._trainer.init_samples, *self._host_inputs.shape[1:]), np.float32
    )
    shapes = jax.eval_shape(
      jax.vmap(self._trainer.init, (0, None)), self._host_hyper, samples
    )
    return parallel.padded_shapes(shapes, self._mesh, self._by_slot)

  @property
  def unpadded_shapes(self) -> tuple[tuple[int, ...], ...]:
    """Shapes of the leaves of the state without padding."""
    return parallel.unpadded_shapes(
      self.init_shapes, len(self._splits), self._by_slot
    )

  @functools.cached_property
  def _state_specs(self) -> step.ReplicaState:
    return parallel.specs(self.init_shapes, self._by_slot)

  @property
  def _weight_specs(self) -> step.Weights:
    return step.weights(self._state_specs)

  @property
  def _memories(self) -> Mapping[base.Path, int]:
    return self._trainer.method.memories

  @property
  def _by_slot(self) -> Mapping[base.Path, int]:
    return self._trainer.method.by_slot

  @property
  def _total_specs(self) -> dict[str, Any]:
    return {base.memory_name(path): _READS for path in self._memories}

  @property
  def _sum_specs(self) -> step.StepSums:
    sums = step.StepSums(*[parallel.BY_REPLICA] * len(step.StepSums._fields))
    return sums._replace(totals=self._total_specs)

  def slots(self, weights: Any, index: int) -> dict[base.Path, jax.Array]:
    """Returns the slots [N, C] of each memory of a replica, on the host.

    They have no padding.

    Args:
      weights: of the fleet.
      index: of the replica.
    """
    variables = self.one(weights, index).variables
    return {path: base.slots_of(variables, path) for path in self._memories}

  @property
  def is_large(self) -> bool:
    """True if the slots of a replica are too large to be inspected."""
    variables = step.weights(self.init_shapes).variables
    slots = [base.slots_of(variables, path) for path in self._memories]
    return sum(4 * x.shape[1] * x.shape[2] for x in slots) > _LARGE

  def one(self, weights: Any, index: int) -> step.Weights:
    """Returns the weights of a replica on the host, unless `is_large`.

    Args:
      weights: has `params` and `collections` of the fleet.
      index: of the replica.
    """
    at = self._share(np.int32(index))
    picked = parallel.to_host(self._pick(step.weights(weights), at))
    return parallel.without_padding(picked, self._by_slot)

  def method_hyper(self, index: int) -> Any:
    """Returns the values of one replica that its method takes, on the host."""
    return jax.tree.map(lambda x: x[index], self._host_hyper.method)

  @functools.cached_property
  def _pick(self):
    return jax.jit(
      lambda tree, index: jax.tree.map(lambda x: x[index], tree),
      out_shardings=jax.sharding.NamedSharding(self._mesh, parallel.REPLICATED),
    )

  def _place(self, index: np.ndarray) -> jax.Array:
    """Returns raw samples [R, B, ...] of indices [R, B], on the devices."""
    raise NotImplementedError

  def _blocks(self, rows) -> tuple[np.ndarray, np.ndarray]:
    """Returns R arrays [n_r] as blocks [R, N, B], and the mask of padding."""
    index, counts = fleet.pad_rows([np.asarray(r, np.int32) for r in rows])
    size = self._block if self.rounded else min(self._block, index.shape[1])
    size = parallel.padded(size, self._mesh.shape[parallel.DATA])
    index = np.pad(index, ((0, 0), (0, -index.shape[1] % size)))
    mask = np.arange(index.shape[1]) < counts[:, None]
    shape = len(rows), -1, size
    return index.reshape(shape), mask.reshape(shape)

  def _mapped(
    self, function, in_specs=parallel.BY_REPLICA, out_specs=parallel.BY_REPLICA
  ):
    """Maps code of one replica over the fleet, see `fleet.over_replicas`."""
    return fleet.over_replicas(
      function, self._mesh, self._how, in_specs, out_specs
    )

  def _run_once(self, function):
    """Compiles a function that is called once; on CPUs without optimisation."""
    on_cpu = self._mesh.devices.flat[0].platform == 'cpu'
    quickly = {'xla_backend_optimization_level': 0}
    return jax.jit(function, compiler_options=quickly if on_cpu else None)

  def _share(self, tree):
    """Copies host values to each device."""
    return parallel.place(tree, self._mesh, parallel.REPLICATED)

  def _split(self, tree):
    """Spreads host values [R, ...] over the devices."""
    return parallel.place(tree, self._mesh, parallel.BY_REPLICA)

  def _by_sample(self, tree):
    """Spreads host values [R, B, ...] over the devices."""
    return parallel.place(tree, self._mesh, parallel.BY_SAMPLE)

  def to_host(self, tree: Any) -> Any:
    """Copies values [R, ...] of the fleet to the host, without padding of R.

    Padding of slots stays; no read uses it.
    """
    replicas = len(self._splits)
    return jax.tree.map(lambda x: x[:replicas], parallel.to_host(tree))
