"""One replica: its state, one training step, many steps, and its scores.

Everything here is single-replica code on arrays; `fleet` maps it.
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
from memae_jax.models import memae, memory_bank
from memae_jax.training import fleet, score_rules


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
  batch_stats: Any
  step: jax.Array
  error: jax.Array


@flax.struct.dataclass
class ReplicaState:
  """Everything that training changes."""

  params: Any
  batch_stats: Any
  opt_state: Any
  best: Best | None


class Weights(NamedTuple):
  """What scoring reads of a state; one structure, so it compiles once."""

  params: Any
  batch_stats: Any


def weights(state: Any) -> Weights:
  """Those of a `ReplicaState`, a `Best` or `Weights`."""
  return Weights(state.params, state.batch_stats)


class Sums(NamedTuple):
  """Sums over the steps since the last log event.

  first_bad: step of the first loss or gradient that is not finite, or -1.
  """

  steps: jax.Array
  loss: jax.Array
  reconstruction: jax.Array
  entropy: jax.Array
  grad_norm: jax.Array
  first_bad: jax.Array
  reads: usage.ReadTotals | None


def added(total: Sums, new: Sums) -> Sums:
  """Sums over the steps of both; those of `total` came first."""
  first_bad = jnp.where(total.first_bad >= 0, total.first_bad, new.first_bad)
  return jax.tree.map(jnp.add, total, new)._replace(first_bad=first_bad)


class Scored(NamedTuple):
  """What K samples give.

  error: [K] mean squared error. kept: [K] slots kept a read, or None.
  rules: of clips, see `score_rules.of_clips`; else None.
  maps: [K, H, W] `score_rules.error_map`, where they were asked for.
  """

  error: jax.Array
  kept: jax.Array | None = None
  reads: usage.ReadTotals | None = None
  rules: dict[str, jax.Array] | None = None
  maps: jax.Array | None = None


def optimizer(config: Any) -> optax.GradientTransformation:
  """Adam without its learning rate, which each replica has of its own."""
  parts = [optax.scale_by_adam()]
  if config.clip_norm:
    parts.insert(0, optax.clip_by_global_norm(config.clip_norm))
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


class Trainer(NamedTuple):
  """What stays the same over a run: network, optimizer and sizes."""

  model: memae.MemAE
  optimizer: optax.GradientTransformation
  schedule: Callable[[jax.Array], jax.Array]
  batch_size: int
  memory_init: str
  noisy: bool  # Whether any replica is a denoising autoencoder.
  keep_best: bool

  @property
  def _from_encodings(self) -> bool:
    return self.model.bank is not None and self.memory_init == 'encodings'

  @property
  def least_samples(self) -> int:
    """How many training samples have a query for each slot at the start."""
    if not self._from_encodings:
      return 1
    bank = self.model.bank
    positions = (
      math.prod(self.model.code_shape[:-1]) if bank.per_position else 1
    )
    return math.ceil(bank.slots / positions)

  @property
  def init_samples(self) -> int:
    """How many training samples `init` takes.

    Where a sample has many queries, at least a batch, or the slots would all
    be of a few samples.
    """
    if self._from_encodings and self.model.bank.per_position:
      return max(self.least_samples, self.batch_size)
    return self.least_samples

  def init(self, hyper: fleet.Hyper, samples: jax.Array) -> ReplicaState:
    """Initial state of one replica; samples: [init_samples, ...]."""
    key = jax.random.key(hyper.seed)
    variables = self.model.init(key, samples[:1], hyper.knobs)
    params = variables['params']
    batch_stats = variables.get('batch_stats', {})
    if self._from_encodings:
      params['bank']['slots'] = self._encodings(key, variables, samples)
    best = None
    if self.keep_best:
      # A copy: donated buffers must not be shared between leaves.
      copy = lambda tree: jax.tree.map(jnp.copy, tree)
      best = Best(
        copy(params), copy(batch_stats), jnp.int32(0), jnp.float32(jnp.inf)
      )
    return ReplicaState(params, batch_stats, self.optimizer.init(params), best)

  def _encodings(self, key, variables, samples) -> jax.Array:
    """[N, C] encodings of training samples under the initial encoder."""
    bank = self.model.bank
    # As in training, or BatchNorm would not have seen any data yet.
    codes, _ = self.model.apply(
      variables,
      samples,
      True,
      method=memae.MemAE.encode,
      mutable=['batch_stats'],
    )
    queries = memory_bank.queries(codes, bank.per_position)
    if bank.per_position:  # Those of a sample lie side by side.
      queries = jax.random.permutation(key, queries)
    return queries[: bank.slots]

  def step(
    self, state: ReplicaState, hyper: fleet.Hyper, batch: jax.Array, step
  ) -> tuple[ReplicaState, Sums]:
    """One step of gradient descent on a batch [B, ...]."""
    key = jax.random.fold_in(jax.random.key(hyper.seed), step)
    corrupted = batch
    if self.noisy:
      noise = jax.random.normal(key, batch.shape, batch.dtype)
      corrupted = batch + hyper.noise * noise

    def loss_fn(params):
      out, updates = self.model.apply(
        {'params': params, 'batch_stats': state.batch_stats},
        corrupted,
        hyper.knobs,
        train=True,
        mutable=['batch_stats'],
        rngs={'code': key} if self.model.head else None,
      )
      reconstruction = jnp.mean(score_rules.mse(batch, out.reconstruction))
      loss = reconstruction
      reads, entropy = None, jnp.float32(0)
      if out.read is not None:
        reads = usage.totals(out.read)
        entropy = jnp.where(
          hyper.knobs.use_memory, jnp.mean(out.read.entropy), 0
        )
        loss += hyper.alpha * entropy
      if out.divergence is not None:
        elements = batch.size // batch.shape[0]
        divergence = jnp.mean(out.divergence) / elements
        loss += jnp.where(hyper.kl_weight > 0, hyper.kl_weight * divergence, 0)
      loss += hyper.code_l1 * jnp.mean(jnp.abs(out.code))
      stats = updates.get('batch_stats', {})
      return loss, (reconstruction, entropy, reads, stats)

    (loss, (reconstruction, entropy, reads, batch_stats)), grads = (
      jax.value_and_grad(loss_fn, has_aux=True)(state.params)
    )
    updates, opt_state = self.optimizer.update(
      grads, state.opt_state, state.params
    )
    rate = hyper.learning_rate * self.schedule(step)
    params = jax.tree.map(lambda p, u: p - rate * u, state.params, updates)
    grad_norm = optax.tree.norm(grads)
    finite = jnp.isfinite(loss) & jnp.isfinite(grad_norm)
    return (
      state.replace(
        params=params, batch_stats=batch_stats, opt_state=opt_state
      ),
      Sums(
        steps=jnp.int32(1),
        loss=loss,
        reconstruction=reconstruction,
        entropy=entropy,
        grad_norm=grad_norm,
        first_bad=jnp.where(finite, -1, step),
        reads=reads,
      ),
    )

  def run(self, mapped, inputs, start, stop) -> tuple[ReplicaState, Sums]:
    """Steps `start` to `stop` of one replica; mapped = (state, hyper, data).

    The bounds are traced: one compilation serves any number of steps.
    """
    state, hyper, data = mapped

    def one(step, carry):
      state, sums = carry
      first = step.astype(jnp.uint32) * jnp.uint32(self.batch_size)
      batch = batch_at(data, inputs, hyper.seed, first, self.batch_size)
      state, new = self.step(state, hyper, batch, step)
      return state, added(sums, new)

    sums = jax.eval_shape(
      self.step,
      state,
      hyper,
      jax.eval_shape(
        lambda: batch_at(data, inputs, hyper.seed, 0, self.batch_size)
      ),
      start,
    )[1]
    sums = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), sums)
    sums = sums._replace(first_bad=jnp.int32(-1))
    return jax.lax.fori_loop(start, stop, one, (state, sums))

  def score(
    self, weights: Weights, hyper: fleet.Hyper, x, real, with_maps: bool = False
  ) -> Scored:
    """Reconstruction errors of one replica.

    Args:
      weights: of the replica.
      hyper: of the replica.
      x: [B, ...] model inputs.
      real: [B] bool, False for padding.
      with_maps: also those of the pixels.
    """
    out = self.model.apply(weights._asdict(), x, hyper.knobs, sample_mask=real)
    both = x, out.reconstruction
    scored = Scored(
      error=score_rules.mse(*both),
      rules=score_rules.of_clips(*both),
      maps=score_rules.error_map(*both) if with_maps else None,
    )
    if out.read is None:
      return scored
    size = len(real)
    kept = jnp.sum(out.read.kept.reshape(size, -1), axis=-1, dtype=jnp.int32)
    query_mask = jnp.repeat(real, out.read.kept.shape[0] // size)
    return scored._replace(kept=kept, reads=usage.totals(out.read, query_mask))

  def keep_best_weights(self, mapped, step):
    """Keeps the weights if their validation error is the lowest so far.

    Args:
      mapped: (state, error [K] of validation samples, real [K] bool).
      step: that the state has reached.

    Returns:
      The state and the mean error.
    """
    state, error, real = mapped
    error = jnp.sum(jnp.where(real, error, 0)) / jnp.sum(real)
    if self.keep_best:
      better = error < state.best.error
      now = Best(state.params, state.batch_stats, step, error)
      best = jax.tree.map(
        lambda new, old: jnp.where(better, new, old), now, state.best
      )
      state = state.replace(best=best)
    return state, error
