"""The memory as plain JAX functions of arrays: no Flax, no I/O.

Each function has an example with numbers that a test runs. The examples print
two digits, as after `numpy.set_printoptions(precision=2, suppress=True)`; their
first lines import what the module itself does not have.
"""

from memae_jax.memory.addressing import MemoryRead, ReadOptions
from memae_jax.memory.reading import read

__all__ = ['MemoryRead', 'ReadOptions', 'read']
