"""Memory-augmented autoencoders for unsupervised anomaly detection in JAX."""

__version__ = '0.1.0'
