"""MNAD: a memory whose slots are moved by reads, and stand beside the query.

After Park et al. 2020, "Learning memory-guided normality for anomaly
detection", by the equations and the released code. Queries and slots are unit
vectors; the decoder sees each query with what it read; losses pull queries to
their nearest slot and away from the second; slots move without a gradient.
As published it foretells the fifth frame of a clip from four by a U-Net, or
gives back a frame by the same network without skips.

While testing, slots move in streams alone (`moving`): scores then depend on the
order of the samples. The score that the paper adds up is `eval.score=sum` of an
error and `memory_distance`.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import losses, memory
from memae_jax.memory import addressing, nearest, usage
from memae_jax.methods import base, moving, tasks
from memae_jax.models import conv_net, memae, unet
from memae_jax.runtime import errors, parallel

_SLOTS = ('mnad', 'slots')
_MARGIN = 1.0  # Of the triplet loss, as published.
_LEAST = 1e-6  # Added to differences, as the published loss does.
_BELOW = {True: 0.01, False: 0.015}  # Of regular scores, if it predicts or not.
# Cosines, and no temperature: weights are nearly alike.
_ALONE = base.Across()
_READ = addressing.ReadOptions(similarity='cosine', temperature=1.0)


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Mnad':
  """Builds the family.

  Args:
    config: resolved; `config.model` describes encoder and decoder.
    input_shape: of one sample.
    replicas: of the family.

  Raises:
    UserError: fields of the network do not fit the samples, or a device has
      fewer than two slots.
  """
  slots = max(replica.slots for replica in replicas)
  fewest = min(replica.slots for replica in replicas)
  if min(slots // config.mesh.memory, fewest) < 2:
    raise errors.UserError(
      '"mnad" compares the two nearest slots, but there are fewer, in all or on'
      ' a device; raise model.memory.slots'
    )
  options, task = config.methods.mnad, tasks.of(config, input_shape)
  return Mnad(
    network=_network(config, task, input_shape),
    task=task,
    slots=slots,
    compactness=options.compactness,
    separateness=options.separateness,
    rule=losses.find(config.train.loss),
    read_bytes=config.model.memory.read_bytes,
  )


def _network(
  config: Any, task: tasks.Task, input_shape: tuple[int, ...]
) -> 'Network':
  """Returns the network that `methods.mnad.network` names.

  Raises:
    UserError: it does not fit the samples, or would copy them.
  """
  options, (seen, wanted) = config.methods.mnad, task.shapes(input_shape)
  dtype, kind = config.model.compute, options.network
  if kind == 'auto':
    kind = 'unet' if task.predicts else 'model'
  if kind == 'model':
    model = memae.build(
      config.model, seen, None, dtype=dtype, output_shape=wanted
    )
    return Network(model.encoder, model.decoder, model.code_shape)
  if kind == 'unet' and not task.predicts:
    raise errors.UserError(
      'config field "methods.mnad.network" is "unet", whose skips would copy'
      ' what it has to give back; use "no_skips", or model.task "predict"'
    )
  sizes = unet.sizes(seen, options.widths, 'methods.mnad.widths')
  wrap = conv_net.remat(config.model.remat)
  shared = dict(
    widths=tuple(options.widths),
    batch_norm=config.model.batch_norm,
    dtype=dtype,
  )
  decoder = wrap(unet.Decoder)(
    sizes=sizes,
    channels=wanted[-1],
    kernel=3,
    skips=kind == 'unet',
    mixes=True,
    bounded=tasks.is_bounded(config),
    **shared,
  )
  encoder = wrap(unet.Encoder)(is_open=True, **shared)
  return Network(encoder, decoder, (*sizes[-1], options.widths[-1]))


class Network(nn.Module):
  """Encoder, and decoder of queries beside their reads.

  Attributes:
    encoder, decoder: see `models.memae` or `models.unet`.
    code_shape: of the encoding of one sample; its last axis is that of slots.
  """

  encoder: nn.Module
  decoder: nn.Module
  code_shape: tuple[int, ...]

  def queries(self, x, train: bool = False, mask=None):
    """Returns unit vectors [Q, C], one for each position of each sample.

    Beside them the maps that skips take to the decoder, of a U-Net.
    """
    code, above = self.encoder(x, train, mask), ()
    if isinstance(code, tuple):
      *above, code = code
    code = code.astype(x.dtype).reshape(-1, self.code_shape[-1])
    return addressing.normalise(code), tuple(above)

  def decode(
    self, query, value, above=(), train: bool = False, mask=None
  ) -> jax.Array:
    """Decodes [Q, C] queries with the [Q, C] values that they read.

    Args:
      query: from `queries`.
      value: of their reads.
      above: from `queries`.
      train: whether norms take the moments of the batch.
      mask: [B] bool, False for padding; None: there is none.
    """
    both = jnp.concatenate([query, value], axis=1)
    both = both.reshape(-1, *self.code_shape[:-1], both.shape[1])
    more = (above,) if above else ()
    return self.decoder(both, train, mask, *more).astype(query.dtype)

  def __call__(self, x) -> jax.Array:
    """Decodes samples whose reads are zeros, to start the weights."""
    query, above = self.queries(x)
    return self.decode(query, jnp.zeros_like(query), above)


class Found(NamedTuple):
  """Reads and nearest slots of the queries of a batch.

  query: [Q, C]. read: of all slots. index: [Q, 2] numbers of the two nearest
  slots. slots: [N, C], those of all devices.
  """

  query: jax.Array
  read: memory.MemoryRead
  index: jax.Array
  slots: jax.Array


def moved(
  slots: jax.Array,
  query: jax.Array,
  index: jax.Array,
  mask: jax.Array,
  across: base.Across,
) -> jax.Array:
  """Returns slots after the queries of a batch have moved them (equation 6).

  A slot gets the queries that it is nearest to, weighted by their similarity
  over that of the most similar query of the batch, and then norm 1 again.

  Args:
    slots: [N, C] unit vectors, on each device all of them.
    query: [Q, C] unit vectors.
    index: [Q] numbers of their nearest slots.
    mask: [Q] bool, False for padding.
    across: the devices that share the batch.

  Returns:
    [N, C].
  """
  score = jnp.matmul(query, slots.T, precision=jax.lax.Precision.HIGHEST)
  # A softmax over the queries, divided by its maximum: the sum cancels.
  highest = across.max(
    jnp.max(jnp.where(mask[:, None], score, -jnp.inf), axis=0)
  )
  own = jnp.take_along_axis(score, index[:, None], axis=1)[:, 0]
  weight = jnp.where(mask, jnp.exp(own - highest[index]), 0)
  pull = jnp.zeros_like(slots).at[index].add(weight[:, None] * query)
  return addressing.normalise(slots + across.sum(pull))


@dataclasses.dataclass(frozen=True)
class Mnad(base.Method):
  """MNAD, see `base.Method`.

  Attributes:
    network: encoder and decoder.
    task: what they see of a sample, and what they have to give.
    slots: on all devices, without padding.
    compactness, separateness: weights of the losses.
    rule: by which it is trained.
    read_bytes: see `memory.ReadOptions`.
    across: the devices of a replica.
  """

  network: Network
  task: tasks.Task
  slots: int
  compactness: float
  separateness: float
  rule: losses.Rule
  read_bytes: int
  across: base.Across = _ALONE

  @property
  def criterion(self):
    """Criterion of the best weights: the loss, without the other terms."""
    return self.rule.name, 'reconstruction'

  moves = 'mnad'

  @property
  def below(self) -> float:
    """Published regular score from which on a sample moves no slot."""
    return _BELOW[self.task.predicts]

  @property
  def memories(self):
    """Slots at their path."""
    return {_SLOTS: self.slots}

  @property
  def _here(self) -> int:
    """Slots of one device, with padding."""
    count = self.across.memory
    return parallel.padded(self.slots, count) // count

  @property
  def _first(self) -> jax.Array | int:
    """Number of the first slot of this device."""
    if self.across.memory_axis is None:
      return 0
    return jax.lax.axis_index(parallel.MEMORY) * self._here

  def hyper(self, replicas, config):
    """Returns the slots of each replica."""
    del config
    return np.asarray([replica.slots for replica in replicas], np.int32)

  def on(self, across):
    """Returns what one device runs."""
    network = self.network.clone(
      encoder=self.network.encoder.clone(axis=across.data_axis),
      decoder=self.network.decoder.clone(axis=across.data_axis),
    )
    return dataclasses.replace(self, network=network, across=across)

  def init(self, key, samples, hyper):
    """Returns weights, and slots drawn from U(0, 1), then of norm 1."""
    del hyper
    seen, _ = self.task.parts(samples)
    variables = self.network.init(key, seen)
    width = self.network.code_shape[-1]
    # Each slot has a key of its own, wherever it lies.
    keys = jax.vmap(jax.random.fold_in, (None, 0))(
      key, self._first + jnp.arange(self._here)
    )
    slots = jax.vmap(lambda k: jax.random.uniform(k, (width,)))(keys)
    return {**variables, 'mnad': {'slots': addressing.normalise(slots)}}

  def _net(self, variables, method, *args, train=False):
    """Calls a function of the network: its result, and new statistics."""
    weights = {k: v for k, v in variables.items() if k != 'mnad'}
    mutable = ['batch_stats'] if train else False
    out = self.network.apply(weights, *args, method=method, mutable=mutable)
    return out if train else (out, {})

  def _find(self, variables, query, hyper, mask) -> Found:
    """Reads the memory and finds the nearest slots, without a gradient."""
    axis = self.across.memory_axis
    slots = jnp.asarray(variables['mnad']['slots'])  # Scorers have NumPy's.
    fixed = jax.lax.stop_gradient(query)
    exists = self._first + jnp.arange(self._here) < hyper
    options = _READ._replace(read_bytes=self.read_bytes, axis=axis)
    if mask is not None:
      mask = jnp.repeat(mask, len(query) // len(mask))
    read = memory.read(
      fixed, slots, 0.0, options, slot_mask=exists, query_mask=mask
    )
    near = nearest.nearest(
      fixed,
      slots,
      2,
      slot_mask=exists,
      read_bytes=self.read_bytes,
      axis=axis,
    )
    if axis is not None:
      slots = jax.lax.all_gather(slots, axis, tiled=True)
    return Found(query, read, near.index, slots)

  def loss(self, variables, batch, hyper, across):
    """Returns the error and the two losses of the slots, and moves these."""
    (seen, wanted), mask = self.task.parts(batch.x), batch.mask
    (query, above), new = self._net(
      variables, Network.queries, seen, True, mask, train=True
    )
    found = self._find(variables, query, hyper, mask)
    read, variables = found.read.value, {**variables, **new}
    out, new = self._net(
      variables, Network.decode, query, read, above, True, mask, train=True
    )
    error = batch.mean(self.rule.score(wanted, out))
    first, second = (found.slots[found.index[:, i]] for i in (0, 1))
    far = lambda slot: jnp.linalg.norm(query - slot + _LEAST, axis=1)
    compact = batch.mean(jnp.mean((query - first) ** 2, axis=1))
    apart = batch.mean(jnp.maximum(far(first) - far(second) + _MARGIN, 0))
    terms = {
      'reconstruction': error,
      'compactness': compact,
      'separateness': apart,
    }
    loss = error + self.compactness * compact + self.separateness * apart
    new = {**new, 'mnad': {'slots': self._moved(found, mask, across)}}
    return base.LossParts(loss, terms, new, self._totals(found, mask))

  def _moved(self, found: Found, mask, across) -> jax.Array:
    """Returns the slots of this device after a step."""
    query = jax.lax.stop_gradient(found.query)
    real = jnp.ones(len(query), bool)
    if mask is not None:
      real = jnp.repeat(mask, len(query) // len(mask))
    slots = moved(found.slots, query, found.index[:, 0], real, across)
    return jax.lax.dynamic_slice_in_dim(slots, self._first, self._here)

  def _totals(self, found: Found, mask) -> dict[str, usage.ReadTotals]:
    if mask is not None:
      mask = jnp.repeat(mask, len(found.query) // len(mask))
    return {base.memory_name(_SLOTS): usage.totals(found.read, mask)}

  def predict(self, variables, x, hyper, mask, keys):
    """Returns scores, maps and outputs; slots stay as they are."""
    del keys
    seen, wanted = self.task.parts(x)
    (query, above), _ = self._net(variables, Network.queries, seen)
    found = self._find(variables, query, hyper, mask)
    read = found.read.value
    out, _ = self._net(variables, Network.decode, query, read, above)
    nearest_ = found.slots[found.index[:, 0]]
    distance = jnp.linalg.norm(query - nearest_, axis=1).reshape(len(x), -1)
    by_rule = losses.of(wanted, out)
    scores = by_rule['scores'] | {losses.MEMORY: jnp.mean(distance, axis=1)}
    kept = found.read.kept.reshape(len(x), -1)
    return base.Prediction(
      scores,
      by_rule['maps'],
      output=out,
      target=wanted if self.task.predicts else None,
      kept=jnp.sum(kept, axis=1, dtype=jnp.int32),
      totals=self._totals(found, mask),
    )

  def moved_by(self, variables, x, hyper, output):
    """Returns the slots after one sample, as a training step moves them."""
    seen, wanted = self.task.parts(x)
    (query, _), _ = self._net(variables, Network.queries, seen)
    slots = self._moved(self._find(variables, query, hyper, None), None, _ALONE)
    regular = moving.regular_score(wanted, output)
    return moving.Moved({'slots': slots}, regular)

  def embed(self, variables, x):
    """Returns queries and slots, all of norm 1."""
    seen, _ = self.task.parts(x)
    (query, _), _ = self._net(variables, Network.queries, seen)
    rows = query.reshape(len(x), -1, query.shape[-1])
    return rows, base.slots_of(variables, _SLOTS)

  def alone(self, replica, variables):
    """Returns the method with the slots of one replica."""
    slots = variables['mnad']['slots'][: replica.slots]
    method = dataclasses.replace(self, slots=replica.slots)
    return method, {**variables, 'mnad': {'slots': slots}}
