"""One replica: its state, one training step, many steps, and its scores.

Everything here is code of one replica on arrays; `fleet` maps it. Where a
replica is spread over devices, each device runs this code on its part of the
batch and of the slots, and three kinds of sums are taken over all devices:
gradients, moments of norms, and the values of the log.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from memae_jax.data import order, transforms, types
from memae_jax.memory import usage
from memae_jax.methods import base, frame_scores
from memae_jax.runtime import jax_settings, parallel
from memae_jax.training import fleet

VALIDATING = 'validating'  # Wanted of `score`: what the validator predicts.
SCORING = 2**32 - 1  # In place of the number of a step; no run reaches it.


class ReplicaData(NamedTuple):
  """A replica's view of the resident inputs.

  train: [n] int32 indices, padded. train_count: their number without padding.
  transform: raw input -> model input.
  """

  train: jax.Array
  train_count: jax.Array
  transform: types.Transform


@flax.struct.dataclass
class Best:
  """Weights with the lowest validation error so far, their step and error."""

  params: Any
  collections: base.Variables
  step: jax.Array
  error: jax.Array


@flax.struct.dataclass
class ReplicaState:
  """The arrays that training changes.

  params: changed by gradients. collections: other variables, by name.
  opt_state: of the optimizer. best: None if the best weights are not kept.
  """

  params: Any
  collections: base.Variables
  opt_state: Any
  best: Best | None


class Weights(NamedTuple):
  """Weights of a state or of its best; one structure, so it compiles once."""

  params: Any
  collections: base.Variables

  @property
  def variables(self) -> base.Variables:
    """The weights as a method takes them."""
    return {'params': self.params, **self.collections}


def weights(state: Any) -> Weights:
  """Returns the weights of a `ReplicaState`, a `Best` or `Weights`."""
  return Weights(state.params, state.collections)


def split(variables: base.Variables) -> Weights:
  """Splits variables into what gradients change and other collections."""
  rest = {name: tree for name, tree in variables.items() if name != 'params'}
  return Weights(variables.get('params', {}), rest)


class StepSums(NamedTuple):
  """Sums over the steps since the last log event.

  steps: number of steps. terms: terms of the loss, by name. totals: totals of
  the reads, by name of the memory. first_bad: step of the first loss or
  gradient that is not finite, or -1.
  """

  steps: jax.Array
  loss: jax.Array
  terms: dict[str, jax.Array]
  grad_norm: jax.Array
  first_bad: jax.Array
  totals: dict[str, usage.ReadTotals]


def added(total: StepSums, new: StepSums) -> StepSums:
  """Adds sums over further steps; the steps of `total` came first."""
  first_bad = jnp.where(total.first_bad >= 0, total.first_bad, new.first_bad)
  return jax.tree.map(jnp.add, total, new)._replace(first_bad=first_bad)


def batch_at(
  data: ReplicaData, inputs: jax.Array, seed: jax.Array, first, size: int
) -> jax.Array:
  """Returns transformed samples of the training order.

  Args:
    data: of the replica.
    inputs: [S, ...] raw samples.
    seed: of the replica.
    first: position in the order of training.
    size: number of samples.
  """
  position = jnp.asarray(first, jnp.uint32) + jnp.arange(size, dtype=jnp.uint32)
  index = data.train[order.sample_at(position, seed, data.train_count)]
  return transforms.apply(inputs[index], data.transform)


def sample_keys(seed: jax.Array, number: Any, index: jax.Array) -> jax.Array:
  """Returns random keys [B], one per sample.

  Args:
    seed: of the replica.
    number: of the step, or another number that tells several draws apart.
    index: [B] of the samples. A key does not depend on its place in the array.
  """
  key = jax.random.key(seed, impl=jax_settings.PRNG)
  key = jax.random.fold_in(key, number)
  return jax.vmap(jax.random.fold_in, (None, 0))(key, index)


class Trainer(NamedTuple):
  """Code and constants of the training of one replica.

  accumulate: number of parts of a batch, which are taken one after another.
  across: devices of the replica. clip_norm: of the gradient; 0: not clipped.
  frames: score rules of maps, of pictures and frames; None for tables.
  """

  method: base.Method
  optimizer: optax.GradientTransformation
  schedule: Callable[[jax.Array], jax.Array]
  batch_size: int
  keep_best: bool
  clip_norm: float = 0.0
  accumulate: int = 1
  across: base.Across = base.Across()
  frames: frame_scores.Rules | None = None

  def within(self, mesh: jax.sharding.Mesh) -> 'Trainer':
    """Returns the trainer that one device of the mesh runs."""
    across = base.Across(mesh.shape[parallel.DATA], mesh.shape[parallel.MEMORY])
    return self._replace(method=self.method.on(across), across=across)

  @property
  def rows(self) -> int:
    """Samples of a batch per device; samples beyond the batch are padding."""
    return self.accumulate * math.ceil(
      self.batch_size / (self.across.data * self.accumulate)
    )

  @property
  def init_samples(self) -> int:
    """Number of training samples that `init` takes."""
    return self.method.init_samples(self.batch_size)

  def init(self, hyper: fleet.Hyper, samples: jax.Array) -> ReplicaState:
    """Returns the initial state of one replica.

    Args:
      hyper: of the replica.
      samples: [init_samples, ...] model inputs.
    """
    key = jax.random.key(hyper.seed, impl=jax_settings.PRNG)
    now = split(self.method.init(key, samples, hyper.method))
    best = None
    if self.keep_best:
      # A copy: donated buffers must not be shared between leaves.
      copy = jax.tree.map(jnp.copy, now)
      best = Best(*copy, jnp.int32(0), jnp.float32(jnp.inf))
    return ReplicaState(*now, self.optimizer.init(now.params), best)

  def step(
    self, state: ReplicaState, hyper: fleet.Hyper, batch: jax.Array, step
  ) -> tuple[ReplicaState, StepSums]:
    """Takes one step of gradient descent.

    Args:
      state: of the replica.
      hyper: of the replica.
      batch: [rows, ...] model inputs of this device.
      step: number of the step, from 0.

    Returns:
      The state after the step, and the `StepSums` of this step alone.
    """
    part = self._part(hyper, batch, step)
    if self.accumulate == 1:
      grads, sums, new = self._gradients(
        state.params, state.collections, hyper, part
      )
    else:
      grads, sums, new = self._accumulated(state, hyper, part)
    grads, sums = self.across.sum((grads, sums))
    norm = jnp.sqrt(self._square(grads))
    if self.clip_norm:
      over = norm > self.clip_norm
      grads = jax.tree.map(
        lambda g: jnp.where(over, g / norm * self.clip_norm, g), grads
      )
    updates, opt_state = self.optimizer.update(
      grads, state.opt_state, state.params
    )
    rate = hyper.learning_rate * self.schedule(step)
    params = jax.tree.map(lambda p, u: p - rate * u, state.params, updates)
    finite = jnp.isfinite(sums.loss) & jnp.isfinite(norm)
    return (
      state.replace(params=params, collections=new, opt_state=opt_state),
      sums._replace(
        steps=jnp.int32(1),
        grad_norm=norm,
        first_bad=jnp.where(finite, -1, step),
      ),
    )

  def _part(self, hyper, batch, step) -> base.Batch:
    """Returns the samples of this device with a random key per sample."""
    first = self.across.index() * self.rows
    place = first + jnp.arange(self.rows)
    mask = None
    if self.across.data * self.rows != self.batch_size:
      mask = place < self.batch_size
    keys = sample_keys(hyper.seed, step, place)
    return base.Batch(batch, mask, keys, self.batch_size)

  def _gradients(self, params, collections, hyper, part):
    """Returns gradients, `StepSums` and collections by samples of this device.

    Each loss is a share of that of the batch, so the results of devices and of
    parts of a batch add up.
    """

    def loss_fn(params):
      parts = self.method.loss(
        {'params': params, **collections}, part, hyper.method, self.across
      )
      return parts.loss, parts

    (loss, parts), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
    sums = StepSums(
      steps=jnp.int32(0),  # `step` sets these three, once per step.
      grad_norm=jnp.float32(0),
      first_bad=jnp.int32(0),
      loss=loss,
      terms=parts.terms,
      totals=parts.totals,
    )
    return grads, sums, {**collections, **parts.collections}

  def _accumulated(self, state, hyper, part):
    """Returns what `_gradients` does, by parts of a batch one after another."""
    parts = jax.tree.map(
      lambda x: x.reshape(self.accumulate, -1, *x.shape[1:]), part
    )

    def one(carry, part):
      collections, total = carry
      *new, collections = self._gradients(
        state.params, collections, hyper, part
      )
      return (collections, jax.tree.map(jnp.add, total, tuple(new))), None

    first = jax.tree.map(lambda x: x[0], parts)
    shapes = jax.eval_shape(
      lambda: self._gradients(state.params, state.collections, hyper, first)
    )
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes[:2])
    (collections, (grads, sums)), _ = jax.lax.scan(
      one, (state.collections, nothing), parts
    )
    return grads, sums, collections

  def _square(self, grads) -> jax.Array:
    """Returns the squared norm of the gradients, with slots of all devices."""
    square = optax.tree.norm(grads, squared=True)
    if self.across.memory == 1:
      return square
    of_slots = jnp.float32(0)
    for path in self.method.memories:
      if path[0] in grads:  # Slots in other collections have no gradient.
        of_slots += jnp.sum(jnp.square(base.leaf(grads, path)))
    return square - of_slots + self.across.sum_slots(of_slots)

  def run(self, mapped, inputs, start, stop) -> tuple[ReplicaState, StepSums]:
    """Takes the steps from `start` to `stop` of one replica.

    The bounds are traced: one compilation serves any number of steps.

    Args:
      mapped: (state, hyper, data) of the replica.
      inputs: [S, ...] raw samples.
      start: first step.
      stop: end of the steps.

    Returns:
      The state after them, and the sums over them.
    """
    state, hyper, data = mapped

    def one(step, carry):
      state, sums = carry
      step = jnp.asarray(step, jnp.int32)  # Without jit it is a Python int.
      first = step.astype(jnp.uint32) * jnp.uint32(self.batch_size)
      first += jnp.uint32(self.across.index() * self.rows)
      batch = batch_at(data, inputs, hyper.seed, first, self.rows)
      state, new = self.step(state, hyper, batch, step)
      return state, added(sums, new)

    batch = jax.eval_shape(
      lambda: batch_at(data, inputs, hyper.seed, 0, self.rows)
    )
    sums = jax.eval_shape(self.step, state, hyper, batch, start)[1]
    sums = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), sums)
    sums = sums._replace(first_bad=jnp.int32(-1))
    return jax.lax.fori_loop(start, stop, one, (state, sums))

  def score(
    self,
    weights: Weights,
    hyper: fleet.Hyper,
    x: jax.Array,
    mask: jax.Array,
    index: jax.Array,
    wanted: frozenset[str] = frozenset(),
  ) -> base.Prediction:
    """Scores samples of one replica.

    Args:
      weights: of the replica.
      hyper: of the replica.
      x: [B, ...] model inputs of this device.
      mask: [B] bool, False for padding.
      index: [B] of the samples, for random keys.
      wanted: large fields that are wanted, among 'maps', 'output' and
        'target'; the others of these are left out. `VALIDATING`: the validator
        of the method predicts.

    Returns:
      The prediction for these samples; totals of reads count the samples of
      all devices.
    """
    keys = sample_keys(hyper.seed, SCORING, index)
    method = self.method.validator if VALIDATING in wanted else self.method
    scored = self._replace(method=method).predict(
      weights.variables, x, hyper.method, mask, keys
    )
    empty = {'maps': {}, 'output': None, 'target': None}
    empty = {k: v for k, v in empty.items() if k not in wanted}
    return scored._replace(totals=self.across.sum(scored.totals), **empty)

  def predict(
    self, variables: base.Variables, x: jax.Array, hyper: Any, mask, keys
  ) -> base.Prediction:
    """Returns what the method does, see there, with scores of its maps."""
    scored = self.method.predict(variables, x, hyper, mask, keys)
    return scored if self.frames is None else self.frames.added(scored)

  def keep_best_weights(self, mapped, step):
    """Keeps the weights if their validation error is the lowest so far.

    Args:
      mapped: (state, error [K] of validation samples, mask [K] bool).
      step: that the state has reached.

    Returns:
      The state and the mean error.
    """
    state, error, mask = mapped
    error = jnp.sum(jnp.where(mask, error, 0)) / jnp.sum(mask)
    if self.keep_best:
      better = error < state.best.error
      now = Best(state.params, state.collections, step, error)
      best = jax.tree.map(
        lambda new, old: jnp.where(better, new, old), now, state.best
      )
      state = state.replace(best=best)
    return state, error
