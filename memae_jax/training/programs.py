"""The compiled programs of a fleet, whichever feed its samples come from.

The two feeds are in `feeds`. They offer the same functions and give the same
results; nothing else in the code knows which one runs.
"""

import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import numpy as np

from memae_jax.data import feed, transforms
from memae_jax.methods import base
from memae_jax.runtime import parallel, progress_bar
from memae_jax.training import passes, step

# What `take_compiled` takes; some of it only one of the feeds has.
_COMPILED = (
  'init_shapes',
  '_predicted',
  '_pick',
  '_init',
  '_run',
  '_gather',
  '_step',
  '_added',
  '_score_block',
  '_keep_best',
  '_collect_block',
)


class Programs(passes.Passes):
  """The programs that both feeds have in common: start, step, score."""

  def take_compiled(self, other: 'Programs') -> None:
    """Takes over the compiled functions of other programs of the same code.

    Args:
      other: of the same class, config, method, shapes of samples and mesh. It
        may be of other samples, or of a single one, which functions never see:
        they get all arrays as arguments.
    """
    for name in _COMPILED:
      if hasattr(type(self), name):
        self.__dict__[name] = getattr(other, name)

  def init(self) -> step.ReplicaState:
    """Returns the fleet's state before the first step."""
    return self._init(*self._init_args())

  @property
  def score_names(self) -> tuple[str, ...]:
    """Names of the scores that the method gives, its first one first."""
    return tuple(self._predicted.scores)

  @property
  def map_names(self) -> tuple[str, ...]:
    """Names of the scores that the method has maps of."""
    return tuple(self._predicted.maps)

  @functools.cached_property
  def _predicted(self) -> base.Prediction:
    """Shapes of what the method says of a sample."""
    # The code of one device reads all slots, and none of the padding.
    leaves, structure = jax.tree.flatten(self.init_shapes)
    one = [
      jax.ShapeDtypeStruct(shape[1:], leaf.dtype)
      for shape, leaf in zip(self.unpadded_shapes, leaves)
    ]
    one = step.weights(jax.tree.unflatten(structure, one))
    hyper = jax.tree.map(lambda x: x[0], self._host_hyper)
    x = jax.ShapeDtypeStruct((1, *self._host_inputs.shape[1:]), np.float32)
    mask, index = np.ones(1, bool), np.zeros(1, np.int32)
    score = functools.partial(self._trainer.score, wanted=frozenset({'maps'}))
    return jax.eval_shape(score, one, hyper, x, mask, index)

  def run(
    self, state: step.ReplicaState, start: int, stop: int
  ) -> tuple[step.ReplicaState, step.StepSums]:
    """Takes the steps from `start` to `stop`; donates the state.

    Returns:
      The state after them, and sums over the steps, [R] each.
    """
    raise NotImplementedError

  def trace_run(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Returns `trace` of the program that `run` calls, and its arguments.

    Call it within `parallel.abstract`: the arguments are shapes.
    """
    raise NotImplementedError

  def trace_score(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Returns `trace` of the program of a block of `score`, and its arguments.

    Call it within `parallel.abstract`. The block is one of the test set.
    """
    index, mask = self._blocks([split.test for split in self._splits])
    return functools.partial(self._score_block.trace, frozenset()), (
      step.weights(self.init_shapes),
      self.hyper,
      self.transform,
      self._raw_like(index[:, 0]),
      *self._by_sample((mask[:, 0], index[:, 0])),
    )

  def _raw_like(self, index: np.ndarray) -> Any:
    """Returns zeros in place of the raw samples of the indices [R, B]."""
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
      rows: indices of samples, one array [n_r] per replica.
      wanted: large fields that are wanted, see `step.Trainer.score`.
      label: name in the progress bar; '' for none.

    Returns:
      Fields [R, K, ...] of K samples, where a replica has fewer padded at the
      end, and totals of the reads without padding; on the host.
    """
    index, mask = self._blocks(rows)
    count = index.shape[1]
    read = lambda i: (
      self._place(index[:, i]),
      *self._by_sample((mask[:, i], index[:, i])),
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
    """Scores the first block of samples, so that `score` is compiled.

    Args:
      weights, rows, wanted: see `score`.
    """
    size = self._blocks(rows)[0].shape[-1]
    self.score(weights, [one[:size] for one in rows], wanted)

  def _ahead(self, read: Callable[[int], Any], count: int) -> Iterable[Any]:
    """Yields read(0) ... read(count - 1)."""
    return map(read, range(count))

  def score_raw(
    self,
    weights: Any,
    raw: Sequence[feed.Inputs],
    wanted: Iterable[str] = (),
  ) -> base.Prediction:
    """Scores raw samples that are not part of the data set.

    Args:
      weights: see `score`.
      raw: samples [n_r, ...] of each replica, on the host.
      wanted: see `score`.

    Returns:
      The same as `score`.
    """
    index, mask = self._blocks([np.arange(len(one)) for one in raw])

    def read(number):
      part = [one[rows] for one, rows in zip(raw, index[:, number])]
      return self._by_sample(
        (np.stack(part), mask[:, number], index[:, number])
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
    """Scores blocks of raw samples [R, B, ...], masks and indices [R, B]."""
    weights, scored = step.weights(weights), []
    wanted = frozenset(wanted)
    for raw, mask, index in blocks:
      scored.append(
        self._score_block(
          wanted, weights, self.hyper, self.transform, raw, mask, index
        )
      )
      # Waits for the block before, or blocks would pile up on the device.
      scored[-2:-1] = map(self.to_host, scored[-2:-1])
      if progress:
        progress.at(len(scored), 'blocks of samples')
    scored[-1] = self.to_host(scored[-1])
    return _joined(jax.tree.map(lambda *x: np.stack(x, axis=1), *scored))

  @functools.cached_property
  def _score_block(self):
    def score(wanted, *mapped):
      def one(mapped):
        weights, hyper, transform, raw, mask, index = mapped
        x = transforms.apply(raw, transform)
        return self._part.score(weights, hyper, x, mask, index, wanted)

      in_specs = (
        self._weight_specs,
        *[parallel.BY_REPLICA] * 2,
        *[parallel.BY_SAMPLE] * 3,
      )
      out_specs = base.Prediction(
        *[parallel.BY_SAMPLE] * len(base.Prediction._fields)
      )._replace(totals=self._total_specs)
      return self._mapped(one, in_specs, out_specs)(mapped)

    return jax.jit(score, static_argnums=0)

  def validate(
    self, state: step.ReplicaState, now: int
  ) -> tuple[step.ReplicaState, jax.Array, Any]:
    """Scores the validation normals and keeps the best weights.

    Returns:
      The state (the one before is donated), the mean errors [R] and the totals
      of the reads.
    """
    rows = [split.validation for split in self._splits]
    method = self._trainer.method
    # The program that evaluation has, unless scoring takes too long.
    wanted = () if method.validator is method else (step.VALIDATING,)
    scored = self.score(state, rows, wanted)
    _, mask = self._blocks(rows)
    name, _ = method.criterion
    state, error = self._keep_best(
      state,
      self._split(scored.scores[name]),
      self._split(mask.reshape(len(rows), -1)),
      self._share(np.int32(now)),
    )
    return state, self.to_host(error), scored.totals

  def feed_facts(self) -> dict[str, float]:
    """Returns facts on the last `run` for the log, by name."""
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
      lambda state, error, mask, now: mapped((state, error, mask), now),
      donate_argnums=0,
    )


def _joined(scored: base.Prediction) -> base.Prediction:
  """Joins N blocks of samples: fields [R, N, B, ...] -> [R, N * B, ...]."""
  flat = lambda x: x.reshape(len(x), -1, *x.shape[3:])
  totals = jax.tree.map(lambda x: x.sum(axis=1), scored.totals)
  return jax.tree.map(flat, scored._replace(totals={}))._replace(totals=totals)
