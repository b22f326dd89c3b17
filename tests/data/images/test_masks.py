"""Masks fit their pictures; doubtful ones are refused or warned of."""

import numpy as np
import pytest
from PIL import Image

from memae_jax.runtime import errors
from tests.data.images import pictures


def test_two_masks_that_agree(tmp_path, load_pictures):
  pictures.plain(tmp_path)
  pictures.save(tmp_path / 'ground_truth/crack/000_mask.png', pictures.SQUARE)
  pictures.save(tmp_path / 'ground_truth/crack/000.bmp', pictures.SQUARE)
  assert pictures.marked(load_pictures(tmp_path)) == {'test/crack/000.png': 6}


@pytest.mark.parametrize(
  ('mask', 'match'),
  [
    (
      255 - pictures.SQUARE,
      r'masks mark 91% of their pictures on average.*inverted',
    ),
    (pictures.SQUARE // 255 + 1, r'masks mark 100% of their pictures'),
    (pictures.SQUARE * 0, r'2 of 2 masks of anomalous pictures mark nothing'),
  ],
)
def test_doubtful_masks_are_warned_of(tmp_path, load_pictures, mask, match):
  pictures.plain(tmp_path)
  for i in range(2):
    pictures.save(
      tmp_path / f'ground_truth/crack/{i:03d}.png', mask.astype(np.uint8)
    )
  (line,) = load_pictures(tmp_path).warnings
  assert match.split('.*')[0].removeprefix('r') in line


def test_a_mask_of_a_normal_picture(tmp_path, load_pictures):
  pictures.plain(tmp_path)
  for i in range(2):
    pictures.save(tmp_path / f'ground_truth/crack/{i:03d}.png', pictures.SQUARE)
    pictures.save(
      tmp_path / f'ground_truth/good/{i:03d}.png', pictures.CORNER * (i > 0)
    )
  source = load_pictures(tmp_path)
  assert set(pictures.marked(source)) == {
    'test/crack/000.png',
    'test/crack/001.png',
  }
  (line,) = source.warnings
  assert line.startswith('1 of 2 masks of normal pictures mark something')


RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 16), np.uint8)


def _with_masks(root, orientation, mask, size=(12, 16)):
  exif = Image.Exif()
  exif[0x0112] = orientation
  for name in ('train/good/1', 'train/good/2', 'test/good/1', 'test/hole/1'):
    pictures.save(root / f'{name}.png', GREY[: size[0], : size[1]], exif=exif)
  pictures.save(root / 'ground_truth/hole/1.png', mask)


STORED = np.zeros((12, 16), np.uint8)
STORED[1:3, 4:9] = 255


def test_a_mask_of_the_stored_pixels_is_turned_with_its_picture(
  tmp_path, load_pictures
):
  _with_masks(tmp_path, 6, STORED)
  source = load_pictures(tmp_path)
  want = np.rot90(STORED, -1) > 0
  np.testing.assert_array_equal(source.masks[-1], want)
  assert any('1 of 1 masks are turned as the EXIF' in r for r in source.remarks)
  assert any('4 pictures turned upright' in r for r in source.remarks)


def test_a_mask_of_the_shown_pixels_stays(tmp_path, load_pictures):
  upright = np.rot90(STORED, -1)
  _with_masks(tmp_path, 6, upright)
  np.testing.assert_array_equal(load_pictures(tmp_path).masks[-1], upright > 0)


def test_a_mask_with_its_own_orientation(tmp_path, load_pictures):
  _with_masks(tmp_path, 6, STORED)
  exif = Image.Exif()
  exif[0x0112] = 6
  pictures.save(tmp_path / 'ground_truth/hole/1.png', STORED, exif=exif)
  want = np.rot90(STORED, -1) > 0
  np.testing.assert_array_equal(load_pictures(tmp_path).masks[-1], want)


@pytest.mark.parametrize(
  ('orientation', 'size'), [(3, (12, 16)), (8, (12, 12))]
)
def test_a_mask_that_may_be_either_is_refused(
  tmp_path, load_pictures, orientation, size
):
  _with_masks(tmp_path, orientation, STORED[:, : size[1]], size)
  with pytest.raises(errors.UserError, match='as stored or as shown'):
    load_pictures(tmp_path)
  pictures.save(
    tmp_path / 'ground_truth/hole/1.png', STORED[:, : size[1]] * 0 + 255
  )
  assert load_pictures(tmp_path).masks[-1].all()  # The same either way.
