"""Programs in float64 on a CPU device, whatever the rest computes in."""

import contextlib
from collections.abc import Iterator

import jax

from memae_jax.runtime import errors


@contextlib.contextmanager
def on_cpu() -> Iterator[None]:
  """Makes JAX compute in float64 on a CPU; trace and call programs inside.

  Raises:
    UserError: JAX was told to leave the CPU out.
  """
  try:
    device = jax.local_devices(backend='cpu')[0]
  except RuntimeError as e:
    raise errors.UserError(
      'a Gaussian process of a picture needs the CPU as a device of JAX; leave'
      ' JAX_PLATFORMS unset, or add ",cpu" to it'
    ) from e
  with jax.enable_x64(True), jax.default_device(device):
    yield
