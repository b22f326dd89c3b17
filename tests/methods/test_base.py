"""What every method may rely on."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from memae_jax.methods import base


def _batch(size=4, of=4, mask=None):
  keys = jax.random.split(jax.random.key(0), size)
  x = jnp.arange(2.0 * size).reshape(size, 2)
  return base.Batch(x, mask, keys, of)


def test_shares_of_a_mean_add_up_and_leave_padding_out():
  values = jnp.arange(12.0).reshape(4, 3)
  whole = _batch().mean(values)
  assert whole == values.mean() == _batch().mean(values.ravel())
  half = _batch(2)
  assert half.mean(values[:2]) + half.mean(values[2:]) == whole
  padded = _batch(4, 3, jnp.array([True, True, True, False]))
  assert padded.mean(values) == values[:3].mean()


def test_noise_depends_on_the_sample_and_not_on_its_batch():
  batch = _batch()
  part = base.Batch(batch.x[2:], None, batch.keys[2:], 4)
  np.testing.assert_allclose(part.normal((3,)), batch.normal((3,))[2:])
  assert (part.normal((3,)) != part.normal((3,), 1)).all()


@pytest.mark.parametrize(
  ('path', 'name'),
  [(('bank', 'slots'), 'bank'), (('a', 'b', 'slots'), 'a/b'), (('x',), 'x')],
)
def test_names_of_memories(path, name):
  assert base.memory_name(path) == name


def test_slots_lie_in_params_or_in_another_collection():
  variables = {'params': {'bank': {'slots': 1}}, 'kept': {'slots': 2}}
  assert base.slots_of(variables, ('bank', 'slots')) == 1
  assert base.slots_of(variables, ('kept', 'slots')) == 2


def test_one_device_needs_no_axis():
  alone, spread = base.Across(), base.Across(data=2, memory=4)
  assert alone.data_axis is alone.memory_axis is None
  assert alone.sum({'a': 3}) == alone.sum_slots({'a': 3}) == {'a': 3}
  assert alone.index() == 0
  assert (spread.data_axis, spread.memory_axis) == ('data', 'memory')
