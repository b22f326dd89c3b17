"""What is timed on this device, by JAX or by PyTorch: programs by their names.

Both sides have the same functions. A program is prepared (compiled, called
twice) and then timed, call by call, as the other process asks; a sample is the
mean of as many calls as take about a twentieth of a second, after whose last
one it waits for the device.
"""

import argparse
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

_SAMPLE, _MOST = 0.05, 200  # Seconds, calls.
TOP = 64
LARGE = 8192  # Rows of the matrices of `rate`.
COPIED = 2**30  # Bytes.


class Programs:
  """Prepared programs; the two sides say how to make them and wait."""

  def __init__(self):
    self._calls: dict[str, tuple[Callable[[], Any], int]] = {}

  def prepare(self, name: str, what: str, **options: Any) -> dict[str, Any]:
    """Makes a program and warms it up.

    Args:
      name: to time it by.
      what: a method of this side.
      **options: of the method.

    Returns:
      What there is to say of it.
    """
    call, facts = getattr(self, what)(**options)
    self.wait(call())
    begun = time.perf_counter()
    self.wait(call())
    once = time.perf_counter() - begun
    calls = min(max(math.ceil(_SAMPLE / max(once, 1e-9)), 1), _MOST)
    self._calls[name] = call, calls
    return facts | {'calls_a_sample': calls, **self.memory()}

  def time(self, name: str) -> dict[str, float]:
    """Returns the mean seconds of a call."""
    call, calls = self._calls[name]
    begun = time.perf_counter()
    for _ in range(calls):
      result = call()
    self.wait(result)
    return {'seconds': (time.perf_counter() - begun) / calls}

  def forget(self) -> dict[str, Any]:
    """Drops all programs and their arrays."""
    self._calls.clear()
    return {}

  def memory(self) -> dict[str, Any]:
    """Returns the most memory that this process had on the device so far."""
    raise NotImplementedError

  def wait(self, result: Any) -> None:
    """Waits for the device."""
    raise NotImplementedError


def _clips(size: int, batch: int) -> np.ndarray:
  shape = batch, 16, size, size, 1
  return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


class Jax(Programs):
  """This project's side."""

  def memory(self):
    """See `Programs`."""
    import jax

    stats = jax.devices()[0].memory_stats() or {}
    return {'process_peak_bytes': stats.get('peak_bytes_in_use')}

  def wait(self, result):
    """See `Programs`."""
    import jax

    jax.block_until_ready(result)

  def _facts(self, program) -> dict[str, Any]:
    sizes = program.call.memory_analysis()
    parts = {
      name: getattr(sizes, f'{name}_size_in_bytes', None)
      for name in ('temp', 'argument', 'output', 'alias')
    }
    return {
      'flops': program.flops,
      'compile_seconds': round(program.seconds, 2),
      'program_bytes': parts,
    }

  def product(self, size: int, precision: str):
    """A product of two square matrices, as the reference for a share."""
    import jax
    import jax.numpy as jnp

    from benchmarks import common

    dtype = jnp.bfloat16 if precision == 'bfloat16' else jnp.float32
    how = 'highest' if precision == 'float32 highest' else None
    one, two = jax.random.normal(jax.random.key(0), (2, size, size), dtype)
    function = jax.jit(lambda a, b: jnp.matmul(a, b, precision=how))
    program = common.compiled(function, one, two)
    return lambda: program.call(one, two), self._facts(program)

  def copy(self, size: int):
    """Copies `size` bytes on the device (negated, or nothing would happen)."""
    import jax
    import jax.numpy as jnp

    from benchmarks import common

    given = jnp.ones(size // 4, jnp.float32)
    program = common.compiled(jax.jit(jnp.negative), given)
    return lambda: program.call(given), self._facts(program)

  def read(
    self, slots: int, queries: int, kind: str, direction: str, compute: str
  ):
    """A read of the memory; `direction`: forward, both, or sparse forward."""
    import jax

    from benchmarks import common, memory
    from memae_jax import memory as ours

    if direction == 'sparse':
      how = {'kind': kind} | ({'k': TOP} if kind == 'top_k' else {})
      function = memory.sparse_read(**how)
      given = memory.sparse(slots, queries)
    elif direction == 'forward':
      function = jax.jit(
        lambda query, stored: ours.read(
          query, stored, 1 / slots, ours.ReadOptions(kind=kind)
        )
      )
      given = memory.arrays(slots, queries)[:2]
    else:
      function = jax.jit(memory.both_ways(kind))
      given = memory.arrays(slots, queries)
    given = tuple(x.astype(compute) for x in given)
    program = common.compiled(function, *given)
    return lambda: program.call(*given), self._facts(program)

  def video(
    self, size: int, batch: int, slots: int, task: str, variant: str, **more
  ):
    """The network of configs/ped2.py: a step of training, or scoring."""
    from benchmarks import video

    args = argparse.Namespace(
      size=size, slots=slots, task=task, variant=variant, remat=False, **more
    )
    call, program = video.ours(args, _clips(size, batch))
    return call, self._facts(program)

  def fleet(self, replicas: int, steps: int, how: str):
    """A fleet of MNIST networks; `how` they are mapped: map or vmap."""
    import jax

    from benchmarks import common, fleet_images

    config, inputs, slots = fleet_images.setting('mnist', how)
    members = common.replicas(replicas, slots, fleet_images.RATE)
    train, seconds = common.runner(
      config, inputs, members, steps, jax.devices()[:1]
    )
    return train, {'seconds_to_first_step': round(seconds, 1)}


class Torch(Programs):
  """PyTorch's side."""

  def __init__(self):
    import torch

    super().__init__()
    self._torch = torch
    self._device = 'cuda' if torch.cuda.is_available() else 'cpu'

  def version(self) -> dict[str, Any]:
    """Returns what PyTorch is, and what it runs on."""
    return {
      'version': self._torch.__version__,
      'device': self._torch.cuda.get_device_name()
      if self._device == 'cuda'
      else 'cpu',
    }

  def prepare(self, name, what, **options):
    """See `Programs`."""
    if self._device == 'cuda':
      self._torch.cuda.empty_cache()
      self._torch.cuda.reset_peak_memory_stats()
    cuda = self._torch.backends.cuda.matmul.allow_tf32
    cudnn = self._torch.backends.cudnn.allow_tf32
    facts = super().prepare(name, what, **options)
    return facts | {'allow_tf32': {'matmul': cuda, 'cudnn': cudnn}}

  def memory(self):
    """See `Programs`."""
    if self._device != 'cuda':
      return {'process_peak_bytes': None}
    return {'process_peak_bytes': self._torch.cuda.max_memory_allocated()}

  def wait(self, result):
    """See `Programs`."""
    if self._device == 'cuda':
      self._torch.cuda.synchronize()

  def read(self, slots: int, queries: int, direction: str):
    """The dense read of benchmarks/peer.py, forward or both ways."""
    from benchmarks import memory, peer

    torch, both = self._torch, direction == 'both'
    torch.manual_seed(0)
    make = lambda rows: torch.randn(rows, memory.WIDTH, device=self._device)
    query, weight, stored = make(queries), make(queries), make(slots) / 16
    query.requires_grad_(both)
    stored.requires_grad_(both)

    def call():
      if not both:
        with torch.no_grad():
          return peer.read(query, stored)
      query.grad = stored.grad = None
      value, entropy = peer.read(query, stored)
      loss = (value * weight).sum() + entropy
      loss.backward()
      return loss

    return call, {}

  def video(self, size: int, batch: int, **fields):
    """As `Jax.video`."""
    from benchmarks import video

    args = argparse.Namespace(**fields)
    clips = _clips(size, batch)
    return video.theirs(args, clips, self._device), {}
