"""The publisher's idx files of MNIST are refused if they are others."""

import gzip

import numpy as np
import pytest

from memae_jax.data import prepare
from memae_jax.runtime import errors
from tests import fakes

TRAIN_IMAGES = 'train-images-idx3-ubyte'


def _refused(tmp_path, folder, match):
  with pytest.raises(errors.UserError, match=match) as caught:
    prepare.prepare('mnist', tmp_path / 'sets', folder)
  assert '\n' not in str(caught.value)
  assert not list((tmp_path / 'sets').rglob('*array_record*'))
  assert not list((tmp_path / 'sets').glob('mnist_blocks/*'))


BAD = {
  'truncated': (
    lambda idx: idx[:-5],
    'train-images.*23,531 bytes, expected 23,536',
  ),
  'too long': (lambda idx: idx + b'x', 'train-images.*23,537 bytes'),
  'header only in part': (lambda idx: idx[:9], 'train-images.*has 9 bytes'),
  'empty': (lambda idx: b'', 'train-images.*nothing'),
  'wrong magic': (
    lambda idx: b'\0\0\x0d\x03' + idx[4:],
    'begins with 00 00 0d 03, expected 00 00 08 03',
  ),
  'labels as images': (
    lambda idx: fakes.idx(np.zeros(30, np.uint8)),
    'along 3 axes.*begins with 00 00 08 01',
  ),
  'wrong shape': (
    lambda idx: fakes.idx(np.zeros((29, 28, 28), np.uint8)),
    r'\(29, 28, 28\), expected \(30, 28, 28\)',
  ),
  'other content': (
    lambda idx: idx[:-1] + bytes([idx[-1] ^ 1]),
    'not the published file: sha256.*expected',
  ),
}


@pytest.mark.parametrize('plain', [True, False])
@pytest.mark.parametrize('name', BAD)
def test_bad_idx_files(mnist_files, tmp_path, name, plain):
  change, match = BAD[name]
  packed = mnist_files[0] / f'{TRAIN_IMAGES}.gz'
  content = change(gzip.decompress(packed.read_bytes()))
  if plain:
    packed.unlink()
    (mnist_files[0] / TRAIN_IMAGES).write_bytes(content)
  else:
    packed.write_bytes(gzip.compress(content))
  _refused(tmp_path, mnist_files[0], match)
