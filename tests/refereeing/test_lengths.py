"""Lengths of videos by flag and by file."""

import numpy as np
import pytest

from memae_jax.refereeing import lengths
from tests.refereeing import inputs


def test_a_flag_has_numbers():
  assert lengths.read('180,180, 150', 'x') == {'1': 180, '2': 180, '3': 150}
  assert lengths.read('7', 'x') == {'1': 7}


@pytest.mark.parametrize(
  'name,content,names',
  [
    ('a.json', b'{"01": 3, "02": 4}', ['01', '02']),
    ('a.json', b'[3, 4]', ['1', '2']),
    ('a.txt', b'3\n4\n', ['1', '2']),
    ('a.txt', b'3;4', ['1', '2']),
    ('a.npy', inputs.npy(np.array([3, 4])), ['1', '2']),
    ('a.npz', inputs.npz(n=np.array([3, 4], 'u2')), ['1', '2']),
  ],
)
def test_files(name, content, names, tmp_path):
  inputs.written(tmp_path, {name: content})
  got = lengths.read(str(tmp_path / name), 'x')
  assert got == dict(zip(names, [3, 4]))
