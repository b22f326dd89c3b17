"""Passes over the training normals, of methods that learn without gradients."""

import functools
from typing import Any

import jax
import numpy as np

from memae_jax.data import transforms
from memae_jax.runtime import parallel
from memae_jax.training import placed, step


class Passes(placed.Placed):
  """A fleet that can take a pass; the state is replaced after it."""

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
    index, mask = self._blocks(rows)
    weights, parts, total = step.weights(state), [], None
    for i in range(index.shape[1]):
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
        weights, hyper, transform, raw, mask = mapped
        found = self._part.method.collect(
          weights.variables,
          transforms.apply(raw, transform),
          hyper.method,
          mask,
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
