"""One replica: its state, one training step, many steps, and its scores.

Everything here is single-replica code on arrays; `fleet` maps it.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import optax

from memae_jax.data import order, transforms, types
from memae_jax.memory import usage
from memae_jax.models import memae
from memae_jax.training import fleet


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


class Scored(NamedTuple):
  """error: [K] mean squared error. kept: [K] slots kept a read, or None."""

  error: jax.Array
  kept: jax.Array | None
  reads: usage.ReadTotals | None


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


def squared_error(x: jax.Array, reconstruction: jax.Array) -> jax.Array:
  """[B] mean over the elements of a sample: equation 8 over its size."""
  difference = (x - reconstruction).astype(jnp.float32)
  return jnp.mean(difference**2, axis=range(1, x.ndim))


class Trainer(NamedTuple):
  """What stays the same over a run: network, optimizer and sizes."""

  model: memae.MemAE
  optimizer: optax.GradientTransformation
  schedule: Callable[[jax.Array], jax.Array]
  batch_size: int
  memory_init: str
  keep_best: bool

  def init(self, mapped, inputs) -> ReplicaState:
    """Initial state of one replica; mapped = (hyper, data)."""
    hyper, data = mapped
    first = batch_at(data, inputs, hyper.seed, 0, 1)
    variables = self.model.init(jax.random.key(hyper.seed), first, hyper.knobs)
    params = variables['params']
    batch_stats = variables.get('batch_stats', {})
    if self.model.bank is not None and self.memory_init == 'encodings':
      samples = batch_at(data, inputs, hyper.seed, 0, self.model.bank.slots)
      codes = self.model.apply(variables, samples, method=memae.MemAE.encode)
      params['bank']['slots'] = codes.reshape(params['bank']['slots'].shape)
    best = None
    if self.keep_best:
      # A copy: donated buffers must not be shared between leaves.
      copy = lambda tree: jax.tree.map(jnp.copy, tree)
      best = Best(
        copy(params), copy(batch_stats), jnp.int32(0), jnp.float32(jnp.inf)
      )
    return ReplicaState(params, batch_stats, self.optimizer.init(params), best)

  def step(
    self, state: ReplicaState, hyper: fleet.Hyper, batch: jax.Array, step
  ) -> tuple[ReplicaState, Sums]:
    """One step of gradient descent on a batch [B, ...]."""

    def loss_fn(params):
      out, updates = self.model.apply(
        {'params': params, 'batch_stats': state.batch_stats},
        batch,
        hyper.knobs,
        train=True,
        mutable=['batch_stats'],
      )
      reconstruction = jnp.mean(squared_error(batch, out.reconstruction))
      entropy = (
        jnp.float32(0)
        if out.read is None
        else jnp.where(hyper.knobs.use_memory, jnp.mean(out.read.entropy), 0)
      )
      loss = reconstruction + hyper.alpha * entropy
      reads = None if out.read is None else usage.totals(out.read)
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
      total = jax.tree.map(jnp.add, sums, new)
      first_bad = jnp.where(sums.first_bad >= 0, sums.first_bad, new.first_bad)
      return state, total._replace(first_bad=first_bad)

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

  def score(self, mapped, inputs, block: int) -> Scored:
    """Reconstruction errors of one replica, in blocks.

    Args:
      mapped: (weights, hyper, transform, index [K], count): `weights` has
        `params` and `batch_stats`; entries of `index` from `count` on are
        padding. K must be a multiple of `block`.
      inputs: the raw inputs.
      block: samples scored at once.
    """
    weights, hyper, transform, index, count = mapped
    blocks = index.reshape(-1, block)

    def one(args):
      number, index = args
      mask = number * block + jnp.arange(block) < count
      x = transforms.apply(inputs[index], transform)
      out = self.model.apply(
        {'params': weights.params, 'batch_stats': weights.batch_stats},
        x,
        hyper.knobs,
        sample_mask=mask,
      )
      error = squared_error(x, out.reconstruction)
      if out.read is None:
        return Scored(error, None, None)
      per_sample = jnp.sum(
        out.read.kept.reshape(block, -1), axis=-1, dtype=jnp.int32
      )
      query_mask = jnp.repeat(mask, out.read.kept.shape[0] // block)
      return Scored(error, per_sample, usage.totals(out.read, query_mask))

    scored = jax.lax.map(one, (jnp.arange(len(blocks)), blocks))
    return Scored(
      scored.error.reshape(-1),
      None if scored.kept is None else scored.kept.reshape(-1),
      jax.tree.map(lambda x: jnp.sum(x, axis=0), scored.reads),
    )

  def validate(self, mapped, inputs, step, block):
    """Scores the validation normals and keeps the best weights.

    mapped = (state, hyper, transform, index, count). Returns the state, the
    mean error and the read totals.
    """
    state, hyper, transform, index, count = mapped
    scored = self.score(mapped, inputs, block)
    real = jnp.arange(index.shape[0]) < count
    error = jnp.sum(jnp.where(real, scored.error, 0)) / count
    if state.best is not None:
      better = error < state.best.error
      now = Best(state.params, state.batch_stats, step, error)
      best = jax.tree.map(
        lambda new, old: jnp.where(better, new, old), now, state.best
      )
      state = state.replace(best=best)
    return state, error, scored.reads
