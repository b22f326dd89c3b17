"""The compiled programs of a fleet, however samples come to them.

See `feeds` for the two ways: they offer the same functions and give the same
results; nothing else in the code knows which one runs.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from memae_jax.data import feed, transforms, types
from memae_jax.memory import usage
from memae_jax.methods import base
from memae_jax.runtime import parallel, progress_bar
from memae_jax.training import fleet, step

_LARGE = 2**28  # Bytes of slots.
_READS = usage.ReadTotals(*[parallel.BY_REPLICA] * 4, usage=parallel.BY_SLOT)


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

  def init(self) -> step.ReplicaState:
    """Returns the fleet's state before the first step."""
    return self._init(*self._init_args())

  @functools.cached_property
  def init_shapes(self) -> step.ReplicaState:
    """Shapes, types and shardings of that state."""
    samples = jax.ShapeDtypeStruct(
      (self._trainer.init_samples, *self._host_inputs.shape[1:]), np.float32
    )
    shapes = jax.eval_shape(
      jax.vmap(self._trainer.init, (0, None)), self._host_hyper, samples
    )
    return parallel.widened(shapes, self._mesh, self._memories)

  @property
  def real_shapes(self) -> tuple[tuple[int, ...], ...]:
    """Shapes of the leaves of that state without padding."""
    return parallel.real_shapes(
      self.init_shapes, len(self._splits), self._memories
    )

  @functools.cached_property
  def _state_specs(self) -> step.ReplicaState:
    return parallel.specs(self.init_shapes, self._memories)

  @property
  def _weight_specs(self) -> step.Weights:
    return step.weights(self._state_specs)

  @property
  def _memories(self) -> Mapping[base.Path, int]:
    return self._trainer.method.memories

  @property
  def _total_specs(self) -> dict[str, Any]:
    return {base.memory_name(path): _READS for path in self._memories}

  @property
  def _sum_specs(self) -> step.Sums:
    sums = step.Sums(*[parallel.BY_REPLICA] * len(step.Sums._fields))
    return sums._replace(totals=self._total_specs)

  @functools.cached_property
  def score_names(self) -> tuple[str, ...]:
    """Names of the scores that the method gives, its own first."""
    one = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype),
      step.weights(self.init_shapes),
    )
    hyper = jax.tree.map(lambda x: x[0], self._host_hyper)
    x = jax.ShapeDtypeStruct((1, *self._host_inputs.shape[1:]), np.float32)
    mask, index = np.ones(1, bool), np.zeros(1, np.int32)
    found = jax.eval_shape(self._trainer.score, one, hyper, x, mask, index)
    return tuple(found.scores)

  def slots(self, weights: Any, index: int) -> dict[base.Path, jax.Array]:
    """The slots [N, C] of each memory of one replica, on the host, padded not.

    Args:
      weights: of the fleet.
      index: of the replica.
    """
    variables = self.one(weights, index).variables
    return {path: base.slots_of(variables, path) for path in self._memories}

  @property
  def is_large(self) -> bool:
    """Whether the slots of a replica are too many to be looked at."""
    variables = step.weights(self.init_shapes).variables
    slots = [base.slots_of(variables, path) for path in self._memories]
    return sum(4 * x.shape[1] * x.shape[2] for x in slots) > _LARGE

  def one(self, weights: Any, index: int) -> step.Weights:
    """The weights of one replica, on the host: not for `is_large` memories.

    Args:
      weights: has `params` and `collections` of the fleet.
      index: of the replica.
    """
    at = self._share(np.int32(index))
    found = parallel.to_host(self._pick(step.weights(weights), at))
    return parallel.without_padding(found, self._memories)

  def method_hyper(self, index: int) -> Any:
    """The values of one replica that its method takes, on the host."""
    return jax.tree.map(lambda x: x[index], self._host_hyper.method)

  @functools.cached_property
  def _pick(self):
    return jax.jit(
      lambda tree, index: jax.tree.map(lambda x: x[index], tree),
      out_shardings=jax.sharding.NamedSharding(self._mesh, parallel.ALIKE),
    )

  def run(
    self, state: step.ReplicaState, start: int, stop: int
  ) -> tuple[step.ReplicaState, step.Sums]:
    """Takes the steps from `start` to `stop`; donates the state."""
    raise NotImplementedError

  def run_call(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """The trace of what `run` calls, and shapes to take it of.

    Within `parallel.abstract`.
    """
    raise NotImplementedError

  def score_call(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """As `run_call`, of what `score` calls for a block of the test set."""
    index, real = self._blocks([split.test for split in self._splits])
    return functools.partial(self._score_block.trace, frozenset()), (
      step.weights(self.init_shapes),
      self.hyper,
      self.transform,
      self._raw_like(index[:, 0]),
      *self._by_sample((real[:, 0], index[:, 0])),
    )

  def _raw_like(self, index: np.ndarray) -> Any:
    """Zeros in place of the raw samples of the indices [R, B]."""
    shape = *index.shape, *self._host_inputs.shape[1:]
    zero = np.zeros((), self._host_inputs.dtype)
    return self._by_sample(np.broadcast_to(zero, shape))

  def score(
    self,
    weights: Any,
    rows: Sequence[np.ndarray],
    wanted: Iterable[str] = (),
    label: str = '',
  ) -> base.Prediction:
    """Scores samples.

    Args:
      weights: has `params` and `collections` of the fleet.
      rows: indices of samples, one array for each replica.
      wanted: large fields that are wanted, see `step.Trainer.score`.
      label: shows progress under that name.

    Returns:
      [R, K, ...] of each sample, padded at the end, and the totals of the
      reads without padding; on the host.
    """
    index, real = self._blocks(rows)
    count = index.shape[1]
    read = lambda i: (
      self._place(index[:, i]),
      *self._by_sample((real[:, i], index[:, i])),
    )
    progress = progress_bar.Progress(label, count) if label else None
    blocks = self._ahead(read, count)
    scored = self._score_read(weights, blocks, wanted, progress)
    if progress:
      progress.close()
    return scored

  def warm_up(
    self, weights: Any, rows: Sequence[np.ndarray], wanted: Iterable[str] = ()
  ) -> None:
    """Scores the first block of what `score` is about to, so all is compiled.

    Args:
      weights, rows, wanted: as there.
    """
    size = self._blocks(rows)[0].shape[-1]
    self.score(weights, [one[:size] for one in rows], wanted)

  def _place(self, index: np.ndarray) -> jax.Array:
    """Raw samples [R, B, ...] of the indices [R, B], on the devices."""
    raise NotImplementedError

  def _ahead(self, read: Callable[[int], Any], count: int) -> Iterable[Any]:
    """Yields read(0) ... read(count - 1)."""
    return map(read, range(count))

  def score_raw(
    self,
    weights: Any,
    raw: Sequence[feed.Inputs],
    wanted: Iterable[str] = (),
  ) -> base.Prediction:
    """As `score`, of raw samples that are no part of the data set.

    Args:
      weights: as there.
      raw: [n_r, ...] samples of each replica, on the host.
      wanted: as there.

    Returns:
      As there.
    """
    index, real = self._blocks([np.arange(len(one)) for one in raw])

    def read(number):
      part = [one[rows] for one, rows in zip(raw, index[:, number])]
      return self._by_sample(
        (np.stack(part), real[:, number], index[:, number])
      )

    blocks = map(read, range(index.shape[1]))
    return self._score_read(weights, blocks, wanted)

  def _score_read(
    self,
    weights: Any,
    blocks: Iterable[tuple[jax.Array, jax.Array, jax.Array]],
    wanted: Iterable[str],
    progress: progress_bar.Progress | None = None,
  ) -> base.Prediction:
    """Scores blocks of raw samples [R, B, ...], what is real, and which."""
    weights, scored = step.weights(weights), []
    wanted = frozenset(wanted)
    for raw, real, index in blocks:
      scored.append(
        self._score_block(
          wanted, weights, self.hyper, self.transform, raw, real, index
        )
      )
      # The one before must be done, or blocks would pile up on the device.
      scored[-2:-1] = map(self.to_host, scored[-2:-1])
      if progress:
        progress.at(len(scored), 'blocks of samples')
    scored[-1] = self.to_host(scored[-1])
    return _joined(jax.tree.map(lambda *x: np.stack(x, axis=1), *scored))

  @functools.cached_property
  def _score_block(self):
    def score(wanted, *mapped):
      def one(mapped):
        weights, hyper, transform, raw, real, index = mapped
        x = transforms.apply(raw, transform)
        return self._part.score(weights, hyper, x, real, index, wanted)

      given = (
        self._weight_specs,
        *[parallel.BY_REPLICA] * 2,
        *[parallel.BY_SAMPLE] * 3,
      )
      result = base.Prediction(
        *[parallel.BY_SAMPLE] * len(base.Prediction._fields)
      )._replace(totals=self._total_specs)
      return self._mapped(one, given, result)(mapped)

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
    name, _ = self._trainer.method.criterion
    state, error = self._keep_best(
      state,
      self._split(scored.scores[name]),
      self._split(real.reshape(len(rows), -1)),
      self._share(np.int32(now)),
    )
    return state, self.to_host(error), scored.totals

  def collect(
    self, state: step.ReplicaState, number: int, round_: int
  ) -> tuple[step.ReplicaState, bool]:
    """Takes a pass over the training normals.

    Args:
      state: of the fleet.
      number: of the stage that the pass belongs to.
      round_: its number in that stage.

    Returns:
      The state after it, and whether no replica needs another pass.
    """
    stage = self._trainer.method.stages[number]
    rows = [self._some(i, stage.most) for i in range(len(self._splits))]
    found = self._collected(state, rows, number, round_)
    weights = self.to_host(step.weights(state))
    weights = parallel.without_padding(weights, self._memories, axis=1)
    one = lambda tree, i: jax.tree.map(lambda x: np.asarray(x[i]), tree)
    made = []
    for i, seed in enumerate(self._host_hyper.seed.tolist()):
      part = one(found, i)
      if stage.keeps == 'rows':
        part = jax.tree.map(lambda x, i=i: x[: len(rows[i])], part)
      made.append(
        self._trainer.method.finish(
          one(weights, i).variables,
          part,
          self.method_hyper(i),
          number,
          round_,
          np.random.default_rng([seed, number, round_]),
        )
      )
    now = [step.split(variables) for variables, _ in made]
    now = jax.tree.map(lambda *x: np.stack(x), *now)
    shapes = step.weights(self.init_shapes)
    placed = parallel.place_like(now, shapes)
    state = state.replace(params=placed.params, collections=placed.collections)
    return state, all(done for _, done in made)

  def _some(self, index: int, most: int) -> np.ndarray:
    """Training samples of a replica, at most so many of them."""
    rows = self._splits[index].train
    if not most or len(rows) <= most:
      return rows
    rng = np.random.default_rng([int(self._host_hyper.seed[index]), most])
    return np.sort(rng.choice(rows, most, replace=False))

  def _collected(self, state, rows, number: int, round_: int) -> Any:
    """What the method takes of samples: rows [R, K, ...], or sums [R, ...]."""
    keeps = self._trainer.method.stages[number].keeps
    index, real = self._blocks(rows)
    weights, parts, total = step.weights(state), [], None
    for i in range(index.shape[1]):
      part = self.to_host(
        self._collect_block(
          number,
          weights,
          self.hyper,
          self.transform,
          self._place(index[:, i]),
          self._by_sample(real[:, i]),
          self._share(np.int32(round_)),
        )
      )
      if keeps == 'rows':
        parts.append(part)
        continue
      part = jax.tree.map(lambda x: x.astype(np.float64), part)
      total = part if total is None else jax.tree.map(np.add, total, part)
    if keeps == 'sum':
      return total
    return jax.tree.map(lambda *x: np.concatenate(x, axis=1), *parts)

  @functools.cached_property
  def _collect_block(self):
    def collect(number, *given):
      *mapped, round_ = given
      by_row = self._trainer.method.stages[number].keeps == 'rows'

      def one(mapped, round_):
        weights, hyper, transform, raw, real = mapped
        found = self._part.method.collect(
          weights.variables,
          transforms.apply(raw, transform),
          hyper.method,
          real,
          number,
          round_,
        )
        return found if by_row else self._part.across.sum(found)

      where = (
        self._weight_specs,
        *[parallel.BY_REPLICA] * 2,
        *[parallel.BY_SAMPLE] * 2,
      )
      result = parallel.BY_SAMPLE if by_row else parallel.BY_REPLICA
      return self._mapped(one, where, result)(tuple(mapped), round_)

    return jax.jit(collect, static_argnums=0)

  def feed_facts(self) -> dict[str, float]:
    """What the feed has to say about the last `run`."""
    return {}

  @functools.cached_property
  def _keep_best(self):
    by = parallel.BY_REPLICA
    mapped = self._mapped(
      self._part.keep_best_weights,
      (self._state_specs, by, by),
      (self._state_specs, by),
    )
    return jax.jit(
      lambda state, error, real, now: mapped((state, error, real), now),
      donate_argnums=0,
    )

  def _blocks(self, rows) -> tuple[np.ndarray, np.ndarray]:
    """Index arrays [n_r] as [R, N, B] blocks of one size, and what is real."""
    index, counts = fleet.pad_rows([np.asarray(r, np.int32) for r in rows])
    size = min(self._block, index.shape[1])
    size = parallel.padded(size, self._mesh.shape[parallel.DATA])
    index = np.pad(index, ((0, 0), (0, -index.shape[1] % size)))
    real = np.arange(index.shape[1]) < counts[:, None]
    shape = len(rows), -1, size
    return index.reshape(shape), real.reshape(shape)

  def _mapped(
    self, function, given=parallel.BY_REPLICA, result=parallel.BY_REPLICA
  ):
    return fleet.over_replicas(function, self._mesh, self._how, given, result)

  def _run_once(self, function):
    """Compiles a function for one call: on CPUs, quickly rather than well."""
    on_cpu = self._mesh.devices.flat[0].platform == 'cpu'
    quickly = {'xla_backend_optimization_level': 0}
    return jax.jit(function, compiler_options=quickly if on_cpu else None)

  def _share(self, tree):
    """A copy of host values on each device."""
    return parallel.place(tree, self._mesh, parallel.ALIKE)

  def _split(self, tree):
    """Host values [R, ...] spread over the devices."""
    return parallel.place(tree, self._mesh, parallel.BY_REPLICA)

  def _by_sample(self, tree):
    """Host values [R, B, ...] spread over the devices."""
    return parallel.place(tree, self._mesh, parallel.BY_SAMPLE)

  def to_host(self, tree: Any) -> Any:
    """Values [R, ...] of the fleet on the host, without padding.

    Padded slots were never used.
    """
    replicas = len(self._splits)
    return jax.tree.map(lambda x: x[:replicas], parallel.to_host(tree))


def _joined(scored: base.Prediction) -> base.Prediction:
  """Puts blocks [R, N, ...] together."""
  flat = lambda x: x.reshape(len(x), -1, *x.shape[3:])
  totals = jax.tree.map(lambda x: x.sum(axis=1), scored.totals)
  return jax.tree.map(flat, scored._replace(totals={}))._replace(totals=totals)
