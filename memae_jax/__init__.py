"""Memory-augmented autoencoders for unsupervised anomaly detection in JAX.

From Python, each method is an estimator in the manner of scikit-learn, by the
name of its label: `memae_jax.MemAE`, `AE`, `VAE`, `Bank`, `DAGMM`, `DeepSVDD`
and others (`dir(memae_jax)` lists them); `memae_jax.train` makes a whole run,
and `memae_jax.load` reads trained ones that come with the package. They are
imported when they are first used.
"""

import sys
from typing import TYPE_CHECKING

from memae_jax.runtime import host

if TYPE_CHECKING:
  from memae_jax.estimators.detector import Detector
  from memae_jax.estimators.released import card, load, released
  from memae_jax.estimators.run import Run, train

  __all__ = [
    'Detector',
    'Run',
    '__version__',
    'card',
    'load',
    'released',
    'train',
  ]

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


def __getattr__(name: str) -> 'type[Detector]':
  """Returns an estimator by the name of its class, such as `MemAE`."""
  # Modules have small letters: looking for one must not import others.
  if name[:1].isupper() or name in ('card', 'load', 'released', 'train'):
    from memae_jax.estimators import names

    found = globals()[name] = names.find(name)
    return found
  raise AttributeError(f'module "memae_jax" has no "{name}"')


def __dir__() -> list[str]:
  """Lists the estimators, too."""
  from memae_jax.estimators import names

  return sorted({*globals(), *names.public()})
