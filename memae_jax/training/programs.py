"""The compiled programs of a fleet, and how samples come to them.

`Resident` holds all samples on the device, `Streaming` reads batches ahead on
the host. They offer the same functions and give the same results; nothing
else in the code knows which one runs.
"""

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from memae_jax import writers
from memae_jax.data import feed, transforms, types
from memae_jax.training import fleet, step


class Programs:
  """What both have in common.

  name: of the feed. resident_bytes: raw samples that stay on each device.
  """

  name: str
  resident_bytes = 0

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
      splits: one for each replica.
      inputs: raw samples, on the host.
      steps: of the run.
    """
    self._trainer, self._mesh, self._steps = trainer, mesh, steps
    self._how = config.train.fleet_map
    self._block = config.eval.batch_size
    self._splits, self._host_inputs = splits, inputs
    self._seeds = hyper.seed
    self.hyper = self._split(hyper)
    self.transform = self._split(
      types.Transform(
        *(np.stack(part) for part in zip(*(s.transform for s in splits)))
      )
    )

  def init(self) -> step.ReplicaState:
    """Returns the fleet's state before the first step."""
    return self._init(*self._init_args())

  def init_shapes(self) -> step.ReplicaState:
    """Shapes and types of that state."""
    return self._init.eval_shape(*self._init_args())

  def run(
    self, state: step.ReplicaState, start: int, stop: int
  ) -> tuple[step.ReplicaState, step.Sums]:
    """Takes the steps from `start` to `stop`; donates the state."""
    raise NotImplementedError

  def score(
    self,
    weights: Any,
    rows: Sequence[np.ndarray],
    with_maps: bool = False,
    label: str = '',
  ) -> step.Scored:
    """Scores samples.

    Args:
      weights: has `params` and `batch_stats` of the fleet.
      rows: indices of samples, one array for each replica.
      with_maps: also the errors of the pixels.
      label: shows progress under that name.

    Returns:
      [R, K, ...] of each sample, padded at the end, and the totals of the
      reads without padding; on the host.
    """
    index, real = self._blocks(rows)
    count = index.shape[1]
    read = lambda i: (self._place(index[:, i]), self._split(real[:, i]))
    progress = writers.Progress(label, count) if label else None
    blocks = self._ahead(read, count)
    scored = self._score_read(weights, blocks, with_maps, progress)
    if progress:
      progress.close()
    return scored

  def _place(self, index: np.ndarray) -> jax.Array:
    """Raw samples [R, B, ...] of the indices [R, B], on the devices."""
    raise NotImplementedError

  def _ahead(self, read: Callable[[int], Any], count: int) -> Iterable[Any]:
    """Yields read(0) ... read(count - 1)."""
    return map(read, range(count))

  def score_raw(
    self, weights: Any, raw: Sequence[feed.Inputs], with_maps: bool = False
  ) -> step.Scored:
    """As `score`, of raw samples that are no part of the data set.

    Args:
      weights: as there.
      raw: [n_r, ...] samples of each replica, on the host.
      with_maps: as there.

    Returns:
      As there.
    """
    index, real = self._blocks([np.arange(len(one)) for one in raw])

    def read(number):
      part = [one[rows] for one, rows in zip(raw, index[:, number])]
      return self._split(np.stack(part)), self._split(real[:, number])

    blocks = map(read, range(index.shape[1]))
    return self._score_read(weights, blocks, with_maps)

  def _score_read(
    self,
    weights: Any,
    blocks: Iterable[tuple[jax.Array, jax.Array]],
    with_maps: bool,
    progress: writers.Progress | None = None,
  ) -> step.Scored:
    """Scores blocks of raw samples [R, B, ...] and what of them is real."""
    weights, scored = step.weights(weights), []
    for raw, real in blocks:
      scored.append(
        self._score_block(
          with_maps, weights, self.hyper, self.transform, raw, real
        )
      )
      # The one before must be done, or blocks would pile up on the device.
      scored[-2:-1] = jax.device_get(scored[-2:-1])
      if progress:
        progress.at(len(scored), f'{len(scored)} blocks of samples')
    parts = jax.device_get(scored)
    return _joined(jax.tree.map(lambda *x: np.stack(x, axis=1), *parts))

  @functools.cached_property
  def _score_block(self):
    def score(with_maps, *mapped):
      def one(mapped):
        weights, hyper, transform, raw, real = mapped
        x = transforms.apply(raw, transform)
        return self._trainer.score(weights, hyper, x, real, with_maps)

      return self._mapped(one)(mapped)

    return jax.jit(score, static_argnums=0)

  def validate(
    self, state: step.ReplicaState, now: int
  ) -> tuple[step.ReplicaState, jax.Array, Any]:
    """Scores the validation normals and keeps the best weights.

    Returns:
      The state (the given one is donated), the mean errors [R] and the totals
      of the reads.
    """
    rows = [split.validation for split in self._splits]
    scored = self.score(state, rows)
    _, real = self._blocks(rows)
    state, error = self._keep_best(
      state,
      self._split(scored.error),
      self._split(real.reshape(len(rows), -1)),
      self._share(np.int32(now)),
    )
    return state, error, scored.reads

  def feed_facts(self) -> dict[str, float]:
    """What the feed has to say about the last `run`."""
    return {}

  @functools.cached_property
  def _keep_best(self):
    return jax.jit(
      lambda state, error, real, now: self._mapped(
        self._trainer.keep_best_weights
      )((state, error, real), now),
      donate_argnums=0,
    )

  def _blocks(self, rows) -> tuple[np.ndarray, np.ndarray]:
    """Index arrays [n_r] as [R, N, B] blocks of one size, and what is real."""
    index, counts = fleet.pad_rows([np.asarray(r, np.int32) for r in rows])
    size = min(self._block, index.shape[1])
    index = np.pad(index, ((0, 0), (0, -index.shape[1] % size)))
    real = np.arange(index.shape[1]) < counts[:, None]
    shape = len(rows), -1, size
    return index.reshape(shape), real.reshape(shape)

  def _mapped(self, function):
    return fleet.over_replicas(function, self._mesh, self._how)

  def _run_once(self, function):
    """Compiles a function for one call: on CPUs, quickly rather than well."""
    on_cpu = self._mesh.devices.flat[0].platform == 'cpu'
    quickly = {'xla_backend_optimization_level': 0}
    return jax.jit(function, compiler_options=quickly if on_cpu else None)

  def _share(self, tree):
    """A copy of host values on each device."""
    return fleet.place(tree, self._mesh, mapped=False)

  def _split(self, tree):
    """Host values [R, ...] spread over the devices."""
    return fleet.place(tree, self._mesh, mapped=True)


def _joined(scored: step.Scored) -> step.Scored:
  """Puts blocks [R, N, ...] together."""
  flat = lambda x: x.reshape(len(x), -1, *x.shape[3:])
  total = jax.tree.map(lambda x: x.sum(axis=1), scored.reads)
  return jax.tree.map(flat, scored._replace(reads=None))._replace(reads=total)


class Resident(Programs):
  """All raw samples on each device; batches are gathered in the programs.

  inputs: [S, ...] raw samples. data: [R, ...] of the fleet.
  """

  name = 'resident'

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self.resident_bytes = feed.nbytes(self._host_inputs)
    self.inputs = self._share(feed.resident(self._host_inputs))
    train, counts = fleet.pad_rows([s.train for s in self._splits])
    self.data = step.ReplicaData(
      self._split(train), self._split(counts), self.transform
    )

  def _init_args(self):
    return self.hyper, self.data, self.inputs

  @functools.cached_property
  def _init(self):
    size = self._trainer.init_samples

    def one(mapped, inputs):
      hyper, data = mapped
      samples = step.batch_at(data, inputs, hyper.seed, 0, size)
      return self._trainer.init(hyper, samples)

    return self._run_once(
      lambda hyper, data, inputs: self._mapped(one)((hyper, data), inputs)
    )

  def run(self, state, start, stop):
    """See `Programs`. Many steps are one call."""
    bounds = self._share((np.int32(start), np.int32(stop)))
    return self._run(state, self.hyper, self.data, self.inputs, *bounds)

  @functools.cached_property
  def _run(self):
    return jax.jit(
      lambda state, hyper, data, inputs, start, stop: self._mapped(
        self._trainer.run
      )((state, hyper, data), inputs, start, stop),
      donate_argnums=0,
    )

  def _place(self, index):
    return self._gather(self._split(index), self.inputs)

  @functools.cached_property
  def _gather(self):
    return jax.jit(self._mapped(lambda index, inputs: inputs[index]))


class Streaming(Programs):
  """Batches are read ahead on the host and placed on the devices.

  Reading keeps ahead from one `run` to the next.
  """

  name = 'streaming'

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self._order = feed.TrainingOrder(
      [split.train for split in self._splits], self._seeds.tolist()
    )
    self._batches: Iterator[Any] = iter(())
    self._at = -1  # The step of the next batch.
    self._waited = 0.0  # Share of the last `run`.

  def _place(self, index):
    return self._split(feed.gather(self._host_inputs, index))

  def _init_args(self):
    raw = self._place(self._order.rows(0, self._trainer.init_samples))
    return self.hyper, self.transform, raw

  @functools.cached_property
  def _init(self):
    def one(mapped):
      hyper, transform, raw = mapped
      return self._trainer.init(hyper, transforms.apply(raw, transform))

    return self._run_once(lambda *mapped: self._mapped(one)(mapped))

  def _batch(self, now: int) -> tuple[jax.Array, jax.Array]:
    size = self._trainer.batch_size
    raw = self._place(self._order.rows(now * size, size))
    return raw, self._share(np.int32(now))

  def run(self, state, start, stop):
    """See `Programs`. Sums stay on the device until all steps are taken."""
    if start != self._at:
      self._batches = feed.ahead(self._batch, start, self._steps)
    begun, waited, sums = time.perf_counter(), 0.0, None
    for at in range(start, stop):
      asked = time.perf_counter()
      raw, now = next(self._batches)
      self._at = at + 1
      waited += time.perf_counter() - asked
      before = sums
      state, new = self._step(state, self.hyper, self.transform, raw, now)
      sums = new if before is None else self._added(before, new)
      # The step before must be done, or batches would pile up on the device.
      jax.block_until_ready(before)
    jax.block_until_ready(sums)
    self._waited = waited / (time.perf_counter() - begun)
    return state, sums

  @functools.cached_property
  def _step(self):
    def one(mapped, now):
      state, hyper, transform, raw = mapped
      return self._trainer.step(
        state, hyper, transforms.apply(raw, transform), now
      )

    return jax.jit(
      lambda state, hyper, transform, raw, now: self._mapped(one)(
        (state, hyper, transform, raw), now
      ),
      donate_argnums=0,
    )

  @functools.cached_property
  def _added(self):
    return jax.jit(step.added)

  def feed_facts(self) -> dict[str, float]:
    """See `Programs`."""
    return {'input_wait_fraction': self._waited}

  def _ahead(self, read, count):
    return feed.ahead(read, 0, count)


KINDS = {kind.name: kind for kind in (Resident, Streaming)}
