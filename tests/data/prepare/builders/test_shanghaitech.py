"""Films, frames and labels of ShanghaiTech."""

import numpy as np
import pytest
from PIL import Image

from memae_jax.data import prepare
from memae_jax.data.prepare.builders import shanghaitech
from tests.data.prepare.builders import trees

RNG = np.random.default_rng(0)


@pytest.fixture
def campus(tmp_path, monkeypatch):
  trees.shrink(monkeypatch, shanghaitech.Shanghaitech)
  root = tmp_path / 'shanghaitech'
  for part in ('frame', 'pixel'):
    (root / f'testing/test_{part}_mask').mkdir(parents=True)
  for number in (1, 2):
    frames = RNG.integers(0, 256, (20, 16, 28), np.uint8)
    trees.film(root / f'training/videos/01_{number:03d}.avi', frames)
    name = f'01_{number:04d}'
    place = root / 'testing/frames' / name
    place.mkdir(parents=True)
    for i in range(20):
      pixels = RNG.integers(0, 256, (16, 28, 3), np.uint8)
      Image.fromarray(pixels).save(place / f'{i:03d}.jpg')
    labels = (np.arange(20) >= 9 + number).astype(np.uint8)
    np.save(root / f'testing/test_frame_mask/{name}.npy', labels)
    masks = np.tile(labels[:, None, None], (1, 16, 28))
    np.save(root / f'testing/test_pixel_mask/{name}.npy', masks)
  return root


def test_shanghaitech(campus, tmp_path, load_prepared):
  prepare.prepare('shanghaitech', tmp_path / 'sets', campus.parent)
  source = load_prepared('shanghaitech')
  assert source.inputs.shape == (20, 16, 16, 28, 1)
  assert source.videos.names == ('01_001', '01_002', '01_0001', '01_0002')
  assert source.labels[10:].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 1, 1]
  marked = source.masks[:].any(axis=(1, 2))
  np.testing.assert_array_equal(marked, source.labels == 1)


def test_shanghaitech_errors(campus, tmp_path):
  labels = campus / 'testing/test_frame_mask/01_0002.npy'
  np.save(labels, np.zeros(21, np.uint8))
  trees.refused(
    tmp_path, 'shanghaitech', campus, '21 labels.*"01_0002".*20 frames'
  )
  labels.unlink()
  trees.refused(
    tmp_path, 'shanghaitech', campus, 'no labels of video "01_0002"'
  )
