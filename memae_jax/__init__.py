"""Memory-augmented autoencoders for unsupervised anomaly detection in JAX."""

from memae_jax import host

__version__ = '0.1.0'

if host.is_command('memae_jax'):  # Before JAX is imported, which takes seconds.
  host.listen()
