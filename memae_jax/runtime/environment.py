"""Environment of a run: versions, devices and commit."""

import importlib.metadata
import pathlib
import platform
import subprocess
from typing import Any

import jax

import memae_jax
from memae_jax.runtime import jax_settings

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


def versions() -> dict[str, str | None]:
  """Returns the versions of Python, of this project and of what it uses.

  The version of a package that is not installed is None: a run may need it not.
  """
  out = {
    'python': platform.python_version(),
    'memae_jax': memae_jax.__version__,
  }
  for name in _PACKAGES:
    try:
      out[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
      out[name] = None
  return out


def describe(mesh: jax.sharding.Mesh) -> dict[str, Any]:
  """Returns the `environment` of results.json: plain facts on this process.

  Call it when the process starts: the commit may change while it runs.
  """
  device = mesh.devices.flat[0]
  return {
    'versions': versions(),
    'device': device.device_kind
    if device.device_kind == device.platform
    else f'{device.platform}: {device.device_kind}',
    'machine': platform.machine(),
    'mesh': dict(mesh.shape),
    'processes': jax.process_count(),
    'commit': _commit(),
    'jax_settings': jax_settings.chosen(),
  }


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
