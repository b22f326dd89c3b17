"""One replica: its state, one training step, many steps, and its scores.

Everything here is single-replica code on arrays; `fleet` maps it. Where a
replica is spread over devices, each runs this code on its part of the batch
and of the slots, and three kinds of sums are taken over all: gradients,
moments of norms, and what is logged.
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
from memae_jax.methods import base
from memae_jax.runtime import jax_settings, parallel
from memae_jax.training import fleet

_SCORING = 2**32 - 1  # In place of a step, which no run reaches.


class ReplicaData(NamedTuple):
  """A replica's view of the resident inputs.

  train: [n] int32 indices, padded; train_count: how many are real.
  transform: raw input -> model input.
  """

  train: jax.Array
  train_count: jax.Array
  transform: types.Transform


@flax.struct.dataclass
class Best:
  """Weights with the lowest validation error so far, and where."""

  params: Any
  collections: base.Variables
  step: jax.Array
  error: jax.Array


@flax.struct.dataclass
class ReplicaState:
  """Everything that training changes.

  collections: of variables that no gradient changes, by name.
  """

  params: Any
  collections: base.Variables
  opt_state: Any
  best: Best | None


class Weights(NamedTuple):
  """What scoring reads of a state; one structure, so it compiles once."""

  params: Any
  collections: base.Variables

  @property
  def variables(self) -> base.Variables:
    """As a method takes them."""
    return {'params': self.params, **self.collections}


def weights(state: Any) -> Weights:
  """Returns the weights of a `ReplicaState`, a `Best` or `Weights`."""
  return Weights(state.params, state.collections)


def split(variables: base.Variables) -> Weights:
  """Returns variables as weights: what gradients change, and the rest."""
  rest = {name: tree for name, tree in variables.items() if name != 'params'}
  return Weights(variables.get('params', {}), rest)


class StepSums(NamedTuple):
  """Sums over the steps since the last log event.

  terms: of the loss, by name. totals: of the reads of each memory, by name.
  first_bad: step of the first loss or gradient that is not finite, or -1.
  """

  steps: jax.Array
  loss: jax.Array
  terms: dict[str, jax.Array]
  grad_norm: jax.Array
  first_bad: jax.Array
  totals: dict[str, usage.ReadTotals]


def added(total: StepSums, new: StepSums) -> StepSums:
  """Sums over the steps of both; those of `total` came first."""
  first_bad = jnp.where(total.first_bad >= 0, total.first_bad, new.first_bad)
  return jax.tree.map(jnp.add, total, new)._replace(first_bad=first_bad)


def optimizer(config: Any) -> optax.GradientTransformation:
  """Adam without learning rate and clipping, which are in the step."""
  parts = [optax.scale_by_adam()]
  if config.weight_decay:
    parts.append(optax.add_decayed_weights(config.weight_decay))
  return optax.chain(*parts)


def schedule(config: Any, steps: int) -> Callable[[jax.Array], jax.Array]:
  """The factor on the learning rate at a step of a run of `steps`."""
  warmup = config.warmup_steps
  if config.schedule == 'constant':
    after = optax.constant_schedule(1.0)
  else:
    after = optax.cosine_decay_schedule(1.0, max(steps - warmup, 1))
  if not warmup:
    return after
  return optax.join_schedules(
    [optax.linear_schedule(0.0, 1.0, warmup), after], [warmup]
  )


def batch_at(
  data: ReplicaData, inputs: jax.Array, seed: jax.Array, first, size: int
) -> jax.Array:
  """Returns the `size` samples from position `first` on, transformed."""
  position = jnp.asarray(first, jnp.uint32) + jnp.arange(size, dtype=jnp.uint32)
  index = data.train[order.sample_at(position, seed, data.train_count)]
  return transforms.apply(inputs[index], data.transform)


def sample_keys(seed: jax.Array, number: Any, index: jax.Array) -> jax.Array:
  """Returns a random key for each sample.

  Args:
    seed: of the replica.
    number: of the step, or what else tells several draws apart.
    index: [B] of the sample; where it lies plays no part.
  """
  key = jax.random.key(seed, impl=jax_settings.PRNG)
  key = jax.random.fold_in(key, number)
  return jax.vmap(jax.random.fold_in, (None, 0))(key, index)


class Trainer(NamedTuple):
  """What stays the same over a run: method, optimizer and sizes."""

  method: base.Method
  optimizer: optax.GradientTransformation
  schedule: Callable[[jax.Array], jax.Array]
  batch_size: int
  keep_best: bool
  clip_norm: float = 0.0
  accumulate: int = 1  # Parts of a batch, one after another.
  across: base.Across = base.Across()

  def within(self, mesh: jax.sharding.Mesh) -> 'Trainer':
    """What one device of the mesh runs."""
    across = base.Across(mesh.shape[parallel.DATA], mesh.shape[parallel.MEMORY])
    return self._replace(method=self.method.on(across), across=across)

  @property
  def rows(self) -> int:
    """Samples of a batch on a device; those beyond the batch are padding."""
    return self.accumulate * math.ceil(
      self.batch_size / (self.across.data * self.accumulate)
    )

  @property
  def init_samples(self) -> int:
    """How many training samples `init` takes."""
    return self.method.init_samples(self.batch_size)

  def init(self, hyper: fleet.Hyper, samples: jax.Array) -> ReplicaState:
    """Initial state of one replica; samples: [init_samples, ...]."""
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
    """One step of gradient descent.

    Args:
      state: of the replica.
      hyper: of the replica.
      batch: [rows, ...] samples of this device.
      step: its number.
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
    """The samples of this device, with a random key for each."""
    first = self.across.index() * self.rows
    place = first + jnp.arange(self.rows)
    mask = None
    if self.across.data * self.rows != self.batch_size:
      mask = place < self.batch_size
    keys = sample_keys(hyper.seed, step, place)
    return base.Batch(batch, mask, keys, self.batch_size)

  def _gradients(self, params, collections, hyper, part):
    """Gradients, `StepSums` and collections by the samples of this device.

    The loss is one of the whole batch, so what devices and parts of a batch
    give adds up.
    """

    def loss_fn(params):
      found = self.method.loss(
        {'params': params, **collections}, part, hyper.method, self.across
      )
      return found.loss, found

    (loss, found), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
    sums = StepSums(
      steps=jnp.int32(0),  # These three are of the whole step, see `step`.
      grad_norm=jnp.float32(0),
      first_bad=jnp.int32(0),
      loss=loss,
      terms=found.terms,
      totals=found.totals,
    )
    return grads, sums, {**collections, **found.collections}

  def _accumulated(self, state, hyper, part):
    """As `_gradients`, of the parts of a batch one after another."""
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
    """Squared norm of the gradients; slots of all devices count."""
    square = optax.tree.norm(grads, squared=True)
    if self.across.memory == 1:
      return square
    own = jnp.float32(0)
    for path in self.method.memories:
      if path[0] in grads:  # Others have no gradient.
        own += jnp.sum(jnp.square(base.leaf(grads, path)))
    return square - own + self.across.sum_slots(own)

  def run(self, mapped, inputs, start, stop) -> tuple[ReplicaState, StepSums]:
    """Steps `start` to `stop` of one replica; mapped = (state, hyper, data).

    The bounds are traced: one compilation serves any number of steps.
    """
    state, hyper, data = mapped

    def one(step, carry):
      state, sums = carry
      step = jnp.asarray(step, jnp.int32)  # Without jit, of Python.
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
    """What the method says of samples of one replica.

    Args:
      weights: of the replica.
      hyper: of the replica.
      x: [B, ...] model inputs of this device.
      mask: [B] bool, False for padding.
      index: [B] of the samples, for what is random.
      wanted: fields of a prediction that are large, of 'maps', 'output' and
        'target'; the others of these are left out.

    Returns:
      Of those samples; the totals of the reads are of all devices'.
    """
    keys = sample_keys(hyper.seed, _SCORING, index)
    found = self.method.predict(weights.variables, x, hyper.method, mask, keys)
    left = {'maps': {}, 'output': None, 'target': None}
    left = {k: v for k, v in left.items() if k not in wanted}
    return found._replace(totals=self.across.sum(found.totals), **left)

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
