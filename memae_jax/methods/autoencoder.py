"""Autoencoders with a memory and without one: one family, one program.

All replicas have the same network and start from the same weights, so that
they can be compared in pairs; traced values say which parts of it each uses.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from memae_jax import losses
from memae_jax.memory import addressing, usage
from memae_jax.methods import base, positions, selection, tasks
from memae_jax.models import dense, memae, memory_bank

_SLOTS = ('bank', 'slots')
_CODE_NOISE = 1  # Number of a draw within a step; the noise on inputs is 0.
# Encodings that slots are selected among, if there are no more slots than
# that; and how many of them come from one sample at most.
_ENCODINGS, _OF_SAMPLE = 2**16, 64


class Hyper(NamedTuple):
  """Traced values of a replica (scalars), or of a fleet ([R] each).

  knobs: what the network takes. alpha, code_l1, kl_weight: weights of the
  losses beside the reconstruction. noise: standard deviation of the noise on
  inputs in training.
  """

  knobs: memae.Knobs
  alpha: jax.Array
  code_l1: jax.Array
  kl_weight: jax.Array
  noise: jax.Array


def build(
  config: Any, input_shape: tuple[int, ...], replicas: Sequence[Any]
) -> 'Autoencoder':
  """Builds the method of the family "autoencoder".

  Args:
    config: resolved.
    input_shape: shape of one sample.
    replicas: of the family; parts that none of them uses are left out.

  Raises:
    UserError: fields of the network do not fit each other or the samples.
  """
  of = lambda name: any(r.variant == name for r in replicas)
  slots = [r.slots for r in replicas if r.has_memory]
  task = tasks.of(config, input_shape)
  seen, wanted = task.shapes(input_shape)
  model = memae.build(
    config.model,
    seen,
    max(slots, default=None),
    with_head=of('vae'),
    dtype=config.model.compute,
    output_shape=wanted,
  )
  per_position = config.model.memory.per_position
  return Autoencoder(
    model=model,
    task=task,
    queries=math.prod(model.code_shape[:-1]) if per_position else 1,
    memory_init=config.model.memory.init,
    noisy=of('dae'),
    noise_range=tuple(config.train.noise_range),
    penalised=config.train.l1_of if of('ae_l1') else '',
    rule=losses.find(config.train.loss),
  )


@dataclasses.dataclass(frozen=True)
class Autoencoder(base.Method):
  """Autoencoders with and without memory, as a `base.Method`.

  Attributes:
    model: the network.
    task: what it sees of a sample, and what it has to give.
    queries: of one sample.
    memory_init: config field `model.memory.init`; where it names a selection,
      a pass comes first that collects encodings by the initial encoder.
    noisy: whether any replica is a denoising autoencoder.
    noise_range: lowest and highest value of noisy inputs; (): any.
    penalised: config field `train.l1_of`, if any replica has a penalty.
    rule: by which it is trained, whose score and map it has among others.
    score: see `base.Method`.
    padding: slots that exist only to make the devices' shares equal.
    across: the devices of a replica.
  """

  model: memae.MemAE
  task: tasks.Task = tasks.Task()
  queries: int = 1
  memory_init: str = 'uniform'
  noisy: bool = False
  noise_range: tuple[float, ...] = ()
  penalised: str = ''
  rule: losses.Rule = losses.find('mse')
  score: str = ''
  padding: int = 0
  across: base.Across = base.Across()

  @property
  def criterion(self):
    """Criterion of the best weights: the loss, without its penalties."""
    return self.rule.name, 'reconstruction'

  @property
  def memories(self):
    """Number of slots at the path of the memory bank."""
    return {_SLOTS: self.slots} if self.model.bank else {}

  @property
  def slots(self) -> int:
    """Number of slots on all devices together, without padding."""
    return self.model.bank.slots * self.across.memory - self.padding

  def hyper(self, replicas, config):
    """Returns the `Hyper` of replicas."""
    column = lambda key, dtype: np.asarray(
      [getattr(r, key) for r in replicas], dtype
    )
    of = lambda name, value: np.asarray(
      [value if r.variant == name else 0 for r in replicas], np.float32
    )
    return Hyper(
      knobs=memae.Knobs(
        use_memory=column('has_memory', bool),
        sample_code=np.asarray([r.variant == 'vae' for r in replicas]),
        relative_threshold=column('threshold', np.float32),
        slots=column('slots', np.int32),
      ),
      alpha=column('alpha', np.float32),
      code_l1=of('ae_l1', config.train.code_l1),
      kl_weight=of('vae', config.train.kl_weight),
      noise=of('dae', config.train.noise),
    )

  def on(self, across):
    """Returns the part of this method that one of several devices runs."""
    model = self.model.sharded(
      across.data_axis, across.memory_axis, across.memory
    )
    padding = 0
    if model.bank is not None:
      padding = model.bank.slots * across.memory - self.model.bank.slots
    return dataclasses.replace(
      self, model=model, padding=padding, across=across
    )

  @property
  def _from_encodings(self) -> bool:
    return self.model.bank is not None and self.memory_init == 'encodings'

  @property
  def _selects(self) -> bool:
    is_selection = self.memory_init in selection.SELECTIONS
    return self.model.bank is not None and is_selection

  @property
  def stages(self):
    """Returns the training, after a pass where slots are selected."""
    if not self._selects:
      return (base.Train(),)
    each = min(self.queries, _OF_SAMPLE)
    most = math.ceil(max(_ENCODINGS, self.slots) / each)
    return base.Collect(keeps='rows', most=most), base.Train()

  @property
  def least_samples(self):
    """Least number of training samples that give each slot an encoding."""
    if self._selects:
      return math.ceil(self.slots / min(self.queries, _OF_SAMPLE))
    return math.ceil(self.slots / self.queries) if self._from_encodings else 1

  def init_samples(self, batch_size):
    """Returns the number of training samples that `init` takes.

    Where a sample has many queries, it is at least a batch: else all slots
    would come from a few samples. Norms get the moments of a batch.
    """
    if self._selects:
      return batch_size
    if self._from_encodings and self.model.bank.per_position:
      return max(self.least_samples, batch_size)
    return self.least_samples

  def init(self, key, samples, hyper):
    """Returns initial weights, with slots as `memory_init` says."""
    samples, _ = self.task.parts(samples)
    variables = self.model.init(key, samples[:1], hyper.knobs)
    if self._selects:
      return memae.settled(self.model, variables, samples)
    if self._from_encodings:
      slots = self._encodings(key, variables, samples)
      variables['params']['bank']['slots'] = jax.lax.dynamic_slice_in_dim(
        slots, self.model.bank.first(), self.model.bank.slots
      )
    return variables

  def _encodings(self, key, variables, samples) -> jax.Array:
    """Returns slots [N, C] of all devices: encodings by the initial encoder."""
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
    if bank.per_position:  # Queries of a sample lie side by side.
      queries = jax.random.permutation(key, queries)
    return jnp.pad(queries[: self.slots], ((0, self.padding), (0, 0)))

  def collect(self, variables, x, hyper, mask, stage, round_):
    """Returns the queries of samples, or some of each: [B, P, C]."""
    del hyper, mask, stage, round_
    return positions.drawn(self._queries(variables, x), _OF_SAMPLE)

  def _queries(self, variables, x) -> jax.Array:
    """Returns the queries [B, P, C] of samples."""
    seen, _ = self.task.parts(x)
    codes = self.model.apply(variables, seen, method=memae.MemAE.encode)
    queries = memory_bank.queries(codes, self.model.bank.per_position)
    return queries.reshape(-1, self.queries, queries.shape[-1])

  def embed(self, variables, x):
    """Returns queries and slots, as a read compares them."""
    bank = self.model.bank
    if bank is None:
      return None
    both = self._queries(variables, x), base.slots_of(variables, _SLOTS)
    if bank.options.similarity == 'cosine':
      both = tuple(map(addressing.normalise, both))
    return both

  def finish(self, variables, collected, hyper, stage, round_, rng):
    """Selects the slots that the memory starts with."""
    del stage, round_
    if not hyper.knobs.use_memory:
      return variables, True
    rows = collected.reshape(-1, collected.shape[-1])
    count = int(hyper.knobs.slots)
    slots = np.array(variables['params']['bank']['slots'])
    slots[:count] = selection.select(rows, self.memory_init, count, rng).slots
    params = variables['params'] | {'bank': {'slots': slots}}
    return variables | {'params': params}, True

  def loss(self, variables, batch, hyper, across):
    """Returns the reconstruction error and the penalties of a batch."""
    del across  # Every term is a mean over samples.
    seen, x = self.task.parts(batch.x)
    if self.noisy:
      seen = self._with_noise(seen, batch, hyper)
    noise = None
    if self.model.head is not None:
      noise = batch.normal(self.model.code_shape, _CODE_NOISE)
    out, updates = self.model.apply(
      variables,
      seen,
      hyper.knobs,
      train=True,
      sample_mask=batch.mask,
      code_noise=noise,
      mutable=['batch_stats', dense.INTERMEDIATES],
    )
    loss = batch.mean(self.rule.score(x, out.reconstruction))
    terms, totals = {'reconstruction': loss}, {}
    if out.read is not None:
      totals = self._totals(out.read, batch.mask)
      use = hyper.knobs.use_memory
      terms['entropy'] = jnp.where(use, batch.mean(out.read.entropy), 0)
      loss += hyper.alpha * terms['entropy']
    if out.divergence is not None:
      divergence = batch.mean(out.divergence) / math.prod(x.shape[1:])
      weight = hyper.kl_weight
      terms['divergence'] = jnp.where(weight > 0, divergence, 0)
      loss += jnp.where(weight > 0, weight * divergence, 0)
    if self.penalised:
      is_code = self.penalised == 'code'
      values = out.code if is_code else dense.first_layer(updates)
      terms['code_l1'] = batch.mean(jnp.abs(values))
      loss += hyper.code_l1 * terms['code_l1']
    updates.pop(dense.INTERMEDIATES, None)
    return base.LossParts(loss, terms, updates, totals)

  def _with_noise(self, seen, batch, hyper) -> jax.Array:
    """Returns noisy inputs of a denoising autoencoder, the same of others."""
    noisy = seen + hyper.noise * batch.normal(seen.shape[1:])
    if not self.noise_range:
      return noisy
    return jnp.where(hyper.noise > 0, jnp.clip(noisy, *self.noise_range), seen)

  def predict(self, variables, x, hyper, mask, keys):
    """Returns scores, maps and reconstructions; codes are not drawn."""
    del keys  # A variational head takes the means of its codes.
    seen, wanted = self.task.parts(x)
    out = self.model.apply(variables, seen, hyper.knobs, sample_mask=mask)
    prediction = base.Prediction(
      **losses.of(wanted, out.reconstruction, self.rule),
      output=out.reconstruction,
      target=wanted if self.task.predicts else None,
    )
    if out.read is None:
      return prediction
    kept = out.read.kept.reshape(len(x), -1)
    return prediction._replace(
      scores=prediction.scores | self._distance(out.read, len(x)),
      kept=jnp.sum(kept, axis=-1, dtype=jnp.int32),
      totals=self._totals(out.read, mask),
    )

  def _distance(self, read, count: int) -> dict[str, jax.Array]:
    """Returns how far codes are from their nearest slots, which reads know.

    Only cosines say it: between the directions of both, from 0 to 2.
    """
    options = self.model.bank.options
    if options.similarity != 'cosine':
      return {}
    cosine = read.highest * options.temperature
    distance = jnp.sqrt(jnp.maximum(2 - 2 * cosine, 0))
    return {losses.MEMORY: jnp.mean(distance.reshape(count, -1), axis=1)}

  def _totals(self, read, mask) -> dict[str, usage.ReadTotals]:
    """Returns totals of the reads of this device, by name of the memory.

    Args:
      read: of the samples of this device.
      mask: [B] bool, False for padding; None: there is none.
    """
    bank = self.model.bank
    if mask is not None:
      mask = jnp.repeat(mask, read.kept.shape[0] // len(mask))
    most = bank.options.k
    return {_SLOTS[0]: usage.totals(read, mask, most)}

  def decode_slots(self, variables, slots):
    """Returns slots as samples; None where a slot holds a part of a sample."""
    if self.model.bank.per_position:
      return None
    return self.model.apply(variables, slots, method=memae.MemAE.decode)

  def alone(self, replica, variables):
    """Returns the network of one replica, without head or bank it lacks."""
    model, params = self.model, dict(variables['params'])
    if replica.variant != 'vae':
      model = model.clone(head=None)
      params.pop('head', None)
    if not replica.has_memory:
      model = model.clone(bank=None)
      params.pop('bank', None)
    else:
      model = model.clone(bank=model.bank.clone(slots=replica.slots))
      params['bank'] = {'slots': params['bank']['slots'][: replica.slots]}
    variables = variables | {'params': params}
    return dataclasses.replace(self, model=model), variables
