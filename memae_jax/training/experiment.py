"""An experiment rebuilt from its config: data, fleet, network, programs.

Training and evaluation both start here, so they cannot disagree.
"""

import dataclasses
import functools
import logging
import math
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from memae_jax import errors
from memae_jax.data import protocols, sources, types
from memae_jax.models import memae
from memae_jax.training import fleet, step

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Experiment:
  """Everything but the weights.

  splits: one for each replica; replicas of the same seed and class share it.
  inputs: [S, ...] raw samples on the device (the resident feed).
  hyper, data: [R, ...] of the fleet, on the device.
  steps: training steps of the run. log_every, validate_every,
    checkpoint_every: resolved intervals, multiples of the first.
  """

  config: Any
  source: types.Source
  identity: dict[str, str]
  replicas: tuple[fleet.Replica, ...]
  splits: tuple[types.Split, ...]
  mesh: jax.sharding.Mesh
  trainer: step.Trainer
  inputs: jax.Array
  hyper: fleet.Hyper
  data: step.ReplicaData
  steps: int
  log_every: int
  validate_every: int
  checkpoint_every: int

  def _mapped(self, function: Callable) -> Callable:
    return fleet.over_replicas(function, self.mesh, self.config.train.fleet_map)

  @functools.cached_property
  def init(self) -> Callable[[], step.ReplicaState]:
    """Returns the fleet's state before the first step."""
    program = jax.jit(
      lambda hyper, data, inputs: self._mapped(self.trainer.init)(
        (hyper, data), inputs
      )
    )
    return lambda: program(self.hyper, self.data, self.inputs)

  @functools.cached_property
  def run(self) -> Callable:
    """(state, start, stop) -> (state, sums); donates the state."""
    program = jax.jit(
      lambda state, hyper, data, inputs, start, stop: self._mapped(
        self.trainer.run
      )((state, hyper, data), inputs, start, stop),
      donate_argnums=0,
    )
    return lambda state, start, stop: program(
      state,
      self.hyper,
      self.data,
      self.inputs,
      self.share(np.int32(start)),
      self.share(np.int32(stop)),
    )

  @functools.cached_property
  def validate(self) -> Callable:
    """(state, step) -> (state, error [R], reads); donates the state."""
    block = self._block(max(len(s.validation) for s in self.splits))
    index, count = self.index_rows([s.validation for s in self.splits], block)
    program = jax.jit(
      lambda state, hyper, transform, index, count, inputs, now: self._mapped(
        functools.partial(self.trainer.validate, block=block)
      )((state, hyper, transform, index, count), inputs, now),
      donate_argnums=0,
    )
    return lambda state, now: program(
      state,
      self.hyper,
      self.data.transform,
      index,
      count,
      self.inputs,
      self.share(np.int32(now)),
    )

  @functools.cached_property
  def score(self) -> Callable:
    """(weights, rows) -> `step.Scored` [R, K] of rows: one array a replica."""

    @functools.partial(jax.jit, static_argnames='block')
    def program(weights, hyper, transform, index, count, inputs, block):
      return self._mapped(functools.partial(self.trainer.score, block=block))(
        (weights, hyper, transform, index, count), inputs
      )

    def score(weights, rows):
      block = self._block(max(len(row) for row in rows))
      index, count = self.index_rows(rows, block)
      return program(
        weights,
        self.hyper,
        self.data.transform,
        index,
        count,
        self.inputs,
        block=block,
      )

    return score

  def _block(self, longest: int) -> int:
    return min(self.config.eval.batch_size, longest)

  def index_rows(self, rows, block: int) -> tuple[jax.Array, jax.Array]:
    """Places [n_r] index arrays as [R, K], K a multiple of `block`."""
    index, counts = fleet.pad_rows([np.asarray(r, np.int32) for r in rows])
    extra = -index.shape[1] % block
    index = np.pad(index, ((0, 0), (0, extra)))
    return self.split((index, counts))

  def share(self, tree):
    """A copy of host values on each device."""
    return fleet.place(tree, self.mesh, mapped=False)

  def split(self, tree):
    """Host values [R, ...] spread over the devices."""
    return fleet.place(tree, self.mesh, mapped=True)


def _intervals(config: Any, steps: int) -> tuple[int, int, int]:
  """log, validation and checkpoint intervals; multiples of the first."""
  log = config.log_every or max(1, steps // 100)
  multiple = lambda wanted, parts: (
    log * max(1, round((wanted or steps / parts) / log))
  )
  return (
    log,
    multiple(config.validate_every, 20),
    multiple(config.checkpoint_every, 10),
  )


def build(config: Any) -> Experiment:
  """Loads the data, makes the splits and describes the programs.

  Args:
    config: from `config.resolve`.

  Raises:
    UserError: the data are missing or do not fit the config.
  """
  source = sources.load(config.data)
  identity = {
    'data_sha256': sources.data_sha256(source),
    'label_sha256': sources.label_sha256(source),
  }
  replicas = fleet.replicas(config)
  _LOG.info(
    '%s: %d samples of shape %s, %d replicas',
    source.name,
    len(source.inputs),
    source.inputs.shape[1:],
    len(replicas),
  )
  made: dict[Any, types.Split] = {}
  for replica in replicas:
    key = replica.seed, replica.normal_class
    if key not in made:
      made[key] = protocols.split(source, config.data, *key)
  splits = tuple(made[r.seed, r.normal_class] for r in replicas)

  sizes = [len(s.train) for s in splits]
  slots = None
  if any(r.variant != 'ae' for r in replicas):
    slots = max(r.slots for r in replicas)
    if slots > min(sizes):
      raise errors.UserError(
        f'the memory has {slots} slots, but a replica has only {min(sizes)}'
        ' training samples; lower model.memory.slots'
      )
  batch = config.train.batch_size
  steps = math.ceil(config.train.epochs * max(sizes) / batch)
  if steps * batch >= 2**32:
    raise errors.UserError(
      f'{steps} steps of {batch} samples pass 2**32; lower train.epochs'
    )
  log, validation, checkpoint = _intervals(config.train, steps)
  trainer = step.Trainer(
    model=memae.build(config.model, source.inputs.shape[1:], slots),
    optimizer=step.optimizer(config.train),
    schedule=step.schedule(config.train, steps),
    batch_size=batch,
    memory_init=config.model.memory.init,
    keep_best=config.eval.checkpoint == 'validation',
  )
  mesh = fleet.mesh(len(replicas))
  train, counts = fleet.pad_rows([s.train for s in splits])
  transform = types.Transform(
    *(np.stack(part) for part in zip(*(s.transform for s in splits)))
  )
  return Experiment(
    config=config,
    source=source,
    identity=identity,
    replicas=replicas,
    splits=splits,
    mesh=mesh,
    trainer=trainer,
    inputs=fleet.place(source.inputs, mesh, mapped=False),
    hyper=fleet.place(fleet.hyper(replicas), mesh, mapped=True),
    data=fleet.place(
      step.ReplicaData(train, counts, transform), mesh, mapped=True
    ),
    steps=steps,
    log_every=log,
    validate_every=validation,
    checkpoint_every=checkpoint,
  )
