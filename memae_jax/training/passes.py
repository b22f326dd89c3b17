"""Passes over the training normals, for stages without gradients."""

import functools
from typing import Any

import jax
import numpy as np

from memae_jax.data import transforms
from memae_jax.runtime import parallel, progress_bar
from memae_jax.training import placed, step


class Passes(placed.Placed):
  """A fleet on the devices that can take passes of `base.Collect` stages."""

  def collect(
    self, state: step.ReplicaState, number: int, round_: int
  ) -> tuple[step.ReplicaState, bool]:
    """Takes a pass over the training normals.

    Where the best weights are kept, it starts from them, and what it makes of
    them is the best so far: errors before it are of another detector.

    Args:
      state: of the fleet.
      number: index of the stage that the pass belongs to.
      round_: number of the pass in that stage, from 0.

    Returns:
      The state after the pass, and whether no replica needs another one.
    """
    stage = self._trainer.method.stages[number]
    rows = [self._subset(i, stage.most) for i in range(len(self._splits))]
    start = step.weights(state.best or state)
    collected = self._collected(start, rows, number, round_)
    weights = self.to_host(start)
    weights = parallel.without_padding(weights, self._by_slot, axis=1)
    one = lambda tree, i: jax.tree.map(lambda x: np.asarray(x[i]), tree)
    finished = []
    for i, seed in enumerate(self._host_hyper.seed.tolist()):
      part = one(collected, i)
      if stage.keeps == 'rows':
        part = jax.tree.map(lambda x, i=i: x[: len(rows[i])], part)
      finished.append(
        self._trainer.method.finish(
          one(weights, i).variables,
          part,
          self.method_hyper(i),
          number,
          round_,
          np.random.default_rng([seed, number, round_]),
        )
      )
    new = [step.split(variables) for variables, _ in finished]
    new = jax.tree.map(lambda *x: np.stack(x), *new)
    return self._with(state, new), all(done for _, done in finished)

  def _with(
    self, state: step.ReplicaState, new: step.Weights
  ) -> step.ReplicaState:
    """Returns a state with new weights [R, ...], which are on the host."""
    placed = parallel.place_like(new, step.weights(self.init_shapes))
    best = state.best
    if best is not None:
      step_, error = self.to_host((best.step, best.error))
      best = step.Best(*new, step_, np.full_like(error, np.inf))
      best = parallel.place_like(best, self.init_shapes.best)
    return state.replace(**placed._asdict(), best=best)

  def _subset(self, index: int, most: int) -> np.ndarray:
    """Returns the training samples of a replica, at most `most`; 0: all."""
    rows = self._splits[index].train
    if not most or len(rows) <= most:
      return rows
    rng = np.random.default_rng([int(self._host_hyper.seed[index]), most])
    return np.sort(rng.choice(rows, most, replace=False))

  def _collected(self, weights, rows, number: int, round_: int) -> Any:
    """Returns what the method collects: rows [R, K, ...], or sums [R, ...].

    Args:
      weights: of the fleet.
      rows: indices of samples, one array [n_r] per replica.
      number: index of the stage.
      round_: number of the pass in that stage.
    """
    keeps = self._trainer.method.stages[number].keeps
    index, mask = self._blocks(rows)
    parts, total, count = [], None, index.shape[1]
    progress = progress_bar.Progress('pass', count)
    for i in range(count):
      part = self.to_host(
        self._collect_block(
          number,
          weights,
          self.hyper,
          self.transform,
          self._place(index[:, i]),
          self._by_sample(mask[:, i]),
          self._share(np.int32(round_)),
        )
      )
      progress.at(i + 1, 'blocks of samples')
      if keeps == 'rows':
        parts.append(part)
        continue
      part = jax.tree.map(lambda x: x.astype(np.float64), part)
      total = part if total is None else jax.tree.map(np.add, total, part)
    progress.close()
    if keeps == 'sum':
      return total
    return jax.tree.map(lambda *x: np.concatenate(x, axis=1), *parts)

  @functools.cached_property
  def _collect_block(self):
    def collect(number, *args):
      *mapped, round_ = args
      by_row = self._trainer.method.stages[number].keeps == 'rows'

      def one(mapped, round_):
        weights, hyper, transform, raw, mask = mapped
        collected = self._part.method.collect(
          weights.variables,
          transforms.apply(raw, transform),
          hyper.method,
          mask,
          number,
          round_,
        )
        return collected if by_row else self._part.across.sum(collected)

      in_specs = (
        self._weight_specs,
        *[parallel.BY_REPLICA] * 2,
        *[parallel.BY_SAMPLE] * 2,
      )
      out_specs = parallel.BY_SAMPLE if by_row else parallel.BY_REPLICA
      return self._mapped(one, in_specs, out_specs)(tuple(mapped), round_)

    return jax.jit(collect, static_argnums=0)
