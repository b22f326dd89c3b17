import gzip
import time

import numpy as np
import pytest

from memae_jax.data import prepare, protocols, sources
from memae_jax.data.prepare.builders import images, mnist
from memae_jax.runtime import errors
from tests import fakes

SIZES = {'train': 30, 'test': 12}
TRAIN_IMAGES = 'train-images-idx3-ubyte'
TRAIN_LABELS = 'train-labels-idx1-ubyte'


@pytest.fixture
def raw(tmp_path, monkeypatch):
  """Four small files that pass as the published ones, and their arrays."""
  monkeypatch.setattr(images, 'BLOCK', 8)
  folder = tmp_path / 'raw'
  return folder, fakes.mnist_files(folder, monkeypatch, SIZES)


def _load(data_config, folder, **fields):
  return sources.load(data_config(name='mnist', data_dir=str(folder), **fields))


def test_prepare_and_load(raw, tmp_path, data_config):
  folder, arrays = raw
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


def test_plain_files_are_accepted(raw, tmp_path):
  for packed in raw[0].iterdir():
    packed.with_suffix('').write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
  assert prepare.prepare('mnist', tmp_path, raw[0]).is_dir()


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
def test_bad_idx_files(raw, tmp_path, name, plain):
  change, match = BAD[name]
  packed = raw[0] / f'{TRAIN_IMAGES}.gz'
  content = change(gzip.decompress(packed.read_bytes()))
  if plain:
    packed.unlink()
    (raw[0] / TRAIN_IMAGES).write_bytes(content)
  else:
    packed.write_bytes(gzip.compress(content))
  _refused(tmp_path, raw[0], match)


@pytest.mark.parametrize('cut', [10, -3])
def test_truncated_gz(raw, tmp_path, cut):
  file = raw[0] / f'{TRAIN_LABELS}.gz'
  file.write_bytes(file.read_bytes()[:cut])
  _refused(tmp_path, raw[0], 'train-labels.*no complete gzip file.*fetch')


def test_missing_file(raw, tmp_path):
  (raw[0] / f'{TRAIN_LABELS}.gz').unlink()
  _refused(tmp_path, raw[0], 'raw holds no file train-labels.*download it')


def test_not_prepared(tmp_path, data_config):
  with pytest.raises(errors.UserError, match='memae_jax.data.prepare mnist'):
    _load(data_config, tmp_path)


def test_damaged_in_the_middle(raw, tmp_path, data_config):
  path = prepare.prepare('mnist', tmp_path, raw[0])
  (records,) = path.glob('*train*')
  content = bytearray(records.read_bytes())
  content[len(content) // 2] ^= 255
  records.write_bytes(content)
  with pytest.raises(errors.UserError, match='"train" is damaged|prepare'):
    _load(data_config, tmp_path)


def test_a_set_of_another_size(raw, tmp_path, data_config, monkeypatch):
  prepare.prepare('mnist', tmp_path, raw[0])
  monkeypatch.setattr(mnist.MnistBlocks, 'SIZES', {'train': 31, 'test': 12})
  with pytest.raises(errors.UserError, match='"train" has 30.*expected 31'):
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
