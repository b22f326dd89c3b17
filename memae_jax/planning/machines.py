"""Machines to compile for: which devices they have and what those can do."""

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
  """What one device can do; None where it is not known.

  memory: bytes that a program may take. flops: a second, of matrix products
  of bfloat16 numbers. bandwidth: bytes a second of its memory. links: bytes a
  second to its neighbours along one axis of the torus, both ways.
  """

  name: str
  memory: int | None = None
  flops: float | None = None
  bandwidth: float | None = None
  links: float | None = None


# Memory: what libtpu 0.0.42 says that it leaves to a program. The others: the
# table of TPUs in "How to Scale Your Model", jax-ml.github.io/scaling-book,
# which has them from the documentation of Google Cloud. libtpu compiles for
# each of the two cores of a v4 chip, so it is half a chip here.
_CHIPS = {
  'v4': Chip('v4 (a core)', int(15.25 * GIB), 1.375e14, 6e11, 9e10),
  'v5e': Chip('v5e', int(15.75 * GIB), 1.97e14, 8.1e11, 9e10),
  'v5p': Chip('v5p', int(95.74 * GIB), 4.59e14, 2.8e12, 1.8e11),
  'v6e': Chip('v6e', int(31.25 * GIB), 9.2e14, 1.6e12, 1.8e11),
}
_KINDS = {  # Of the devices of this machine.
  'TPU v4': 'v4',
  'TPU v5 lite': 'v5e',
  'TPU v5': 'v5p',
  'TPU v6 lite': 'v6e',
}


def devices(topology: str) -> tuple[list[jax.Device], Chip]:
  """Returns the devices of a machine, and what each can do.

  To be called before JAX has looked for devices.

  Args:
    topology: such as 'v5e:4x4' or 'cpu:8'; '' for this machine.

  Raises:
    UserError: there is no such topology, or no libtpu that fits.
  """
  if not topology:
    found = jax.devices()
    return found, _here(found)
  name, _, size = topology.partition(':')
  known = name in _CHIPS and re.fullmatch(r'[1-9]\d*(x[1-9]\d*){1,2}', size)
  if not known and not (name == 'cpu' and re.fullmatch(r'[1-9]\d*', size)):
    raise errors.UserError(
      f'--topology is "{topology}"; use a name and a size, such as {KNOWN}'
    )
  # A plan needs no accelerator, and must not take one from a training.
  jax.config.update('jax_platforms', 'cpu')
  if name == 'cpu':
    found = _simulated(int(size))
    return found, _here(found)
  return _described(name, size), _CHIPS[name]


def _simulated(count: int) -> list[jax.Device]:
  try:
    jax.config.update('jax_num_cpu_devices', count)
  except RuntimeError:
    pass  # JAX has its devices already; there may be enough of them.
  found = jax.devices('cpu')[:count]
  if len(found) < count:
    raise errors.UserError(
      f'--topology=cpu:{count} needs {count} devices, but JAX has started with'
      f' {len(found)}; leave JAX_NUM_CPU_DEVICES and XLA_FLAGS unset'
    )
  return found


def _check_libtpu() -> None:
  """Raises UserError unless libtpu is the one that JAX's extra `tpu` names.

  Another one may crash, or compile to something else.
  """
  pins = (
    re.match(r'libtpu\s*==\s*([\d.]+)\.\*', line)
    for line in importlib.metadata.requires('jax') or ()
  )
  wanted = next((pin[1] for pin in pins if pin), None)
  found = importlib.metadata.version('libtpu')
  if wanted and not f'{found}.'.startswith(f'{wanted}.'):
    raise errors.UserError(
      f'libtpu {found} does not belong to jax {jax.__version__}, which takes'
      f" {wanted}.*: pip install 'libtpu=={wanted}.*'"
    )


def _described(name: str, size: str) -> list[jax.Device]:
  if importlib.util.find_spec('libtpu') is None:
    raise errors.UserError(
      f'--topology={name}:{size} needs libtpu, which compiles for TPUs without'
      " one: pip install -e '.[plan]'"
    )
  _check_libtpu()
  # No TPU is used: none is asked for, and one in use is no hindrance.
  os.environ.setdefault('TPU_SKIP_MDS_QUERY', '1')
  os.environ.setdefault('ALLOW_MULTIPLE_LIBTPU_LOAD', '1')
  # What is compiled for absent devices cannot be read back.
  jax.config.update('jax_enable_compilation_cache', False)
  sides = [int(side) for side in size.split('x')]
  bounds = {}
  if math.prod(sides) == 1:  # Else hosts have two by two chips.
    bounds = {'chips_per_host_bounds': (1, 1, 1)}
  try:
    return list(
      topologies.get_topology_desc(
        platform='tpu', topology_name=f'{name}:{size}', **bounds
      ).devices
    )
  except Exception as error:  # Of several types, by version.
    raise errors.UserError(
      f'--topology={name}:{size} is no topology of TPUs'
      f' ({str(error).splitlines()[0][:200]}); use one such as {KNOWN}'
    ) from error


def _here(found: list[jax.Device]) -> Chip:
  """What is known of devices that are at hand."""
  device = found[0]
  known = _CHIPS.get(_KINDS.get(device.device_kind, ''))
  memory = known.memory if known else None
  if device.platform == 'cpu':
    pages = os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')
    return Chip('cpu (its share of this machine)', pages // len(found))
  memory = (device.memory_stats() or {}).get('bytes_limit', memory)
  if known:
    return dataclasses.replace(known, memory=memory)
  return Chip(device.device_kind, memory)
