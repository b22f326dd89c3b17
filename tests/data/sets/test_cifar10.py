"""The prepared set of CIFAR-10 as a source."""

import numpy as np

from memae_jax.data import prepare
from tests.data.prepare.builders import python2_batches


def test_prepare_and_load(cifar10_files, tmp_path, data_config):
  folder, batches = cifar10_files
  path = prepare.prepare('cifar10', tmp_path / 'sets', folder)
  assert path == tmp_path / 'sets/cifar10_blocks/1.0.0'
  source = python2_batches.load(data_config, tmp_path / 'sets')
  python2_batches.check(source, batches.values())
  np.testing.assert_array_equal(source.is_test, np.arange(32) >= 22)
  assert source.label_names[0] == 'airplane' and len(source.label_names) == 10
  assert source.dropped == ()


def test_missing_batches_are_named(cifar10_files, tmp_path, data_config, capfd):
  folder, batches = cifar10_files
  (folder / 'data_batch_2').unlink()
  prepare.prepare('cifar10', tmp_path / 'sets', folder)
  assert 'warning:' in (err := capfd.readouterr().err) and 'data_batch_2' in err
  source = python2_batches.load(data_config, tmp_path / 'sets')
  python2_batches.check(
    source, [batches['data_batch_1'], batches['test_batch']]
  )
  assert source.is_test.sum() == 10
  (dropped,) = source.dropped
  assert dropped['count'] == 10 and 'data_batch_2' in dropped['why']
