"""Masks are found by their names, as people give them."""

import numpy as np
import pytest

from memae_jax.runtime import errors
from tests.data.images import pictures


# Masks of test/crack/000 and 001, as people call them: SQUARE and CORNER.
@pytest.mark.parametrize(
  'paths',
  [
    'ground_truth/crack/{}_mask.png',
    'ground_truth/crack/{}.png',
    'ground_truth/crack/{}.PNG',
    'ground_truth/crack/{}_gt.png',
    'ground_truth/crack/{}-mask.bmp',
    'ground_truth/crack/{} mask.tif',
    'ground_truth/crack/mask_{}.png',
    'ground_truth/crack/gt_{}.png',
    'ground_truth/crack/{}_label.PNG',
    'ground_truth/crack/{}_Mask.png',
    'ground_truth/crack/{}_ground_truth.webp',
    'ground_truth/crack/{}mask.png',
    'ground_truth/Crack/{}_mask.png',
    'ground_truth/crack_mask/{}.png',
    'ground_truth/test/crack/{}.png',
    'ground_truth/{}_mask.png',
    'Ground_Truth/crack/{}.png',
    'groundtruth/crack/{}.png',
    'gt/crack/{}.png',
    'masks/crack/{}.png',
    'mask/crack/{}_mask.jpg',
    'ground_truth/crack/{}_mask.jpg',
    'ground_truth/crack/{}.jpe',
    'test/crack_mask/{}.png',
    'test/crack_mask/{}.jpg',
    'test/crack_gt/{}_gt.png',
    'test/masks/crack/{}.png',
    'test/crack/mask/{}.png',
    'test/crack/ground_truth/{}_mask.png',
    'test/crack/{}_mask.png',
    'test/crack/mask_{}.bmp',
    'test/mask/{}.png',
  ],
)
def test_masks_by_any_usual_name(tmp_path, load_pictures, paths):
  pictures.plain(tmp_path)
  if 'mask/{}' in paths or paths.startswith('ground_truth/{}'):
    (tmp_path / 'test/good').rename(tmp_path / 'test/elsewhere')
    for i in range(2):  # Names that only one picture has.
      pictures.save(tmp_path / f'test/good/good{i}.png')
    for file in (tmp_path / 'test/elsewhere').iterdir():
      file.unlink()
  pictures.save(tmp_path / paths.format('000'), pictures.SQUARE)
  pictures.save(tmp_path / paths.format('001'), pictures.CORNER)
  source = load_pictures(tmp_path)
  assert source.label_names == ('good', 'crack')
  assert len(source.inputs) == 8 and source.labels.sum() == 2
  files = source.places['file'].tolist()
  first = source.masks[files.index('test/crack/000.png')]
  second = source.masks[files.index('test/crack/001.png')]
  np.testing.assert_array_equal(first, pictures.SQUARE > 0)
  np.testing.assert_array_equal(second, pictures.CORNER > 0)
  assert source.has_mask.all()
  among = paths.startswith(('test/crack_', 'test/crack/{', 'test/crack/mask_'))
  assert len(source.warnings) == among
  if among:
    assert 'files such as test/crack' in source.warnings[0]
    assert 'move them to ground_truth' in source.warnings[0]
  assert source.notes['anomalies_with_mask'] == 2
  assert 'test/crack: 2 anomalous, 2 with a mask' in source.remarks
  assert source.dropped == ()


def test_numbered_masks_all_count(tmp_path, load_pictures):
  pictures.plain(tmp_path)
  pictures.save(tmp_path / 'ground_truth/crack/000_mask_1.png', pictures.SQUARE)
  pictures.save(tmp_path / 'ground_truth/crack/000_mask_2.png', pictures.CORNER)
  pictures.save(tmp_path / 'ground_truth/crack/001_mask0.png', pictures.CORNER)
  source = load_pictures(tmp_path)
  assert pictures.marked(source) == {
    'test/crack/000.png': 10,
    'test/crack/001.png': 4,
  }


def _two_masks(root):
  pictures.save(root / 'ground_truth/crack/000_mask.png', pictures.SQUARE)
  pictures.save(root / 'ground_truth/crack/000.png', pictures.CORNER)


def _of_two_kinds(root):
  pictures.plain(root, kinds=('crack', 'dent'))
  pictures.save(root / 'ground_truth/000_mask.png', pictures.SQUARE)


def _of_two_suffixes(root):
  pictures.save(root / 'test/crack/000.jpg')
  pictures.save(root / 'ground_truth/crack/000_mask.png', pictures.SQUARE)


def _grey_and_masks(root):
  pictures.save(root / 'test/crack_mask/000.png', pictures.SQUARE)
  pictures.save(root / 'test/crack_mask/001.png')


def _masks_of_nothing(root):
  pictures.save(root / 'test/crack_mask/007.png', pictures.SQUARE)


def _black_and_white_pictures(root):
  for i in range(2):
    pictures.save(root / f'test/crack/{i:03d}.png', pictures.CORNER)
    pictures.save(root / f'test/crack_mask/{i:03d}.png', pictures.SQUARE)


def _two_trains(root):
  pictures.save(root / 'Train/good/000.png')


@pytest.mark.parametrize(
  ('change', 'match'),
  [
    (_two_masks, r'crack/000.png has two masks that differ.*remove one'),
    (_of_two_kinds, r'may be the mask of .*000.png or of .*000.png'),
    (_of_two_suffixes, r'000_mask.png may be the mask of'),
    (_grey_and_masks, r'crack_mask may hold pictures or masks: of 2 .* 1 are'),
    (_masks_of_nothing, r'crack_mask may hold.*0 have the name of a picture'),
    (_black_and_white_pictures, r'crack_mask may hold pictures or masks'),
    (_two_trains, r'has (Train and train|train and Train); remove or rename'),
  ],
)
def test_two_meanings_are_refused(tmp_path, load_pictures, change, match):
  change(pictures.plain(tmp_path))
  with pytest.raises(errors.UserError, match=match) as caught:
    load_pictures(tmp_path)
  assert '\n' not in str(caught.value)


def test_pictures_called_like_masks(tmp_path, load_pictures):
  """Files are faces with and without masks: none is black and white."""
  pictures.plain(tmp_path, kinds=('face', 'face_mask', 'label'))
  pictures.save(tmp_path / 'test/face/000_mask.png')
  source = load_pictures(tmp_path)
  assert source.label_names == ('good', 'face', 'face_mask', 'label')
  assert np.bincount(source.labels).tolist() == [6, 3, 2, 2]
  assert source.masks is None
