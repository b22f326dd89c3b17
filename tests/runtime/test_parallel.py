"""Meshes, and how values are placed on them."""

import jax
import numpy as np
import pytest

from memae_jax.runtime import errors, parallel
from tests import helpers


def _mesh(replicas, batch=64, devices=8, long_steps=False, **sizes):
  config = helpers.digits(**{f'mesh.{k}': v for k, v in sizes.items()}).mesh
  devices = jax.devices()[:devices]
  mesh = parallel.mesh(config, replicas, batch, devices, long_steps)
  return tuple(mesh.shape.values())


def test_a_mesh_is_chosen_for_the_fleet():
  assert _mesh(1) == (1, 1, 1)  # One process on a CPU spreads no batch.
  assert _mesh(3, devices=2) == (2, 1, 1)  # Two rounds; a third would be idle.
  assert _mesh(4, devices=3) == (2, 1, 1)  # Two rounds, as with three devices.
  assert _mesh(90) == (8, 1, 1)
  assert _mesh(1, memory=4) == (1, 1, 4)
  assert _mesh(5, data=2, memory=2) == (2, 2, 2)


@pytest.mark.parametrize(
  ('replicas', 'devices', 'sizes'),
  [
    (1, 2, (1, 2, 1)),
    (3, 2, (1, 2, 1)),  # 1.5 rounds instead of two.
    (4, 2, (2, 1, 1)),  # No device would wait.
    (7, 8, (7, 1, 1)),  # 0.875 rounds instead of one: not worth it.
    (3, 8, (1, 8, 1)),
    (90, 8, (8, 1, 1)),
  ],
)
def test_long_steps_divide_batches_where_devices_would_wait(
  replicas, devices, sizes
):
  assert _mesh(replicas, devices=devices, long_steps=True) == sizes
  least = _mesh(replicas, devices=devices)
  chosen = _mesh(replicas, devices=devices, long_steps=True, data=1)
  assert chosen == least


@pytest.mark.parametrize(
  ('sizes', 'message'),
  [
    ({'memory': 9}, 'memory=9.*8.*lower'),
    ({'replica': 2, 'data': 3, 'memory': 2}, 'needs 12 devices.*are 8'),
  ],
)
def test_meshes_without_devices_enough(sizes, message):
  with pytest.raises(errors.UserError, match=message):
    _mesh(1, **sizes)


@pytest.mark.parametrize('spec', [parallel.BY_REPLICA, parallel.BY_SAMPLE])
def test_places_and_reads_rows_alike(spec):
  mesh = jax.make_mesh(
    (4, 2, 1),
    parallel.AXES,
    axis_types=(jax.sharding.AxisType.Auto,) * 3,
  )
  host = np.arange(5 * 6 * 2).reshape(5, 6, 2)
  placed = parallel.place(host, mesh, spec)
  assert placed.shape == (8, 6, 2)
  np.testing.assert_array_equal(placed[:5], host)
  np.testing.assert_array_equal(placed[5:], host[[4, 4, 4]])
  parts = []

  def read(*part):
    parts.append(part)
    return host[part]

  lazily = parallel.place_lazily(host.shape, mesh, read)
  np.testing.assert_array_equal(lazily, placed)
  assert parts == [(slice(0, 5), slice(0, 6))]
