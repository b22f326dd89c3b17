"""The read in blocks of slots: nothing of size [Q, N] (section 3).

The addressing weights are a softmax over the survivors, so two passes over the
slots give a read, and one pass its gradient:

1. the peak of the similarities and the sum of their exponentials: log_z, and
   with it the floor that survivors are above;
2. the sums over the survivors: of weights, of weighted slots, of
   w log w (for the entropy), and their number;
3. backward: ds_i = a_i (g.m_i - g.y - g_entropy (log a_i + entropy)), where a
   is recomputed and y and the entropy are results of the read.

A third forward pass, of `usage`, needs the sums of the second one; a program
that does not use it does not run it.

With `axis`, each device of that mesh axis holds a part of the slots, and only
sums over slots cross devices, whose size does not depend on N.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp

from memae_jax.memory import addressing, blocks, shrinkage

_NONE = jnp.iinfo(jnp.int32).max


class Peak(NamedTuple):
  """Results of the first pass, over all slots.

  score: [Q] the highest similarity. total: [Q] sum_i exp(s_i - score).
  floor: [Q] survivors are above it. fallback_slot: [Q] index of the one slot
    that a dead query reads (`on_empty='top1'`), for the others the largest
    int32.
  """

  score: jax.Array
  total: jax.Array
  floor: jax.Array
  fallback_slot: jax.Array


class Sums(NamedTuple):
  """Sums over the survivors, of w_i = exp(s_i - peak).

  value: [Q, C] sum w m. mass: [Q] sum w. spread: [Q] sum w log w.
  kept: [Q] their number, a float (exact to 2^24) so that all these sums can
    cross devices together.
  """

  value: jax.Array
  mass: jax.Array
  spread: jax.Array
  kept: jax.Array


class Saved(NamedTuple):
  """Arguments and results of a read that its gradient needs.

  query, slots, slot_mask: arguments of `_forward`. value: [Q, C].
  entropy: [Q]. residuals: the second result of `_forward`.
  """

  query: jax.Array
  slots: jax.Array
  slot_mask: jax.Array | None
  value: jax.Array
  entropy: jax.Array
  residuals: tuple[Peak, jax.Array]


def _find_peak(
  options: addressing.ReadOptions,
  query: jax.Array,
  slots: jax.Array,
  threshold: jax.Array,
  slot_mask: jax.Array | None,
) -> Peak:
  """Takes the first pass; for the arguments see `_forward`."""
  top1 = options.on_empty == 'top1'

  def step(carry, block):
    peak, total, nearest = carry
    score = blocks.scores(query, block, options.similarity)
    higher, total = blocks.add_exponentials(peak, total, score)
    if top1:
      here = block.index[jnp.argmax(score, axis=-1)]
      nearest = jnp.where(higher > peak, here, nearest)
    return higher, total, nearest

  nothing = jnp.zeros_like(query[:, 0])
  none = jnp.full(query.shape[:1], _NONE, jnp.int32)
  peak, total, nearest = blocks.fold(
    options, step, (nothing - jnp.inf, nothing, none), slots, slot_mask
  )
  if options.axis is not None:
    highest = jax.lax.pmax(peak, options.axis)
    shift = jnp.where(jnp.isfinite(highest), highest, 0)
    total = jax.lax.psum(total * jnp.exp(peak - shift), options.axis)
    if top1:
      # Of equally similar slots the first, as by argmax over all of them.
      nearest = jax.lax.pmin(
        jnp.where(peak == highest, nearest, _NONE), options.axis
      )
    peak = highest
  floor = shrinkage.floor(peak + jnp.log(total), threshold)
  return Peak(peak, total, floor, jnp.where(peak > floor, _NONE, nearest))


def _log_weights(
  options: addressing.ReadOptions,
  query: jax.Array,
  peak: Peak,
  block: blocks.Block,
) -> tuple[jax.Array, jax.Array]:
  """Returns the survivors of a block and the logarithms of their weights.

  Returns:
    [Q, B] bool survivors, and [Q, B] log w_i = s_i - peak for them, else 0.
  """
  score = blocks.scores(query, block, options.similarity)
  keep = score > peak.floor[:, None]
  if options.on_empty == 'top1':
    is_fallback = block.index[None, :] == peak.fallback_slot[:, None]
    keep |= block.exists[None, :] & is_fallback
  return keep, jnp.where(keep, score - peak.score[:, None], 0)


def _sum_survivors(options, query, slots, slot_mask, peak) -> Sums:
  """Takes the second pass: sums over the survivors."""

  def step(sums, block):
    keep, log = _log_weights(options, query, peak, block)
    weight = jnp.where(keep, jnp.exp(log), 0)
    return Sums(
      value=sums.value + blocks.matmul(weight, block.slots.astype(query.dtype)),
      mass=sums.mass + jnp.sum(weight, axis=-1),
      spread=sums.spread + jnp.sum(weight * log, axis=-1),
      kept=sums.kept + jnp.sum(keep, axis=-1, dtype=query.dtype),
    )

  nothing = jnp.zeros_like(query[:, 0])
  sums = Sums(jnp.zeros_like(query), nothing, nothing, nothing)
  sums = blocks.fold(options, step, sums, slots, slot_mask)
  return sums if options.axis is None else jax.lax.psum(sums, options.axis)


def _usage(
  options, query, slots, slot_mask, query_mask, peak, mass
) -> jax.Array:
  """Takes the third pass: [N] sum of the addressing weights of each slot."""
  share = 1 / mass if query_mask is None else jnp.where(query_mask, 1 / mass, 0)

  def step(usage, block):
    keep, log = _log_weights(options, query, peak, block)
    weight = jnp.where(keep, jnp.exp(log) * share[:, None], 0)
    return _add(usage, jnp.sum(weight, axis=0), block.start)

  nothing = jnp.zeros(slots.shape[0], query.dtype)
  return blocks.fold(options, step, nothing, slots, slot_mask)


def _add(rows: jax.Array, more: jax.Array, start: jax.Array) -> jax.Array:
  """Adds `more` to the rows from `start` on."""
  old = jax.lax.dynamic_slice_in_dim(rows, start, more.shape[0])
  return jax.lax.dynamic_update_slice_in_dim(rows, old + more, start, 0)


def _forward(
  options: addressing.ReadOptions,
  query: jax.Array,
  slots: jax.Array,
  threshold: jax.Array,
  slot_mask: jax.Array | None,
  query_mask: jax.Array | None,
) -> tuple[addressing.MemoryRead, tuple[Peak, jax.Array]]:
  """Reads the memory, and returns what `_backward` needs besides.

  Args:
    options: from `blocks.static_options`.
    query: [Q, C] from `blocks.prepare`.
    slots: [N, C]; with an axis, the slots of this device, as for `slot_mask`
      and `usage`.
    threshold: lambda, scalar.
    slot_mask: [N] bool or None.
    query_mask: [Q] bool or None.

  Returns:
    `MemoryRead`, and the residuals: the peak, and [Q] mass of the survivors.
  """
  peak = _find_peak(options, query, slots, threshold, slot_mask)
  sums = _sum_survivors(options, query, slots, slot_mask, peak)
  mass = jnp.where(sums.mass > 0, sums.mass, 1)
  dead = ~(peak.score > peak.floor)  # Also reads one slot with 'top1'.
  read = addressing.MemoryRead(
    value=sums.value / mass[:, None],
    entropy=jnp.log(mass) - sums.spread / mass,
    log_z=peak.score + jnp.log(peak.total),
    kept_mass=jnp.where(dead, 0, sums.mass / peak.total),
    kept=jnp.where(dead, 0, sums.kept).astype(jnp.int32),
    usage=_usage(options, query, slots, slot_mask, query_mask, peak, mass),
  )
  return read, (peak, mass)


def _backward(
  options: addressing.ReadOptions,
  saved: Saved,
  value_bar: jax.Array,
  entropy_bar: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Returns the gradients of a read.

  Args:
    options: as for `_forward`.
    saved: arguments and results of the read.
    value_bar: [Q, C] cotangent of the value; with an axis the same on all its
      devices.
    entropy_bar: [Q] cotangent of the entropy, likewise.

  Returns:
    [Q, C] gradient of the queries, summed over the devices, and [N, C]
    gradient of the slots of this device.
  """
  query, slots, slot_mask, value, entropy, (peak, mass) = saved
  log_mass = jnp.log(mass)[:, None]
  mean = jnp.sum(value_bar * value, axis=-1) + entropy_bar * entropy

  def step(carry, block):
    query_bar, slots_bar = carry
    both = lambda x: (blocks.keys(x, options.similarity), x)
    (key, slot), pull = jax.vjp(both, block.slots.astype(query.dtype))
    keep, log = _log_weights(options, query, peak, block)
    log = log - log_mass
    weight = jnp.where(keep, jnp.exp(log), 0)
    score_bar = weight * (
      blocks.matmul(value_bar, slot.T)
      - entropy_bar[:, None] * log
      - mean[:, None]
    )
    if options.on_empty == 'top1':  # One slot takes all, whatever its score.
      score_bar = jnp.where(peak.fallback_slot[:, None] == _NONE, score_bar, 0)
    (more,) = pull(
      (blocks.matmul(score_bar.T, query), blocks.matmul(weight.T, value_bar))
    )
    return (
      query_bar + blocks.matmul(score_bar, key),
      _add(slots_bar, more.astype(slots.dtype), block.start),
    )

  nothing = jnp.zeros_like(query), jnp.zeros_like(slots)
  query_bar, slots_bar = blocks.fold(options, step, nothing, slots, slot_mask)
  if options.axis is not None:
    query_bar = jax.lax.psum(query_bar, options.axis)
  return query_bar, slots_bar


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _read(options, query, slots, threshold, slot_mask, query_mask):
  return _forward(options, query, slots, threshold, slot_mask, query_mask)[0]


def _read_fwd(options, query, slots, threshold, slot_mask, query_mask):
  read, residuals = _forward(
    options, query, slots, threshold, slot_mask, query_mask
  )
  return read, Saved(
    query, slots, slot_mask, read.value, read.entropy, residuals
  )


def _read_bwd(options, saved, cotangent):
  gradients = _backward(options, saved, cotangent.value, cotangent.entropy)
  return *gradients, None, None, None


_read.defvjp(_read_fwd, _read_bwd)


def read(
  query: jax.Array,
  slots: jax.Array,
  threshold: jax.Array | float,
  options: addressing.ReadOptions = addressing.USUAL,
  *,
  slot_mask: jax.Array | None = None,
  query_mask: jax.Array | None = None,
) -> addressing.MemoryRead:
  """Reads the memory in blocks of slots; equals the dense, exact read.

  With `options.axis`, call it inside `jax.shard_map(..., check_vma=False)`
  over a mesh with that axis. Then `slots`, `slot_mask` and `usage` are the
  part of this device. All other arguments and the cotangents must be the same
  on all devices of the axis; all other results and the gradient of the
  queries are.

  Args:
    query: [Q, C].
    slots: [N, C]. Where `jax.jit` spreads them over devices, each block would
      be gathered from these: use an axis instead.
    threshold: lambda as an absolute weight, scalar.
    options: similarity, temperature, on_empty, chunk or read_bytes, and axis
      count here.
    slot_mask, query_mask: see `addressing.read`.

  Returns:
    `MemoryRead`, float32 (float64 for float64 queries).

  Example:
    Three slots in blocks of two. The softmax weights are 0.7, 0.2 and 0.1, of
    which two survive a threshold of 0.15, as 0.7 / 0.9 and 0.2 / 0.9.

    >>> from math import log
    >>> query = jnp.array([[1.0, 0.0]])
    >>> slots = jnp.array([[log(7), 0], [log(2), 9], [log(1), 90]])
    >>> options = addressing.ReadOptions(similarity='dot', chunk=2)
    >>> out = read(query, slots, 0.15, options)
    >>> print(out.usage, out.value)  # 0.78 [1.95, 0] + 0.22 [0.69, 9]
    [0.78 0.22 0.  ] [[1.67 2.  ]]
  """
  query = blocks.prepare(query, options.similarity, options.temperature)
  threshold = jnp.asarray(threshold, query.dtype)
  options = blocks.static_options(options, query, slots)
  return _read(options, query, slots, threshold, slot_mask, query_mask)
