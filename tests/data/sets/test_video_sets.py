"""The published sets of videos, from small trees of their layouts."""

import json
import time

import numpy as np
import pytest
from PIL import Image

from memae_jax.data import prepare, protocols
from memae_jax.runtime import errors


def test_ped2_tiff_tree(ped2_files, tmp_path, load_prepared, data_config):
  prepare.prepare('ucsd_ped2', tmp_path / 'sets', ped2_files)
  source = load_prepared('ucsd_ped2')
  assert source.inputs.shape == (4 * 5, 16, 24, 36, 1)
  with Image.open(ped2_files / 'UCSDped2/Test/Test002/005.tif') as frame:
    pixels = np.asarray(frame)
  np.testing.assert_array_equal(source.inputs[15][4, :, :, 0], pixels)
  names = ('Train001', 'Train002', 'Test001', 'Test002')
  assert source.videos.names == names
  # Frames 8 to 12 are scored; anomalies begin at 10 and 11.
  assert source.labels[10:].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 1, 1]
  marked = source.masks[:].any(axis=(1, 2))
  np.testing.assert_array_equal(marked, source.labels == 1)
  assert source.masks[12][4:12, 6:18].all() and source.has_mask.all()
  assert source.dropped[0]['count'] == 30
  assert source.notes['labels'] == 'UCSDped2.m'
  assert 'TIFF' in source.notes['frames']
  config = data_config(name='ucsd_ped2', protocol='given')
  split = protocols.split(source, config, 0)
  assert len(split.test) == 10 and split.anomalous.sum() == 5
  small = load_prepared('ucsd_ped2', image_size=16)
  assert small.inputs.shape[1:] == (16, 16, 16, 1)
  assert small.masks.shape[1:] == (16, 16)


def test_other_labels(ped2_files, tmp_path, load_prepared):
  prepare.prepare('ucsd_ped2', tmp_path / 'sets', ped2_files)
  np.save(tmp_path / 'mine.npy', np.ones((1, 40), np.uint8))
  source = load_prepared('ucsd_ped2', label_path=str(tmp_path / 'mine.npy'))
  assert source.labels.sum() == 10 and source.notes['labels'] == 'mine.npy'
  remark = source.remarks[2]
  assert remark == 'labels from mine.npy: 2 videos, 40 of 40 frames anomalous'


def test_not_prepared(load_prepared):
  with pytest.raises(errors.UserError, match='"ucsd_ped2" is not prepared'):
    load_prepared('ucsd_ped2')


@pytest.mark.slow
def test_real_ped2(shared, tmp_path, load_prepared):
  root = shared / 'data/ped2'
  if not root.is_dir():
    pytest.skip('no folder shared/data/ped2 with the real frames')
  prepare.prepare('ucsd_ped2', tmp_path / 'sets', root)
  source = load_prepared('ucsd_ped2', image_size=64)
  assert source.inputs.shape == (2310 + 1830, 16, 64, 64, 1)
  assert source.is_test.sum() == 1830 and source.labels.sum() == 1526
  assert source.dropped[0]['count'] == 180
  facts = json.loads((root / 'clips.json').read_text())
  lengths = [clip['frames'] for clip in facts.values()]
  assert sorted(source.videos.lengths.tolist()) == sorted(lengths)
  marked = source.masks[:].any(axis=(1, 2))
  assert (marked == (source.labels == 1)).mean() > 0.99  # Masks may be thin.
  start = time.perf_counter()
  load_prepared('ucsd_ped2', image_size=64)
  assert time.perf_counter() - start < 30  # Decoded frames are kept.
