"""Arrays that devices of a CPU read where they are.

JAX takes an array of the host as it is, without a copy for each device, if its
first byte lies at a multiple of 64. NumPy's own arrays do not.
"""

import numpy as np

_BYTES = 64


def empty(shape: tuple[int, ...], dtype: np.dtype | type) -> np.ndarray:
  """Returns an array with any content; nobody may change it once JAX has it."""
  dtype = np.dtype(dtype)
  size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
  memory = np.empty(size + _BYTES, np.uint8)
  start = -memory.ctypes.data % _BYTES
  return memory[start : start + size].view(dtype).reshape(shape)
