"""The trees of UCSD Ped2 that exist, and damaged ones."""

import numpy as np
from PIL import Image

from memae_jax.data import prepare
from tests.data.prepare.builders import trees


def test_ped2_jpeg_tree(ped2_files, tmp_path, load_prepared):
  """Frames count from 000, folders have two digits, labels lie on top."""
  tree = tmp_path / 'jpeg'
  for part, target in (('Train', 'training'), ('Test', 'testing')):
    for number in (1, 2):
      place = tree / target / 'frames' / f'{number:02d}'
      place.mkdir(parents=True)
      of = ped2_files / f'UCSDped2/{part}/{part}{number:03d}'
      for i, file in enumerate(sorted(of.iterdir())):
        with Image.open(file) as frame:
          frame.save(place / f'{i:03d}.jpg')
  masks = tree / 'testing/pixel_masks'
  masks.mkdir()
  for number in (1, 2):
    name = f'Test{number:03d}_gt'
    (ped2_files / 'UCSDped2/Test' / name).rename(masks / name)
  (ped2_files / 'UCSDped2/Test/UCSDped2.m').rename(tree / 'UCSDped2.m')
  prepare.prepare('ucsd_ped2', tmp_path / 'sets', tree)
  source = load_prepared('ucsd_ped2')
  assert source.videos.names == ('01', '02', '01', '02')
  assert source.labels[10:].tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 1, 1]
  marked = source.masks[:].any(axis=(1, 2))
  np.testing.assert_array_equal(marked, source.labels == 1)
  assert 'JPEG' in source.notes['frames']


def test_ped2_errors(ped2_files, tmp_path):
  root = ped2_files / 'UCSDped2'
  (root / 'Test/Test002/020.tif').rename(tmp_path / '020.tif')
  trees.refused(tmp_path, 'ucsd_ped2', ped2_files, '"Test002".*has 19 frames')
  (tmp_path / '020.tif').rename(root / 'Test/Test002/020.tif')
  (root / 'Train/Train001').rename(tmp_path / 'Train001')
  trees.refused(
    tmp_path, 'ucsd_ped2', ped2_files, '1 training videos, expected 2'
  )
  (tmp_path / 'Train001').rename(root / 'Train/Train001')
  (root / 'Test/UCSDped2.m').unlink()
  trees.refused(tmp_path, 'ucsd_ped2', ped2_files, 'no UCSDped2.m or ped2.mat')
  trees.refused(tmp_path, 'ucsd_ped2', root / 'Train', 'does not hold UCSDped2')
