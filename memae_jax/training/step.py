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

from memae_jax import jax_settings, parallel
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


class Spread(NamedTuple):
  """Over how many devices a replica is spread.

  padding: slots that exist only to make the devices' shares equal.
  """

  data: int = 1
  memory: int = 1
  padding: int = 0

  @property
  def data_axis(self) -> str | None:
    """The mesh axis of batches, if there is more than one device."""
    return parallel.DATA if self.data > 1 else None

  @property
  def memory_axis(self) -> str | None:
    """The mesh axis of slots, if there is more than one device."""
    return parallel.MEMORY if self.memory > 1 else None

  def data_sum(self, tree: Any) -> Any:
    """Sums over the devices that a batch is spread over."""
    return jax.lax.psum(tree, parallel.DATA) if self.data > 1 else tree

  def data_index(self) -> jax.Array | int:
    """Which of them this device is."""
    return jax.lax.axis_index(parallel.DATA) if self.data > 1 else 0


class Trainer(NamedTuple):
  """What stays the same over a run: network, optimizer and sizes."""

  model: memae.MemAE
  optimizer: optax.GradientTransformation
  schedule: Callable[[jax.Array], jax.Array]
  batch_size: int
  memory_init: str
  noisy: bool  # Whether any replica is a denoising autoencoder.
  keep_best: bool
  clip_norm: float = 0.0
  accumulate: int = 1  # Parts of a batch, one after another.
  spread: Spread = Spread()

  def within(self, mesh: jax.sharding.Mesh) -> 'Trainer':
    """What one device of the mesh runs."""
    spread = Spread(mesh.shape[parallel.DATA], mesh.shape[parallel.MEMORY])
    model = self.model.spread(
      spread.data_axis, spread.memory_axis, spread.memory
    )
    if model.bank is not None:
      padding = model.bank.slots * spread.memory - self.model.bank.slots
      spread = spread._replace(padding=padding)
    return self._replace(model=model, spread=spread)

  @property
  def slots(self) -> int:
    """Memory size of all devices, without padding."""
    return self.model.bank.slots * self.spread.memory - self.spread.padding

  @property
  def rows(self) -> int:
    """Samples of a batch on a device; those beyond the batch are padding."""
    return self.accumulate * math.ceil(
      self.batch_size / (self.spread.data * self.accumulate)
    )

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
    return math.ceil(self.slots / positions)

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
    key = jax.random.key(hyper.seed, impl=jax_settings.PRNG)
    variables = self.model.init(key, samples[:1], hyper.knobs)
    params = variables['params']
    batch_stats = variables.get('batch_stats', {})
    if self._from_encodings:
      slots = self._encodings(key, variables, samples)
      params['bank']['slots'] = jax.lax.dynamic_slice_in_dim(
        slots, self.model.bank.first(), self.model.bank.slots
      )
    best = None
    if self.keep_best:
      # A copy: donated buffers must not be shared between leaves.
      copy = lambda tree: jax.tree.map(jnp.copy, tree)
      best = Best(
        copy(params), copy(batch_stats), jnp.int32(0), jnp.float32(jnp.inf)
      )
    return ReplicaState(params, batch_stats, self.optimizer.init(params), best)

  def _encodings(self, key, variables, samples) -> jax.Array:
    """Slots [N, C] of all devices: encodings under the initial encoder."""
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
    return jnp.pad(queries[: self.slots], ((0, self.spread.padding), (0, 0)))

  def step(
    self, state: ReplicaState, hyper: fleet.Hyper, batch: jax.Array, step
  ) -> tuple[ReplicaState, Sums]:
    """One step of gradient descent.

    Args:
      state: of the replica.
      hyper: of the replica.
      batch: [rows, ...] samples of this device.
      step: its number.
    """
    real, drawn = self._part(hyper, batch, step)
    if self.accumulate == 1:
      grads, sums, stats = self._gradients(
        state.params, state.batch_stats, hyper, batch, real, drawn
      )
    else:
      grads, sums, stats = self._accumulated(state, hyper, batch, real, drawn)
    grads, sums = self.spread.data_sum((grads, sums))
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
      state.replace(params=params, batch_stats=stats, opt_state=opt_state),
      sums._replace(
        steps=jnp.int32(1),
        grad_norm=norm,
        first_bad=jnp.where(finite, -1, step),
      ),
    )

  def _part(self, hyper, batch, step):
    """Which rows are no padding (None: all), and the random numbers of each.

    The numbers are drawn for the whole batch, so they do not depend on how it
    is spread.
    """
    total = self.spread.data * self.rows
    first = self.spread.data_index() * self.rows
    real = None
    if total != self.batch_size:
      real = first + jnp.arange(self.rows) < self.batch_size
    key = jax.random.key(hyper.seed, impl=jax_settings.PRNG)
    drawn = {}
    if self.noisy:
      drawn['noise'] = jax.random.fold_in(key, step), batch.shape[1:]
    if self.model.head is not None:
      key = jax.random.fold_in(jax.random.fold_in(key, step), 1)
      drawn['code_noise'] = key, self.model.code_shape
    for name, (key, shape) in drawn.items():
      whole = jax.random.normal(key, (total, *shape), batch.dtype)
      drawn[name] = jax.lax.dynamic_slice_in_dim(whole, first, self.rows)
    return real, drawn

  def _gradients(self, params, batch_stats, hyper, batch, real, drawn):
    """Gradients, `Sums` and moments of the samples of this device.

    The loss is the mean over the whole batch, so what devices and parts of a
    batch give adds up.
    """
    corrupted = batch
    if self.noisy:
      corrupted = batch + hyper.noise * drawn['noise']

    def mean(values):
      """Of [n * k] values, k a sample, over the batch; this part's share."""
      each = values.reshape(len(batch), -1)
      if real is not None:
        each = jnp.where(real[:, None], each, 0)
      return jnp.sum(each) / (self.batch_size * each.shape[1])

    def loss_fn(params):
      out, updates = self.model.apply(
        {'params': params, 'batch_stats': batch_stats},
        corrupted,
        hyper.knobs,
        train=True,
        sample_mask=real,
        code_noise=drawn.get('code_noise'),
        mutable=['batch_stats'],
      )
      reconstruction = mean(score_rules.mse(batch, out.reconstruction))
      loss = reconstruction
      reads, entropy = None, jnp.float32(0)
      if out.read is not None:
        reads = self._totals(out.read, real)
        entropy = jnp.where(hyper.knobs.use_memory, mean(out.read.entropy), 0)
        loss += hyper.alpha * entropy
      if out.divergence is not None:
        divergence = mean(out.divergence) / math.prod(batch.shape[1:])
        loss += jnp.where(hyper.kl_weight > 0, hyper.kl_weight * divergence, 0)
      loss += hyper.code_l1 * mean(jnp.abs(out.code))
      stats = updates.get('batch_stats', {})
      return loss, (reconstruction, entropy, reads, stats)

    (loss, (reconstruction, entropy, reads, stats)), grads = jax.value_and_grad(
      loss_fn, has_aux=True
    )(params)
    sums = Sums(
      steps=jnp.int32(0),  # These three are of the whole step, see `step`.
      grad_norm=jnp.float32(0),
      first_bad=jnp.int32(0),
      loss=loss,
      reconstruction=reconstruction,
      entropy=entropy,
      reads=reads,
    )
    return grads, sums, stats

  def _accumulated(self, state, hyper, batch, real, drawn):
    """As `_gradients`, of the parts of a batch one after another."""
    parts = jax.tree.map(
      lambda x: x.reshape(self.accumulate, -1, *x.shape[1:]),
      (batch, real, drawn),
    )

    def one(carry, part):
      stats, total = carry
      *new, stats = self._gradients(state.params, stats, hyper, *part)
      return (stats, jax.tree.map(jnp.add, total, tuple(new))), None

    first = jax.tree.map(lambda x: x[0], parts)
    shapes = jax.eval_shape(
      lambda: self._gradients(state.params, state.batch_stats, hyper, *first)
    )
    nothing = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), shapes[:2])
    (stats, (grads, sums)), _ = jax.lax.scan(
      one, (state.batch_stats, nothing), parts
    )
    return grads, sums, stats

  def _totals(self, read, real) -> usage.ReadTotals:
    """Totals of the reads of this device's samples; `real` is None for all."""
    bank, mask = self.model.bank, None
    if real is not None:
      mask = jnp.repeat(real, read.kept.shape[0] // len(real))
    most = bank.top_k if bank.read == 'top_k' else None
    return usage.totals(read, mask, most)

  def _square(self, grads) -> jax.Array:
    """Squared norm of the gradients; slots of all devices count."""
    square = optax.tree.norm(grads, squared=True)
    if self.spread.memory == 1 or self.model.bank is None:
      return square
    own = jnp.sum(jnp.square(grads['bank']['slots']))
    return square - own + jax.lax.psum(own, parallel.MEMORY)

  def run(self, mapped, inputs, start, stop) -> tuple[ReplicaState, Sums]:
    """Steps `start` to `stop` of one replica; mapped = (state, hyper, data).

    The bounds are traced: one compilation serves any number of steps.
    """
    state, hyper, data = mapped

    def one(step, carry):
      state, sums = carry
      step = jnp.asarray(step, jnp.int32)  # Without jit, of Python.
      first = step.astype(jnp.uint32) * jnp.uint32(self.batch_size)
      first += jnp.uint32(self.spread.data_index() * self.rows)
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
    self, weights: Weights, hyper: fleet.Hyper, x, real, with_maps: bool = False
  ) -> Scored:
    """Reconstruction errors of one replica.

    Args:
      weights: of the replica.
      hyper: of the replica.
      x: [B, ...] model inputs of this device.
      real: [B] bool, False for padding.
      with_maps: also those of the pixels.

    Returns:
      Of those samples; the totals of the reads are of all devices'.
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
    reads = self.spread.data_sum(self._totals(out.read, real))
    return scored._replace(kept=kept, reads=reads)

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
