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
  """What the first pass finds.

  score: [Q] the highest similarity. total: [Q] sum_i exp(s_i - score).
  floor: [Q] survivors are above it. only: [Q] index of the one slot that a
    dead query reads (`on_empty='top1'`), for the others the largest int32.
  """

  score: jax.Array
  total: jax.Array
  floor: jax.Array
  only: jax.Array


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

  query, slots, slot_mask: as of `forward`. value: [Q, C]. entropy: [Q].
  residuals: of `forward`, too.
  """

  query: jax.Array
  slots: jax.Array
  slot_mask: jax.Array | None
  value: jax.Array
  entropy: jax.Array
  residuals: tuple[Peak, jax.Array]


def find_peak(
  rules: addressing.ReadOptions,
  query: jax.Array,
  slots: jax.Array,
  threshold: jax.Array,
  slot_mask: jax.Array | None,
) -> Peak:
  """The first pass; arguments as of `forward`."""
  top1 = rules.on_empty == 'top1'

  def step(carry, block):
    peak, total, nearest = carry
    score = blocks.scores(query, block, rules.similarity)
    higher, total = blocks.add_exponentials(peak, total, score)
    if top1:
      here = block.index[jnp.argmax(score, axis=-1)]
      nearest = jnp.where(higher > peak, here, nearest)
    return higher, total, nearest

  nothing = jnp.zeros_like(query[:, 0])
  none = jnp.full(query.shape[:1], _NONE, jnp.int32)
  peak, total, nearest = blocks.fold(
    rules, step, (nothing - jnp.inf, nothing, none), slots, slot_mask
  )
  if rules.axis is not None:
    highest = jax.lax.pmax(peak, rules.axis)
    shift = jnp.where(jnp.isfinite(highest), highest, 0)
    total = jax.lax.psum(total * jnp.exp(peak - shift), rules.axis)
    if top1:
      # Of equally similar slots the first, as by argmax over all of them.
      nearest = jax.lax.pmin(
        jnp.where(peak == highest, nearest, _NONE), rules.axis
      )
    peak = highest
  floor = shrinkage.floor(peak + jnp.log(total), threshold)
  return Peak(peak, total, floor, jnp.where(peak > floor, _NONE, nearest))


def _log_weights(
  rules: addressing.ReadOptions,
  query: jax.Array,
  peak: Peak,
  block: blocks.Block,
) -> tuple[jax.Array, jax.Array]:
  """[Q, B] survivors, and log w_i = s_i - peak for them (0 elsewhere)."""
  score = blocks.scores(query, block, rules.similarity)
  keep = score > peak.floor[:, None]
  if rules.on_empty == 'top1':
    only = block.index[None, :] == peak.only[:, None]
    keep |= block.exists[None, :] & only
  return keep, jnp.where(keep, score - peak.score[:, None], 0)


def _sum_survivors(rules, query, slots, slot_mask, peak) -> Sums:
  """The second pass."""

  def step(sums, block):
    keep, log = _log_weights(rules, query, peak, block)
    weight = jnp.where(keep, jnp.exp(log), 0)
    return Sums(
      value=sums.value + blocks.matmul(weight, block.slots.astype(query.dtype)),
      mass=sums.mass + jnp.sum(weight, axis=-1),
      spread=sums.spread + jnp.sum(weight * log, axis=-1),
      kept=sums.kept + jnp.sum(keep, axis=-1, dtype=query.dtype),
    )

  nothing = jnp.zeros_like(query[:, 0])
  sums = Sums(jnp.zeros_like(query), nothing, nothing, nothing)
  sums = blocks.fold(rules, step, sums, slots, slot_mask)
  return sums if rules.axis is None else jax.lax.psum(sums, rules.axis)


def _usage(rules, query, slots, slot_mask, query_mask, peak, mass) -> jax.Array:
  """The third pass: [N] sum of the addressing weights of each slot."""
  share = 1 / mass if query_mask is None else jnp.where(query_mask, 1 / mass, 0)

  def step(usage, block):
    keep, log = _log_weights(rules, query, peak, block)
    weight = jnp.where(keep, jnp.exp(log) * share[:, None], 0)
    return _add(usage, jnp.sum(weight, axis=0), block.start)

  nothing = jnp.zeros(slots.shape[0], query.dtype)
  return blocks.fold(rules, step, nothing, slots, slot_mask)


def _add(whole: jax.Array, part: jax.Array, start: jax.Array) -> jax.Array:
  """Adds part to the rows of whole from start on."""
  old = jax.lax.dynamic_slice_in_dim(whole, start, part.shape[0])
  return jax.lax.dynamic_update_slice_in_dim(whole, old + part, start, 0)


def forward(
  rules: addressing.ReadOptions,
  query: jax.Array,
  slots: jax.Array,
  threshold: jax.Array,
  slot_mask: jax.Array | None,
  query_mask: jax.Array | None,
) -> tuple[addressing.MemoryRead, tuple[Peak, jax.Array]]:
  """The read, and what `backward` needs besides.

  Args:
    rules: how to read, see `fixed`.
    query: [Q, C] as of `prepare`.
    slots: [N, C], with an axis those of this device; so are masks and usage.
    threshold: lambda, scalar.
    slot_mask: [N] bool or None.
    query_mask: [Q] bool or None.

  Returns:
    `MemoryRead` and the residuals, [Q] each.
  """
  peak = find_peak(rules, query, slots, threshold, slot_mask)
  sums = _sum_survivors(rules, query, slots, slot_mask, peak)
  mass = jnp.where(sums.mass > 0, sums.mass, 1)
  dead = ~(peak.score > peak.floor)  # Also reads one slot with 'top1'.
  read = addressing.MemoryRead(
    value=sums.value / mass[:, None],
    entropy=jnp.log(mass) - sums.spread / mass,
    log_z=peak.score + jnp.log(peak.total),
    kept_mass=jnp.where(dead, 0, sums.mass / peak.total),
    kept=jnp.where(dead, 0, sums.kept).astype(jnp.int32),
    usage=_usage(rules, query, slots, slot_mask, query_mask, peak, mass),
  )
  return read, (peak, mass)


def backward(
  rules: addressing.ReadOptions,
  saved: Saved,
  value_bar: jax.Array,
  entropy_bar: jax.Array,
) -> tuple[jax.Array, jax.Array]:
  """Gradients of the read.

  Args:
    rules: as of `forward`.
    saved: its arguments and results.
    value_bar: [Q, C] cotangent of the value; with an axis the same on all its
      devices.
    entropy_bar: [Q] cotangent of the entropy, likewise.

  Returns:
    [Q, C] gradient of query, whole on every device, and [N, C] of slots.
  """
  query, slots, slot_mask, value, entropy, (peak, mass) = saved
  log_mass = jnp.log(mass)[:, None]
  mean = jnp.sum(value_bar * value, axis=-1) + entropy_bar * entropy

  def step(carry, block):
    query_bar, slots_bar = carry
    both = lambda x: (blocks.keys(x, rules.similarity), x)
    (key, slot), pull = jax.vjp(both, block.slots.astype(query.dtype))
    keep, log = _log_weights(rules, query, peak, block)
    log = log - log_mass
    weight = jnp.where(keep, jnp.exp(log), 0)
    score_bar = weight * (
      blocks.matmul(value_bar, slot.T)
      - entropy_bar[:, None] * log
      - mean[:, None]
    )
    if rules.on_empty == 'top1':  # One slot takes all, whatever its score.
      score_bar = jnp.where(peak.only[:, None] == _NONE, score_bar, 0)
    (more,) = pull(
      (blocks.matmul(score_bar.T, query), blocks.matmul(weight.T, value_bar))
    )
    return (
      query_bar + blocks.matmul(score_bar, key),
      _add(slots_bar, more.astype(slots.dtype), block.start),
    )

  nothing = jnp.zeros_like(query), jnp.zeros_like(slots)
  query_bar, slots_bar = blocks.fold(rules, step, nothing, slots, slot_mask)
  if rules.axis is not None:
    query_bar = jax.lax.psum(query_bar, rules.axis)
  return query_bar, slots_bar


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _read(rules, query, slots, threshold, slot_mask, query_mask):
  return forward(rules, query, slots, threshold, slot_mask, query_mask)[0]


def _read_fwd(rules, query, slots, threshold, slot_mask, query_mask):
  read, residuals = forward(
    rules, query, slots, threshold, slot_mask, query_mask
  )
  return read, Saved(
    query, slots, slot_mask, read.value, read.entropy, residuals
  )


def _read_bwd(rules, saved, cotangent):
  gradients = backward(rules, saved, cotangent.value, cotangent.entropy)
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
  """Equals the dense read with the exact gradient, in blocks of slots.

  Args:
    query: [Q, C].
    slots: [N, C]. If `jax.jit` has them spread over devices, blocks of them
      would be gathered: take an axis.
    threshold: lambda as an absolute weight, scalar.
    options: of them similarity, temperature, on_empty, chunk or read_bytes,
      and axis: name of a mesh axis, inside
      `jax.shard_map(..., check_vma=False)`. Then slots, slot_mask and usage
      are this device's part, and all others must be, and are, the same on all
      devices of the axis; so must the cotangents be. Gradients of query are
      whole on each device.
    slot_mask, query_mask: see `addressing.read`.

  Returns:
    `MemoryRead`, float32 (float64 for float64 queries).
  """
  query = blocks.prepare(query, options.similarity, options.temperature)
  threshold = jnp.asarray(threshold, query.dtype)
  rules = blocks.fixed(options, query, slots)
  return _read(rules, query, slots, threshold, slot_mask, query_mask)
