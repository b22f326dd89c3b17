"""Machines to compile for: their devices, with memory and speed."""

import dataclasses
import importlib.metadata
import importlib.util
import math
import os
import re

import jax
from jax.experimental import topologies

from memae_jax.runtime import errors

GIB = 2**30
KNOWN = 'v4:2x2x2, v5e:4x4, v5p:2x2x2, v6e:4x4, cpu:8'


@dataclasses.dataclass(frozen=True)
class Chip:
  """Memory and speeds of one device; None where they are not known.

  memory: bytes that a program may take.
  flops: per second, in matrix products of bfloat16 numbers.
  bandwidth: bytes per second of its memory.
  links: bytes per second to its neighbours along one axis of the torus, both
    ways.
  """

  name: str
  memory: int | None = None
  flops: float | None = None
  bandwidth: float | None = None
  links: float | None = None


# The memory is what libtpu 0.0.42 leaves to a program. The other numbers are
# from the table of TPUs in "How to Scale Your Model",
# jax-ml.github.io/scaling-book, which has them from the documentation of Google
# Cloud. libtpu compiles for each of the two cores of a v4 chip, so a device is
# half a chip there.
_CHIPS = {
  'v4': Chip('v4 (a core)', int(15.25 * GIB), 1.375e14, 6e11, 9e10),
  'v5e': Chip('v5e', int(15.75 * GIB), 1.97e14, 8.1e11, 9e10),
  'v5p': Chip('v5p', int(95.74 * GIB), 4.59e14, 2.8e12, 1.8e11),
  'v6e': Chip('v6e', int(31.25 * GIB), 9.2e14, 1.6e12, 1.8e11),
}
_KINDS = {  # {kind of a device at hand: chip}.
  'TPU v4': 'v4',
  'TPU v5 lite': 'v5e',
  'TPU v5': 'v5p',
  'TPU v6 lite': 'v6e',
}


def devices(topology: str) -> tuple[list[jax.Device], Chip]:
  """Returns the devices of a machine, and facts about one of them.

  It must be called before JAX has looked for devices.

  Args:
    topology: such as 'v5e:4x4' or 'cpu:8'; '' for this machine.

  Raises:
    UserError: there is no such topology, or no fitting libtpu.
  """
  if not topology:
    at_hand = jax.devices()
    return at_hand, chip_of(at_hand)
  name, _, size = topology.partition(':')
  is_tpu = name in _CHIPS and re.fullmatch(r'[1-9]\d*(x[1-9]\d*){1,2}', size)
  if not is_tpu and not (name == 'cpu' and re.fullmatch(r'[1-9]\d*', size)):
    raise errors.UserError(
      f'--topology is "{topology}"; use a name and a size, such as {KNOWN}'
    )
  # A plan needs no accelerator, and must not take one from a training.
  jax.config.update('jax_platforms', 'cpu')
  if name == 'cpu':
    at_hand = _simulated(int(size))
    return at_hand, chip_of(at_hand)
  return _described(name, size), _CHIPS[name]


def _simulated(count: int) -> list[jax.Device]:
  """Returns so many CPU devices of this machine; or raises UserError.

  Args:
    count: how many.
  """
  try:
    jax.config.update('jax_num_cpu_devices', count)
  except RuntimeError:
    pass  # JAX has its devices already; they may be enough.
  devices = jax.devices('cpu')[:count]
  if len(devices) < count:
    raise errors.UserError(
      f'--topology=cpu:{count} needs {count} devices, but JAX has started with'
      f' {len(devices)}; leave JAX_NUM_CPU_DEVICES and XLA_FLAGS unset'
    )
  return devices


def check_libtpu() -> None:
  """Raises UserError unless libtpu is the one that JAX's extra `tpu` names.

  Another one may crash, or compile to something else.
  """
  pins = (
    re.match(r'libtpu\s*==\s*([\d.]+)\.\*', line)
    for line in importlib.metadata.requires('jax') or ()
  )
  wanted = next((pin[1] for pin in pins if pin), None)
  installed = importlib.metadata.version('libtpu')
  if wanted and not f'{installed}.'.startswith(f'{wanted}.'):
    raise errors.UserError(
      f'libtpu {installed} does not belong to jax {jax.__version__}, which'
      f" takes {wanted}.*: pip install 'libtpu=={wanted}.*'"
    )


def _described(name: str, size: str) -> list[jax.Device]:
  """Returns the devices of a TPU topology that is not here, for compiling.

  Args:
    name: of the chip.
    size: such as '4x4'.

  Raises:
    UserError: libtpu is missing or does not fit, or there is no such topology.
  """
  if importlib.util.find_spec('libtpu') is None:
    raise errors.UserError(
      f'--topology={name}:{size} needs libtpu, which compiles for TPUs without'
      " one: pip install 'memae_jax[plan]'"
    )
  check_libtpu()
  # No TPU is used: do not look for one, and do not mind one that is in use.
  os.environ.setdefault('TPU_SKIP_MDS_QUERY', '1')
  os.environ.setdefault('ALLOW_MULTIPLE_LIBTPU_LOAD', '1')
  # What is compiled for absent devices cannot be read back.
  jax.config.update('jax_enable_compilation_cache', False)
  sides = [int(side) for side in size.split('x')]
  bounds = {}
  if math.prod(sides) == 1:  # By default a host has two by two chips.
    bounds = {'chips_per_host_bounds': (1, 1, 1)}
  try:
    return list(
      topologies.get_topology_desc(
        platform='tpu', topology_name=f'{name}:{size}', **bounds
      ).devices
    )
  except Exception as error:  # Its type depends on the version of libtpu.
    raise errors.UserError(
      f'--topology={name}:{size} is no topology of TPUs'
      f' ({str(error).splitlines()[0][:200]}); use one such as {KNOWN}'
    ) from error


def chip_of(devices: list[jax.Device]) -> Chip:
  """Returns memory and speeds of devices that are at hand, if known."""
  device = devices[0]
  chip = _CHIPS.get(_KINDS.get(device.device_kind, ''))
  memory = chip.memory if chip else None
  if device.platform == 'cpu':
    pages = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    return Chip('cpu (its share of this machine)', pages // len(devices))
  memory = (device.memory_stats() or {}).get('bytes_limit', memory)
  if chip:
    return dataclasses.replace(chip, memory=memory)
  return Chip(device.device_kind, memory)
