"""Memory-augmented autoencoders for unsupervised anomaly detection in JAX."""

import sys

__version__ = '0.1.0'


def _is_program() -> bool:
  """Whether this is `python -m memae_jax.main`, or another of the programs."""
  words = sys.orig_argv
  at = words.index('-m') + 1 if '-m' in words else len(words)
  return words[at : at + 1] != [] and words[at].startswith('memae_jax.')


if _is_program():
  try:  # JAX reads its variables as soon as it is imported.
    import jax  # noqa: F401
  except ValueError as error:
    print(
      f'error: {error}; it is set by a variable of that name, in capitals',
      file=sys.stderr,
    )
    sys.exit(2)
