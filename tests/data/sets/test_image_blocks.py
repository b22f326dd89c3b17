"""Prepared sets of images that are damaged."""

import pytest

from memae_jax.data import prepare, sources
from memae_jax.data.prepare.builders import mnist
from memae_jax.runtime import errors


def _load(data_config, folder, **fields):
  return sources.load(data_config(name='mnist', data_dir=str(folder), **fields))


def test_damaged_in_the_middle(mnist_files, tmp_path, data_config):
  path = prepare.prepare('mnist', tmp_path, mnist_files[0])
  (records,) = path.glob('*train*')
  content = bytearray(records.read_bytes())
  content[len(content) // 2] ^= 255
  records.write_bytes(content)
  with pytest.raises(errors.UserError, match='"train" is damaged|prepare'):
    _load(data_config, tmp_path)


def test_a_set_of_another_size(mnist_files, tmp_path, data_config, monkeypatch):
  prepare.prepare('mnist', tmp_path, mnist_files[0])
  monkeypatch.setattr(mnist.MnistBlocks, 'SIZES', {'train': 31, 'test': 12})
  with pytest.raises(errors.UserError, match='"train" has 30.*expected 31'):
    _load(data_config, tmp_path)
