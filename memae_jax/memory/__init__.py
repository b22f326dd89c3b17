"""The memory as plain JAX functions of arrays: no Flax, no I/O."""

from memae_jax.memory.addressing import MemoryRead, ReadOptions
from memae_jax.memory.reading import read

__all__ = ['MemoryRead', 'ReadOptions', 'read']
