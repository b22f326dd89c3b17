"""Programs that are timed on this device, by JAX or by PyTorch.

Both sides have the same functions. A program is prepared (compiled, and called
twice) and then timed when the other process asks. A sample is the mean over as
many calls as take about a twentieth of a second, and waits for the device after
the last one.
"""

import argparse
import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np

_SAMPLE, _MOST = 0.05, 200  # Seconds and most calls of a sample.
TOP = 64  # k of the top-k read.


class Programs:
  """Programs by name. A side defines how to make them and to wait for them."""

  def __init__(self):
    self._calls: dict[str, tuple[Callable[[], Any], int]] = {}

  def prepare(self, name: str, what: str, **options: Any) -> dict[str, Any]:
    """Makes a program and warms it up.

    Args:
      name: of the program, for `time`.
      what: name of the method of this side that makes it.
      **options: of the method.

    Returns:
      Facts about the program.
    """
    call, facts = getattr(self, what)(**options)
    self.wait(call())
    begun = time.perf_counter()
    self.wait(call())
    once = time.perf_counter() - begun
    calls = min(max(math.ceil(_SAMPLE / max(once, 1e-9)), 1), _MOST)
    self._calls[name] = call, calls
    return facts | {'calls_per_sample': calls, **self.memory()}

  def time(self, name: str) -> dict[str, float]:
    """Returns the mean seconds per call of one sample."""
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
    """Returns the peak bytes of this process on the device so far."""
    raise NotImplementedError

  def wait(self, result: Any) -> None:
    """Waits until the device has computed the result."""
    raise NotImplementedError


def _clips(size: int, batch: int) -> np.ndarray:
  shape = batch, 16, size, size, 1
  return np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)


class Jax(Programs):
  """Side of this project."""

  def memory(self):
    """Returns the peak bytes of this process on the device so far."""
    import jax

    stats = jax.devices()[0].memory_stats() or {}
    return {'process_peak_bytes': stats.get('peak_bytes_in_use')}

  def wait(self, result):
    """Waits until the device has computed the result."""
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
    """Makes the product of two square matrices, the reference for shares."""
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
    """Makes a copy of `size` bytes, negated, or nothing would happen."""
    import jax
    import jax.numpy as jnp

    from benchmarks import common

    array = jnp.ones(size // 4, jnp.float32)
    program = common.compiled(jax.jit(jnp.negative), array)
    return lambda: program.call(array), self._facts(program)

  def read(
    self, slots: int, queries: int, kind: str, direction: str, compute: str
  ):
    """Makes a read of the memory.

    Args:
      slots, queries: how many.
      kind: of the read.
      direction: forward, both, or sparse, which is forward with few survivors.
      compute: type of the inputs.
    """
    import jax

    from benchmarks import common, memory
    from memae_jax import memory as memory_lib

    if direction == 'sparse':
      options = {'kind': kind} | ({'k': TOP} if kind == 'top_k' else {})
      function = memory.sparse_read(**options)
      inputs = memory.sparse(slots, queries)
    elif direction == 'forward':
      function = jax.jit(
        lambda query, stored: memory_lib.read(
          query, stored, 1 / slots, memory_lib.ReadOptions(kind=kind)
        )
      )
      inputs = memory.arrays(slots, queries)[:2]
    else:
      function = jax.jit(memory.both_ways(kind))
      inputs = memory.arrays(slots, queries)
    inputs = tuple(x.astype(compute) for x in inputs)
    program = common.compiled(function, *inputs)
    return lambda: program.call(*inputs), self._facts(program)

  def video(
    self, size: int, batch: int, slots: int, task: str, variant: str, **more
  ):
    """Makes a training step, or the scoring, of the Ped2 network."""
    from benchmarks import video

    args = argparse.Namespace(
      size=size, slots=slots, task=task, variant=variant, remat=False, **more
    )
    call, program = video.jax_call(args, _clips(size, batch))
    return call, self._facts(program)

  def fleet(self, replicas: int, steps: int, how: str):
    """Makes the training of a fleet of MNIST networks.

    Args:
      replicas, steps: how many.
      how: they share the device: map or vmap.
    """
    import jax

    from benchmarks import common, fleet_images

    config, inputs, slots = fleet_images.setting('mnist', how)
    members = common.replicas(replicas, slots, fleet_images.RATE)
    train, seconds = common.runner(
      config, inputs, members, steps, jax.devices()[:1]
    )
    return train, {'seconds_to_first_step': round(seconds, 1)}


class Torch(Programs):
  """Side of PyTorch."""

  def __init__(self):
    import torch

    super().__init__()
    self._torch = torch
    self._device = 'cuda' if torch.cuda.is_available() else 'cpu'

  def version(self) -> dict[str, Any]:
    """Returns the version of PyTorch, and its device."""
    return {
      'version': self._torch.__version__,
      'device': self._torch.cuda.get_device_name()
      if self._device == 'cuda'
      else 'cpu',
    }

  def prepare(self, name, what, **options):
    """Makes a program and warms it up, as `Programs.prepare`."""
    if self._device == 'cuda':
      self._torch.cuda.empty_cache()
      self._torch.cuda.reset_peak_memory_stats()
    cuda = self._torch.backends.cuda.matmul.allow_tf32
    cudnn = self._torch.backends.cudnn.allow_tf32
    facts = super().prepare(name, what, **options)
    return facts | {'allow_tf32': {'matmul': cuda, 'cudnn': cudnn}}

  def memory(self):
    """Returns the peak bytes of this process on the device so far."""
    if self._device != 'cuda':
      return {'process_peak_bytes': None}
    return {'process_peak_bytes': self._torch.cuda.max_memory_allocated()}

  def wait(self, result):
    """Waits until the device has computed the result."""
    if self._device == 'cuda':
      self._torch.cuda.synchronize()

  def read(self, slots: int, queries: int, direction: str):
    """Makes the dense read of benchmarks/peer.py, forward or both ways."""
    from benchmarks import memory, peer

    torch, both = self._torch, direction == 'both'
    torch.manual_seed(0)
    draw = lambda rows: torch.randn(rows, memory.WIDTH, device=self._device)
    query, weight, stored = draw(queries), draw(queries), draw(slots) / 16
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
    """Makes a training step, or the scoring, of the same network."""
    from benchmarks import video

    args = argparse.Namespace(**fields)
    clips = _clips(size, batch)
    return video.torch_call(args, clips, self._device), {}
