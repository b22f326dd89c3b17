"""The two feeds, by which samples come to the programs of a fleet.

`Resident` holds all samples on the device, `Streaming` reads batches ahead on
the host.
"""

import functools
import time
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from memae_jax.data import feed, transforms
from memae_jax.runtime import parallel
from memae_jax.training import fleet, programs, step

# Samples and bytes of the smallest rounded feeds.
_FEWEST, _SMALL = 4096, 2**22


class Resident(programs.Programs):
  """Feed with all raw samples on each device; the programs gather batches.

  inputs: [S, ...] raw samples. data: `step.ReplicaData` of the fleet, [R, ...].
  """

  name = 'resident'

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self.resident_bytes = feed.nbytes(self._host_inputs)
    inputs = feed.resident(self._host_inputs)
    train, counts = fleet.pad_rows([s.train for s in self._splits])
    if self.rounded:
      count = _rounded(len(inputs), feed.nbytes(inputs) // len(inputs))
      inputs, train = _padded(inputs, 0, count), _padded(train, 1, count)
    self.inputs = self._share(inputs)
    self.data = step.ReplicaData(
      self._split(train), self._split(counts), self.transform
    )

  def _init_args(self):
    return self.hyper, self.data, self.inputs

  @functools.cached_property
  def _init(self):
    size = self._part.init_samples

    def one(mapped, inputs):
      hyper, data = mapped
      samples = step.batch_at(data, inputs, hyper.seed, 0, size)
      return self._part.init(hyper, samples)

    mapped = self._mapped(one, out_specs=self._state_specs)
    return self._run_once(
      lambda hyper, data, inputs: mapped((hyper, data), inputs)
    )

  def run(self, state, start, stop):
    """Takes the steps from `start` to `stop` in one call; donates the state."""
    bounds = self._share((np.int32(start), np.int32(stop)))
    return self._run(state, self.hyper, self.data, self.inputs, *bounds)

  def trace_run(self):
    """Returns the trace of the steps, and shapes of its arguments."""
    bounds = self._share((np.int32(0), np.int32(1)))
    args = self.init_shapes, self.hyper, self.data, self.inputs, *bounds
    return self._run.trace, args

  @functools.cached_property
  def _run(self):
    by = parallel.BY_REPLICA
    mapped = self._mapped(
      self._part.run,
      (self._state_specs, by, by),
      (self._state_specs, self._sum_specs),
    )
    return jax.jit(
      lambda state, hyper, data, inputs, *bounds: mapped(
        (state, hyper, data), inputs, *bounds
      ),
      donate_argnums=0,
    )

  def _place(self, index):
    return self._gather(self._by_sample(index), self.inputs)

  @functools.cached_property
  def _gather(self):
    by = parallel.BY_SAMPLE
    return jax.jit(self._mapped(lambda index, inputs: inputs[index], by, by))


class Streaming(programs.Programs):
  """Feed that reads batches ahead on the host and places them on the devices.

  Between two calls of `run` the reading goes on.
  """

  name = 'streaming'

  def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    self._order = feed.TrainingOrder(
      [split.train for split in self._splits], self._host_hyper.seed.tolist()
    )
    self._batches: Iterator[Any] = iter(())
    self._at = -1  # The step of the next batch.
    self._waited = 0.0  # Share of the time of the last `run`.

  def _place(self, index):
    return parallel.place_lazily(
      (*index.shape, *self._host_inputs.shape[1:]),
      self._mesh,
      lambda *part: feed.gather(self._host_inputs, index[part]),
    )

  def _init_args(self):
    index = self._order.rows(0, self._part.init_samples)
    raw = self._split(feed.gather(self._host_inputs, index))
    return self.hyper, self.transform, raw

  @functools.cached_property
  def _init(self):
    def one(mapped):
      hyper, transform, raw = mapped
      return self._part.init(hyper, transforms.apply(raw, transform))

    mapped = self._mapped(one, out_specs=self._state_specs)
    return self._run_once(lambda *args: mapped(args))

  def _order_of(self, now: int) -> np.ndarray:
    """Returns the indices [R, B] of the samples of a step, with padding."""
    size, trainer = self._part.batch_size, self._part
    return self._order.rows(now * size, trainer.rows * trainer.across.data)

  def _batch(self, now: int) -> tuple[jax.Array, jax.Array]:
    return self._place(self._order_of(now)), self._share(np.int32(now))

  def run(self, state, start, stop):
    """Takes the steps from `start` to `stop`, one per call; donates the state.

    The sums stay on the devices until all steps are taken.
    """
    if start != self._at:
      self._batches = feed.ahead(self._batch, start, self._steps)
    begun, waited, sums = time.perf_counter(), 0.0, None
    for at in range(start, stop):
      asked = time.perf_counter()
      raw, now = next(self._batches)
      self._at = at + 1
      waited += time.perf_counter() - asked
      before = sums
      state, new = self._step(state, self.hyper, self.transform, raw, now)
      sums = new if before is None else self._added(before, new)
      # The step before must be done, or batches would pile up on the device.
      jax.block_until_ready(before)
    jax.block_until_ready(sums)
    self._waited = waited / (time.perf_counter() - begun)
    return state, sums

  def trace_run(self):
    """Returns the trace of one step, and shapes of its arguments."""
    raw = self._raw_like(self._order_of(0))
    now = self._share(np.int32(0))
    args = self.init_shapes, self.hyper, self.transform, raw, now
    return self._step.trace, args

  @functools.cached_property
  def _step(self):
    def one(mapped, now):
      state, hyper, transform, raw = mapped
      return self._part.step(
        state, hyper, transforms.apply(raw, transform), now
      )

    by = parallel.BY_REPLICA
    mapped = self._mapped(
      one,
      (self._state_specs, by, by, parallel.BY_SAMPLE),
      (self._state_specs, self._sum_specs),
    )
    return jax.jit(
      lambda state, hyper, transform, raw, now: mapped(
        (state, hyper, transform, raw), now
      ),
      donate_argnums=0,
    )

  @functools.cached_property
  def _added(self):
    return jax.jit(step.added)

  def feed_facts(self) -> dict[str, float]:
    """Returns the share of the last `run` that it waited for batches."""
    return {'input_wait_fraction': self._waited}

  def _ahead(self, read, count):
    return feed.ahead(read, 0, count)


class RoundedResident(Resident):
  """Resident feed whose programs fit other numbers of samples, too."""

  rounded = True


class RoundedStreaming(Streaming):
  """Streaming feed whose programs fit other numbers of samples, too."""

  rounded = True


def _rounded(count: int, size: int) -> int:
  """Rounds a number of samples up, so that few programs fit all numbers.

  Few samples become as many as fit some megabytes; others a quarter more at
  most.

  Args:
    count: of samples.
    size: bytes of each.
  """
  fewest = min(max(_SMALL // max(size, 1), 1), _FEWEST)
  count = max(count, fewest)
  unit = 1 << max(count.bit_length() - 3, 0)
  return -(-count // unit) * unit


def _padded(array: np.ndarray, axis: int, count: int) -> np.ndarray:
  """Pads an axis with zeros, which no index points to."""
  padding = [(0, 0)] * array.ndim
  padding[axis] = (0, count - array.shape[axis])
  return np.pad(array, padding)


KINDS = {kind.name: kind for kind in (Resident, Streaming)}
ROUNDED = {kind.name: kind for kind in (RoundedResident, RoundedStreaming)}
