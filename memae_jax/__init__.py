"""Memory-augmented autoencoders for unsupervised anomaly detection in JAX."""

import sys

from memae_jax.runtime import host

__version__ = '0.1.0'

if host.is_command('memae_jax'):
  host.listen()  # Before JAX is imported, which takes seconds.
  host.keep_memory()
  try:  # JAX reads its variables as soon as it is imported.
    import jax  # noqa: F401
  except ValueError as error:
    print(
      f'error: {error}; it is set by a variable of that name, in capitals',
      file=sys.stderr,
    )
    sys.exit(2)
