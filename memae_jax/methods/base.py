"""What a method is: functions of one replica, pure, on arrays.

`training` maps them over a fleet and spreads them over devices; `evaluation`
knows of a sample what `predict` says, and nothing else.
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
  """Returns the name of a memory: where it lies, without "slots"."""
  return '/'.join(path[:-1]) or path[-1]


def leaf(tree: Any, path: Path) -> Any:
  """Returns what lies at a path of nested mappings."""
  for name in path:
    tree = tree[name]
  return tree


def slots_of(variables: Variables, path: Path) -> Any:
  """Returns the slots at a path of `Method.memories`.

  Args:
    variables: of a replica or fleet; a path starts in 'params', or with the
      name of another collection.
    path: of the slots.
  """
  inside = variables if path[0] in variables else variables['params']
  return leaf(inside, path)


class Prediction(NamedTuple):
  """What a method says of B samples.

  Attributes:
    scores: [B] by name of the score rule; higher is more anomalous. A rule of
      videos may need more of a sample: [B, ...], see `losses`.
    maps: [B, H, W] of images, [B, D] of rows of a table, by name: how much
      each pixel or column adds.
    output: [B, ...] a reconstruction, in the units of the input; or None.
    target: what `output` stands beside; None: the input.
    kept: [B] slots that the reads of a sample kept, or None.
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
    loss: scalar, this device's share: those of all devices add up to the loss.
    terms: shares of its terms by name, as they are logged: not weighted.
    collections: of variables that the samples change, such as 'batch_stats'.
    totals: see `Prediction`.
  """

  loss: jax.Array
  terms: dict[str, jax.Array]
  collections: Variables = {}
  totals: dict[str, usage.ReadTotals] = {}


@flax.struct.dataclass
class Batch:
  """The samples of a step that one device has, or a part of them.

  Attributes:
    x: [B, ...] model inputs.
    mask: [B] bool, False for padding; None: there is none.
    keys: [B] random keys, one for each sample and step; the same however the
      batch is spread.
    size: samples of the whole batch.
  """

  x: jax.Array
  mask: jax.Array | None
  keys: jax.Array
  size: int = flax.struct.field(pytree_node=False)

  def mean(self, values: jax.Array) -> jax.Array:
    """This device's share of a mean over the batch.

    Args:
      values: [B * k], or [B, ...] with k values for each sample.
    """
    each = values.reshape(len(self.x), -1)
    if self.mask is not None:
      each = jnp.where(self.mask[:, None], each, 0)
    return jnp.sum(each) / (self.size * each.shape[1])

  def normal(self, shape: Sequence[int], number: int = 0) -> jax.Array:
    """Draws [B, *shape] from N(0, 1).

    Args:
      shape: for each sample.
      number: tells several draws of one step apart.
    """
    draw = lambda key: jax.random.normal(
      jax.random.fold_in(key, number), shape, self.x.dtype
    )
    return jax.vmap(draw)(self.keys)


class Across(NamedTuple):
  """Over how many devices a replica is spread.

  Attributes:
    data: that have a part of a batch each.
    memory: that have a part of the slots each.
  """

  data: int = 1
  memory: int = 1

  @property
  def data_axis(self) -> str | None:
    """The mesh axis of batches, if there is more than one device."""
    return parallel.DATA if self.data > 1 else None

  @property
  def memory_axis(self) -> str | None:
    """The mesh axis of slots, if there is more than one device."""
    return parallel.MEMORY if self.memory > 1 else None

  def sum(self, tree: Any) -> Any:
    """Sums over the devices that a batch is spread over."""
    return jax.lax.psum(tree, parallel.DATA) if self.data > 1 else tree

  def sum_slots(self, tree: Any) -> Any:
    """Sums over the devices that the slots are spread over."""
    return jax.lax.psum(tree, parallel.MEMORY) if self.memory > 1 else tree

  def index(self) -> jax.Array | int:
    """Which of the devices of a batch this one is."""
    return jax.lax.axis_index(parallel.DATA) if self.data > 1 else 0


class Train(NamedTuple):
  """A stage of gradient descent, `train.epochs` long."""


class Collect(NamedTuple):
  """A stage of passes over the training normals, without a gradient.

  Attributes:
    rounds: at most so many passes.
    keeps: 'sum' adds up what `Method.collect` gives for the samples of a
      block, 'rows' lays the samples side by side.
    most: so many of the samples at most, drawn by the seed; 0: all.
  """

  rounds: int = 1
  keeps: str = 'sum'
  most: int = 0


class Method:
  """A method of one family; what a subclass leaves out is as here.

  Attributes:
    memories: how many slots there are at each path, of all devices. The path
      ends those of the slots in `params`, in other collections and in the
      moments of the optimizer.
    criterion: the score whose mean over validation normals chooses the best
      weights, and its name in the log.
    stages: by which it learns, one after another.
  """

  memories: Mapping[Path, int] = {}
  stages: tuple[Train | Collect, ...] = (Train(),)
  criterion: tuple[str, str] = ('mse', 'reconstruction')

  def hyper(self, replicas: Sequence[Any], config: Any) -> Any:
    """Stacks what differs between replicas, [R] each, on the host.

    Args:
      replicas: of this family, see `fleet.Replica`.
      config: resolved.
    """
    del replicas, config
    return ()

  def on(self, across: Across) -> 'Method':
    """What one device runs of a replica that is spread over several."""
    del across
    return self

  def init_samples(self, batch_size: int) -> int:
    """How many training samples `init` takes."""
    del batch_size
    return 1

  @property
  def least_samples(self) -> int:
    """With how few training samples it can start."""
    return 1

  def init(self, key: jax.Array, samples: jax.Array, hyper: Any) -> Variables:
    """Initial variables of one replica.

    Args:
      key: of the replica.
      samples: [init_samples, ...] model inputs.
      hyper: its values of `hyper`.
    """
    raise NotImplementedError

  def loss(
    self, variables: Variables, batch: Batch, hyper: Any, across: Across
  ) -> LossParts:
    """The loss of a batch, whose gradient trains 'params'.

    Args:
      variables: of the replica.
      batch: the samples of this device.
      hyper: its values of `hyper`.
      across: sums over devices; what is summed may be differentiated.
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
    """What a pass of a `Collect` stage takes of samples.

    Args:
      variables: of the replica.
      x: [B, ...] model inputs.
      hyper: its values of `hyper`.
      mask: [B] bool, False for padding, which must not count in a sum.
      stage: which of `stages` it is.
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
      collected: sums, in float64, or rows of all samples, of this replica.
      hyper: its values of `hyper`.
      stage: which of `stages` it is.
      round_: number of the pass in its stage, from 0.
      rng: of the replica and the pass.

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
    """What it says of samples, each by itself.

    Args:
      variables: of the replica.
      x: [B, ...] model inputs.
      hyper: its values of `hyper`.
      mask: [B] bool, False for padding.
      keys: [B] random keys, of the sample and not of the batch.
    """
    raise NotImplementedError

  def decode_slots(
    self, variables: Variables, slots: jax.Array
  ) -> jax.Array | None:
    """[N, ...] slots as samples, in model units; None: they are none."""
    del variables, slots
    return None

  def alone(self, replica: Any, variables: Variables):
    """Method and variables of a replica without what only others need."""
    del replica
    return self, variables
