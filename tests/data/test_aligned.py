"""Arrays that a CPU device reads where they are."""

import jax
import numpy as np
import pytest

from memae_jax.data import aligned


@pytest.mark.parametrize('shape', [(5, 3), (0, 3), (7,), (), (2, 3, 4, 1)])
@pytest.mark.parametrize('dtype', [np.float32, np.uint8, np.float64])
def test_shape_type_and_place(shape, dtype):
  found = aligned.empty(shape, dtype)
  assert (found.shape, found.dtype) == (shape, dtype)
  assert found.flags.c_contiguous and found.flags.writeable
  assert found.ctypes.data % 64 == 0 or not found.size


def test_devices_make_no_copy():
  host = aligned.empty((1000, 50), np.float32)
  host[:] = np.arange(50)
  for device in jax.devices('cpu')[:2]:
    on_device = jax.device_put(host, device)
    assert on_device.unsafe_buffer_pointer() == host.ctypes.data
