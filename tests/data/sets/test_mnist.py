"""The prepared set of MNIST as a source."""

import time

import numpy as np
import pytest

from memae_jax.data import prepare, protocols, sources
from memae_jax.data.prepare.builders import mnist
from memae_jax.runtime import errors


def _load(data_config, folder, **fields):
  return sources.load(data_config(name='mnist', data_dir=str(folder), **fields))


def test_prepare_and_load(mnist_files, tmp_path, data_config):
  folder, arrays = mnist_files
  path = prepare.prepare('mnist', tmp_path / 'sets', folder)
  assert path == tmp_path / 'sets/mnist_blocks/1.0.0'
  source = _load(data_config, tmp_path / 'sets')
  assert source.inputs.shape == (42, 28, 28, 1)
  assert source.inputs.dtype == np.uint8 and source.labels.dtype == np.int32
  pixels = [arrays[name] for name in mnist.SHA256 if 'images' in name]
  labels = [arrays[name] for name in mnist.SHA256 if 'labels' in name]
  np.testing.assert_array_equal(source.inputs[..., 0], np.concatenate(pixels))
  np.testing.assert_array_equal(source.labels, np.concatenate(labels))
  np.testing.assert_array_equal(source.is_test, np.arange(42) >= 30)
  assert source.label_names == tuple('0123456789')
  assert source.dropped == ()


def test_not_prepared(tmp_path, data_config):
  with pytest.raises(errors.UserError, match='memae_jax.data.prepare mnist'):
    _load(data_config, tmp_path)


def test_real_set(shared, tmp_path, data_config):
  folder = shared / 'data/mnist'
  if not folder.is_dir():
    pytest.skip('no folder shared/data/mnist with the real files')
  prepare.prepare('mnist', tmp_path, folder)
  source = _load(data_config, tmp_path)
  assert source.inputs.shape == (70_000, 28, 28, 1)
  assert source.is_test.sum() == 10_000 and not source.is_test[:60_000].any()
  assert source.notes['label_counts']['0'] == 5923 + 980
  assert source.inputs[:60_000].mean() / 255 == pytest.approx(0.1307, abs=1e-4)

  config = data_config(name='mnist')
  start = time.perf_counter()
  splits = [protocols.split(source, config, i, i % 10) for i in range(30)]
  assert time.perf_counter() - start < 3  # About 0.05 s when left alone.
  # Section 3.1 of the paper: 2:1, with anomalies as 30 % of the test set.
  notes = splits[0].notes
  assert notes['train'] + notes['validation'] == round(6903 * 2 / 3)
  assert notes['anomalies'] / notes['test'] == pytest.approx(0.3, abs=1e-3)
  official = protocols.split(
    source, data_config(name='mnist', protocol='official'), 0, 0
  )
  np.testing.assert_array_equal(official.test, np.arange(60_000, 70_000))
  assert len(official.train) + len(official.validation) == 5923
