"""Files of arrays: those of others are read, damaged ones refused."""

import json
import random

import numpy as np
import pytest

from memae_jax.runtime import safetensors
from tests import mutants

_ARRAYS = {
  'a/b': np.arange(6, dtype=np.float32).reshape(2, 3),
  'count': np.asarray(7, np.int32),
  'none': np.zeros((0, 4), np.float64),
  'is': np.asarray([True, False]),
  'wide': np.asarray([1.5], np.float64),
}


def test_what_is_written_is_read():
  content = safetensors.written(_ARRAYS, {'who': 'größe'})
  found = safetensors.read(content)
  assert found.metadata == {'who': 'größe'}
  assert found.arrays.keys() == _ARRAYS.keys()
  for name, array in _ARRAYS.items():
    assert found.arrays[name].dtype == array.dtype
    np.testing.assert_array_equal(found.arrays[name], array)
  again = safetensors.written(dict(reversed(_ARRAYS.items())), found.metadata)
  assert again == content
  # The arrays begin at a multiple of eight, as readers of others want it.
  assert int.from_bytes(content[:8], 'little') % 8 == 0


def test_types_without_a_name():
  with pytest.raises(ValueError, match='"x" is of type complex128'):
    safetensors.written({'x': np.zeros(1, complex)}, {})


def _file(header, data=b'\0' * 8):
  text = header if isinstance(header, bytes) else json.dumps(header).encode()
  return len(text).to_bytes(8, 'little') + text + data


def _one(**changes):
  return {'x': {'dtype': 'F32', 'shape': [2], 'data_offsets': [0, 8]} | changes}


def test_the_published_layout():
  """Header and values as the format's page describes them, by hand."""
  content = _file(_one(), np.asarray([1, -2], '<f4').tobytes())
  found = safetensors.read(content)
  np.testing.assert_array_equal(found.arrays['x'], np.float32([1, -2]))
  assert found.metadata == {}


@pytest.mark.parametrize(
  'content,words',
  [
    (b'', 'announces 0 bytes'),
    (b'\xff' * 8, 'announces'),
    (_file(_one())[:20], 'announces'),
    (_file(b' {}', b''), 'does not begin'),
    (_file(b'{"x": 1', b''), 'Expecting'),
    (_file(b'{"x": {}, "x": {}}', b''), 'twice'),
    (_file({'x': {}}), 'dtype is missing'),
    (_file(_one(dtype='BF16')), 'of type "BF16"'),
    (_file(_one(shape=[-2])), 'has shape'),
    (_file(_one(shape=[2.0])), 'whole number'),
    (_file(_one(shape=[2**40])), 'another size'),
    (_file(_one(data_offsets=[0, 4])), 'another size'),
    (_file(_one(data_offsets=[8, 16])), 'side by side'),
    (_file(_one(data_offsets=[-8, 0])), 'side by side'),
    (_file(_one(), b'\0' * 7), 'side by side'),
    (_file(_one(), b'\0' * 9), 'side by side'),
    (_file(_one() | {'y': _one()['x']}), 'side by side'),
    (_file({'__metadata__': {'a': 1}}, b''), 'is not text'),
  ],
)
def test_what_is_refused(content, words):
  with pytest.raises(ValueError, match=words):
    safetensors.read(content)


def test_mutants_are_refused_or_read():
  """No other error; values have no checksum here, the card of a fleet has."""
  content, rng = safetensors.written(_ARRAYS, {'a': 'b'}), random.Random(0)
  refused = 0
  for _ in range(mutants.COUNT):
    try:
      safetensors.read(mutants.of_bytes(content, rng))
    except ValueError:
      refused += 1
  assert refused > mutants.COUNT / 2
