"""Feeds: chooses one for a data set, and reads samples ahead on the host.

*resident*: all raw samples lie on every device, and compiled programs gather
batches from them. *streaming*: the host gathers batches ahead of their use, by
grain. Either way the batch is a pure function of (seed, step): `order` says
which samples it holds, so both feeds give the same batches, and resuming needs
only the step.
"""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np

from memae_jax.data import order
from memae_jax.data.videos import clips
from memae_jax.runtime import errors

_LOG = logging.getLogger(__name__)
_THREADS = 4  # Readers at once; most of their time is spent outside Python.
AHEAD = 4  # Batches that are read, and lie on the device, before their use.

Read = TypeVar('Read')


class Inputs(Protocol):
  """Raw samples [S, ...]: an array, a memory map, or an object that reads so.

  `__getitem__` takes a slice or [n] indices, from several threads at once.
  """

  @property
  def shape(self) -> tuple[int, ...]:
    """Number of samples, and the shape of each."""

  @property
  def dtype(self) -> np.dtype:
    """Type of the numbers."""

  def __len__(self) -> int: ...

  def __getitem__(self, index: slice | np.ndarray) -> np.ndarray: ...


def nbytes(inputs: Inputs) -> int:
  """Returns the bytes of all samples on a device; clips share frames there."""
  if isinstance(inputs, clips.Gathered):
    return inputs.frames.nbytes + inputs.number.nbytes
  return math.prod(inputs.shape) * inputs.dtype.itemsize


def resident(inputs: Inputs) -> Any:
  """Returns the pytree to place on a device; it is indexed like `inputs`."""
  return inputs if isinstance(inputs, clips.Gathered) else inputs[:]


def choose(inputs: Inputs, config: Any) -> str:
  """Returns 'resident' or 'streaming'.

  Args:
    inputs: raw samples.
    config: the resolved `config.data`.

  Raises:
    UserError: `config.feed` is 'resident', but the samples exceed its budget.
  """
  needed, budget = nbytes(inputs), config.resident_bytes
  if config.feed == 'streaming' or needed <= budget:
    return 'streaming' if config.feed == 'streaming' else 'resident'
  excess = (
    f'the raw samples take {needed:,} bytes on each device, more than the'
    f' {budget:,} of data.resident_bytes'
  )
  if config.feed == 'resident':
    raise errors.UserError(
      f'config field "data.feed" is "resident", but {excess}; raise'
      f' data.resident_bytes to {needed}, or set data.feed to "auto" or'
      ' "streaming"'
    )
  _LOG.info('streaming the samples: %s', excess)
  return 'streaming'


class TrainingOrder:
  """Order of the training samples of R replicas, computed on the host."""

  def __init__(self, train: Sequence[np.ndarray], seeds: Sequence[int]):
    """Prepares the order.

    Args:
      train: training indices [n] of each replica.
      seeds: seed of each replica. Replicas that share both the array of indices
        and the seed share their batches.
    """
    keys = [(seed, id(rows)) for seed, rows in zip(seeds, train)]
    distinct = list(dict.fromkeys(keys))
    self._order_of_replica = [distinct.index(key) for key in keys]
    self._train = [train[keys.index(key)] for key in distinct]
    self._seeds = np.asarray([[seed] for seed, _ in distinct], np.uint32)
    self._counts = np.asarray([[len(rows)] for rows in self._train], np.uint32)

  def rows(self, first: int, size: int) -> np.ndarray:
    """Returns indices [R, size] of the samples from position `first` on."""
    position = np.arange(first, first + size, dtype=np.uint32)
    index = order.sample_at(position, self._seeds, self._counts)
    rows = np.stack([rows[i] for rows, i in zip(self._train, index)])
    return rows[self._order_of_replica]


def gather(inputs: Inputs, index: np.ndarray) -> np.ndarray:
  """Returns samples [R, B, ...] for indices [R, B].

  Equal rows of the index, which replicas with the same batches have, are read
  once.
  """
  read = lambda index: inputs[index.ravel()].reshape(
    index.shape + inputs.shape[1:]
  )
  distinct, inverse = np.unique(index, axis=0, return_inverse=True)
  if len(distinct) == len(index):
    return read(index)
  return read(distinct)[inverse.ravel()]


def ahead(read: Callable[[int], Read], start: int, stop: int) -> Iterator[Read]:
  """Yields read(start) ... read(stop - 1) in order, read ahead by threads."""
  import grain  # The import takes a second; only streaming waits for it.

  return iter(
    grain.MapDataset.range(start, stop)
    .map(lambda number: read(int(number)))
    .to_iter_dataset(
      grain.ReadOptions(num_threads=_THREADS, prefetch_buffer_size=AHEAD)
    )
  )
