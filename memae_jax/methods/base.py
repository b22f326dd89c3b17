"""The contract of a method: pure functions of the arrays of one replica.

`training` maps them over a fleet and spreads them over devices; all that
`evaluation` knows of a sample is what `predict` returns.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import flax.struct
import jax
import jax.numpy as jnp
import numpy as np

from memae_jax.memory import usage
from memae_jax.runtime import parallel

# Collections of arrays by name; gradients change 'params' alone.
Variables = dict[str, Any]
# The path of slots within a collection, such as ('bank', 'slots').
Path = tuple[str, ...]


def memory_name(path: Path) -> str:
  """Returns the name of a memory: the path of its slots without "slots"."""
  return '/'.join(path[:-1]) or path[-1]


def leaf(tree: Any, path: Path) -> Any:
  """Returns the value at a path of nested mappings."""
  for name in path:
    tree = tree[name]
  return tree


def slots_of(variables: Variables, path: Path) -> Any:
  """Returns the slots at a path of `Method.memories`.

  Args:
    variables: of a replica or fleet.
    path: of the slots; it starts inside 'params', or with the name of another
      collection.
  """
  inside = variables if path[0] in variables else variables['params']
  return leaf(inside, path)


class Prediction(NamedTuple):
  """Results of a method for B samples.

  Attributes:
    scores: [B] by name of the score rule; higher is more anomalous. A rule of
      videos may give several values per sample: [B, ...], see `losses`.
    maps: by name of the score rule, how much each pixel or column adds:
      [B, H, W] of images; [B, D] of rows of a table, whose mean is the score.
    output: [B, ...] a reconstruction, in the units of the input; or None.
    target: [B, ...] that `output` is compared with; None: the input.
    kept: [B] int32 number of slots that survived in the reads of a sample, or
      None.
    totals: sums over the reads of each memory, by its name.
  """

  scores: dict[str, jax.Array]
  maps: dict[str, jax.Array] = {}
  output: jax.Array | None = None
  target: jax.Array | None = None
  kept: jax.Array | None = None
  totals: dict[str, usage.ReadTotals] = {}


class LossParts(NamedTuple):
  """The loss of the samples of one device.

  Attributes:
    loss: scalar, this device's share: the shares of all devices add up to the
      loss.
    terms: shares of the terms of the loss by name, without their weights.
    collections: collections of variables that the samples change, such as
      'batch_stats'.
    totals: see `Prediction`.
  """

  loss: jax.Array
  terms: dict[str, jax.Array]
  collections: Variables = {}
  totals: dict[str, usage.ReadTotals] = {}


@flax.struct.dataclass
class Batch:
  """Samples of a step that one device holds, or a part of them.

  Attributes:
    x: [B, ...] model inputs.
    mask: [B] bool, False for padding; None: there is none.
    keys: [B] random keys, one per sample and step; the same however the batch
      is spread.
    size: number of samples of the batch on all devices.
  """

  x: jax.Array
  mask: jax.Array | None
  keys: jax.Array
  size: int = flax.struct.field(pytree_node=False)

  def mean(self, values: jax.Array) -> jax.Array:
    """Returns this device's share of a mean over the batch, without padding.

    Args:
      values: [B * k], or [B, ...] with k values per sample.
    """
    rows = values.reshape(len(self.x), -1)
    if self.mask is not None:
      rows = jnp.where(self.mask[:, None], rows, 0)
    return jnp.sum(rows) / (self.size * rows.shape[1])

  def normal(self, shape: Sequence[int], number: int = 0) -> jax.Array:
    """Draws [B, *shape] from N(0, 1).

    Args:
      shape: of one sample.
      number: tells several draws within a step apart.
    """
    draw = lambda key: jax.random.normal(
      jax.random.fold_in(key, number), shape, self.x.dtype
    )
    return jax.vmap(draw)(self.keys)


class Across(NamedTuple):
  """Numbers of devices over which a replica is spread.

  Attributes:
    data: devices that hold a part of a batch each.
    memory: devices that hold a part of the slots each.
  """

  data: int = 1
  memory: int = 1

  @property
  def data_axis(self) -> str | None:
    """Mesh axis of batches; None if one device has all samples."""
    return parallel.DATA if self.data > 1 else None

  @property
  def memory_axis(self) -> str | None:
    """Mesh axis of slots; None if one device has all slots."""
    return parallel.MEMORY if self.memory > 1 else None

  def sum(self, tree: Any) -> Any:
    """Sums a tree over the devices that hold parts of a batch."""
    return jax.lax.psum(tree, parallel.DATA) if self.data > 1 else tree

  def max(self, values: jax.Array) -> jax.Array:
    """Takes the maximum over the devices that hold parts of a batch."""
    return jax.lax.pmax(values, parallel.DATA) if self.data > 1 else values

  def sum_slots(self, tree: Any) -> Any:
    """Sums a tree over the devices that hold parts of the slots."""
    return jax.lax.psum(tree, parallel.MEMORY) if self.memory > 1 else tree

  def index(self) -> jax.Array | int:
    """Returns the number of this device among those of a batch, from 0."""
    return jax.lax.axis_index(parallel.DATA) if self.data > 1 else 0


class Train(NamedTuple):
  """A stage of gradient descent that takes `train.epochs` epochs."""


class Collect(NamedTuple):
  """A stage of passes over the training normals, without a gradient.

  Attributes:
    rounds: largest number of passes.
    keeps: 'sum' adds up what `Method.collect` returns for blocks of samples,
      'rows' lays it side by side, one row per sample.
    most: largest number of samples, which the seed draws; 0: all.
  """

  rounds: int = 1
  keeps: str = 'sum'
  most: int = 0


class Method:
  """A method of one family; a subclass writes only what differs from this.

  Attributes:
    memories: number of slots on all devices, by path. Paths of slots in
      `params`, in other collections and in the moments of the optimizer end
      with this path.
    by_slot: the same for all arrays with a row or a number per slot.
    criterion: name of the score whose mean over validation normals chooses the
      best weights, and the name of that mean in the log.
    score: name of the anomaly score, unless `eval.score` is a rule of maps; '':
      the one that it names, or that of the criterion where `predict` lacks it.
    stages: of learning, one after another.
  """

  memories: Mapping[Path, int] = {}
  stages: tuple[Train | Collect, ...] = (Train(),)
  criterion: tuple[str, str] = ('mse', 'reconstruction')
  score: str = ''

  @property
  def by_slot(self) -> Mapping[Path, int]:
    """Number of slots by path of all arrays that are spread with them."""
    return self.memories

  @property
  def validator(self) -> 'Method':
    """Returns the method whose `predict` gives the criterion while training.

    Another one than the method itself, of the same variables, where scoring
    takes too long for that.
    """
    return self

  def hyper(self, replicas: Sequence[Any], config: Any) -> Any:
    """Returns the values that differ between replicas, [R] each, on the host.

    Args:
      replicas: of this family, see `fleet.Replica`.
      config: resolved.
    """
    del replicas, config
    return ()

  def for_samples(self, rows: np.ndarray, source: Any) -> 'Method':
    """Returns the method for the training samples that it will get.

    Args:
      rows: [n] those of the replica that has most of them.
      source: of all samples, a `data.types.Source`.
    """
    del rows, source
    return self

  def on(self, across: Across) -> 'Method':
    """Returns the method that one device of a spread replica runs."""
    del across
    return self

  def init_samples(self, batch_size: int) -> int:
    """Returns the number of training samples that `init` takes."""
    del batch_size
    return 1

  @property
  def least_samples(self) -> int:
    """Least number of training samples that it can start with."""
    return 1

  def init(self, key: jax.Array, samples: jax.Array, hyper: Any) -> Variables:
    """Returns the initial variables of one replica.

    Args:
      key: random key of the replica.
      samples: [init_samples, ...] model inputs.
      hyper: values of the replica, from `hyper`.
    """
    raise NotImplementedError

  def loss(
    self, variables: Variables, batch: Batch, hyper: Any, across: Across
  ) -> LossParts:
    """Returns the loss of a batch, whose gradient trains 'params'.

    Args:
      variables: of the replica.
      batch: the samples of this device.
      hyper: values of the replica, from `hyper`.
      across: for sums over devices, which may be differentiated.
    """
    raise NotImplementedError

  def collect(
    self,
    variables: Variables,
    x: jax.Array,
    hyper: Any,
    mask: jax.Array,
    stage: int,
    round_: jax.Array,
  ) -> Any:
    """Returns what a pass of a `Collect` stage keeps of samples.

    Args:
      variables: of the replica.
      x: [B, ...] model inputs.
      hyper: values of the replica, from `hyper`.
      mask: [B] bool, False for padding, which must not count in a sum.
      stage: index in `stages`.
      round_: number of the pass in its stage, from 0.

    Returns:
      A tree of arrays, [B, ...] each where the stage keeps rows.
    """
    raise NotImplementedError

  def finish(
    self,
    variables: Variables,
    collected: Any,
    hyper: Any,
    stage: int,
    round_: int,
    rng: np.random.Generator,
  ) -> tuple[Variables, bool]:
    """Ends a pass, on the host.

    Args:
      variables: of the replica, NumPy arrays.
      collected: results of `collect` for all samples of the replica: sums in
        float64, or rows.
      hyper: values of the replica, from `hyper`.
      stage: index in `stages`.
      round_: number of the pass in its stage, from 0.
      rng: random numbers of the replica and the pass.

    Returns:
      The new variables, of the same shapes, and whether the stage is done.
    """
    raise NotImplementedError

  def predict(
    self,
    variables: Variables,
    x: jax.Array,
    hyper: Any,
    mask: jax.Array,
    keys: jax.Array,
  ) -> Prediction:
    """Returns scores of samples, each of which is scored by itself.

    Args:
      variables: of the replica.
      x: [B, ...] model inputs.
      hyper: values of the replica, from `hyper`.
      mask: [B] bool, False for padding.
      keys: [B] random keys, one per sample, whatever batch it is in.
    """
    raise NotImplementedError

  def embed(
    self, variables: Variables, x: jax.Array
  ) -> tuple[jax.Array, jax.Array] | None:
    """Returns queries [B, P, C] of samples and slots [N, C] of a memory.

    It is the first memory. Both are as a read compares them: of norm 1 where
    it takes cosines. P are the positions of a sample. None: there is none.

    Args:
      variables: of the replica.
      x: [B, ...] model inputs.
    """
    del variables, x
    return None

  def found(self, variables: Variables) -> Any:
    """Returns the statements of each training picture on itself.

    They are `alone.statements.Statements`; None: it is no method of such.

    Args:
      variables: of the replica.
    """
    del variables
    return None

  def doubt(self, variables: Variables) -> str:
    """Returns a sentence on weights that have failed, or ''.

    Args:
      variables: of the replica, NumPy arrays.
    """
    del variables
    return ''

  def decode_slots(
    self, variables: Variables, slots: jax.Array
  ) -> jax.Array | None:
    """Returns [N, ...] slots as samples, in the units of the model input.

    None: slots of this method are no samples.
    """
    del variables, slots
    return None

  def alone(self, replica: Any, variables: Variables):
    """Returns a method and variables that hold what one replica needs.

    Args:
      replica: a `fleet.Replica`.
      variables: of that replica.
    """
    del replica
    return self, variables
