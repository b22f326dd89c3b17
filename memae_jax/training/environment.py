"""What a process runs on: versions, device, commit and peak memory."""

import functools
import importlib.metadata
import pathlib
import platform
import subprocess
from typing import Any

import jax

import memae_jax
from memae_jax.training import diagnostics

_PACKAGES = (
  'jax',
  'flax',
  'grain',
  'optax',
  'orbax-checkpoint',
  'numpy',
  'scipy',
  'scikit-learn',
  'pillow',
)


def describe(mesh: jax.sharding.Mesh) -> dict[str, Any]:
  """Returns plain facts about this process, as `results.json` has them."""
  device = mesh.devices.flat[0]
  return {
    'versions': {
      'python': platform.python_version(),
      'memae_jax': memae_jax.__version__,
      **{name: importlib.metadata.version(name) for name in _PACKAGES},
    },
    'device': device.device_kind
    if device.device_kind == device.platform
    else f'{device.platform}: {device.device_kind}',
    'machine': platform.machine(),
    'mesh': dict(mesh.shape),
    'processes': jax.process_count(),
    'commit': _commit(),
    'peak_memory': diagnostics.peak_memory(mesh.devices.flat),
  }


@functools.cache  # Of the code that runs, whatever is committed meanwhile.
def _commit() -> str | None:
  root = pathlib.Path(__file__).parents[2]
  try:
    return subprocess.run(
      ['git', '-C', str(root), 'describe', '--always', '--dirty'],
      capture_output=True,
      text=True,
      check=True,
      timeout=10,
    ).stdout.strip()
  except (OSError, subprocess.SubprocessError):
    return None
