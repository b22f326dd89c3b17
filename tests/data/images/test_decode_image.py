"""Pixels of pictures by value, compared with Pillow and with rules."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from memae_jax.data.images import decode_image
from memae_jax.data.images import levels as levels_lib
from memae_jax.runtime import errors
from tests.data.images import pictures

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 16), np.uint8)
RGB = RNG.integers(0, 256, (12, 16, 3), np.uint8)
TWELVE = levels_lib.Levels(0, 4095)


def _save(path, pixels, **options):
  path.parent.mkdir(parents=True, exist_ok=True)
  image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
  image.save(path, **options)
  return path


def _read(path, side=0, colour='auto', **options):
  return decode_image.read(path, side, colour, **options)


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('kind', ['png', 'jpg', 'tif', 'webp'])
def test_every_orientation(tmp_path, kind, orientation):
  exif = Image.Exif()
  exif[0x0112] = orientation
  path = _save(tmp_path / f'a.{kind}', RGB, exif=exif)
  with Image.open(path) as image:
    want = np.asarray(ImageOps.exif_transpose(image))
  picture = _read(path)
  np.testing.assert_array_equal(picture.pixels, want)
  assert picture.orientation == orientation
  assert picture.size == want.shape[1::-1]
  np.testing.assert_array_equal(
    decode_image.turned(GREY, orientation).shape, want.shape[:2]
  )
  if kind in ('png', 'tif'):
    for channel in range(3):
      np.testing.assert_array_equal(
        decode_image.turned(RGB[..., channel], orientation), want[..., channel]
      )


def test_cmyk(tmp_path):
  ink = RNG.integers(0, 256, (12, 16, 4), np.uint8)
  path = _save(tmp_path / 'a.tif', Image.fromarray(ink, 'CMYK'))
  paper = 255 - ink.astype(float)
  want = paper[..., :3] * paper[..., 3:] / 255
  assert np.abs(_read(path).pixels - want).max() <= 1
  _save(tmp_path / 'a.jpg', Image.fromarray(ink * 0 + 9, 'CMYK'), quality=95)
  assert np.abs(_read(tmp_path / 'a.jpg').pixels.astype(int) - 237).max() <= 4


def test_12_bits_are_resized_before_they_are_rounded(tmp_path):
  values = RNG.integers(1000, 1030, (16, 16), np.uint16)
  path = _save(tmp_path / 'a.png', values)
  means = values.reshape(4, 4, 4, 4).mean(axis=(1, 3))
  scale = levels_lib.Levels(1000, 1030)
  got = _read(path, 4, levels=scale).pixels[..., 0]
  exact = (means - 1000) * 255 / 30
  assert np.abs(got - exact).max() <= 0.51


def test_12_bit_colours_to_grey(tmp_path):
  values = RNG.integers(0, 4096, (12, 16, 3), np.uint16)
  (tmp_path / 'a.png').write_bytes(pictures.png_of_16_bits(values))
  got = _read(tmp_path / 'a.png', colour='grey', levels=TWELVE).pixels
  luma = values @ np.array([0.299, 0.587, 0.114]) * 255 / 4095
  assert got.shape == (12, 16, 1) and np.abs(got[..., 0] - luma).max() <= 0.51


def test_12_bit_pictures_are_turned_too(tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 6
  values = RNG.integers(0, 4096, (12, 16), np.uint16)
  path = _save(tmp_path / 'a.png', values, exif=exif)
  want = np.rot90(pictures.scaled(values, 0, 4095), -1)
  np.testing.assert_array_equal(_read(path, levels=TWELVE).pixels[..., 0], want)


STORED = np.zeros((12, 16), np.uint8)
STORED[1:3, 4:9] = 255


def _mask_file(tmp_path, pixels, name='m.png', **options):
  return decode_image.mask(_save(tmp_path / name, pixels, **options))


def test_masks_by_their_kinds(tmp_path):
  square = STORED > 0
  palette = Image.fromarray((STORED > 0).astype(np.uint8) * 3, 'P')
  palette.putpalette([0, 0, 0, 9, 9, 9, 9, 9, 9, 0, 128, 0])
  alpha = np.dstack([np.full((12, 16, 3), 255, np.uint8), STORED])
  colours = np.zeros((12, 16, 3), np.uint8)
  colours[square] = 0, 0, 1
  for pixels in (
    palette,
    alpha,  # White, and transparent where normal.
    colours,
    STORED // 255,
    square,
    np.uint16(1000) * square,
    (STORED // 255).astype(np.int32),
  ):
    suffix = 'tif' if getattr(pixels, 'dtype', '') == np.int32 else 'png'
    mask = _mask_file(tmp_path, pixels, f'm.{suffix}')
    np.testing.assert_array_equal(mask.marked, square)
    assert not mask.lossy


@pytest.mark.parametrize(
  ('name', 'options'),
  [
    ('m.jpg', {'quality': 60}),
    ('m.png', {'format': 'JPEG'}),
    ('m.webp', {'quality': 50}),
  ],
)
@pytest.mark.parametrize('colour', [(255, 255, 255), (255, 0, 0)])
def test_lossy_masks_are_cut_at_half(tmp_path, name, options, colour):
  square = np.zeros((32, 32), bool)
  square[8:16, 8:24] = True  # Whole blocks, which colours keep apart.
  mask = _mask_file(
    tmp_path, square[..., None] * np.uint8(1) * np.array(colour, np.uint8),
    name, **options
  )  # fmt: skip
  assert mask.lossy
  assert (mask.marked != square).mean() < 0.01


def test_a_lossless_webp_mask_is_exact(tmp_path):
  mask = _mask_file(tmp_path, STORED // 255, 'm.webp', lossless=True)
  assert not mask.lossy
  np.testing.assert_array_equal(mask.marked, STORED > 0)


def test_a_jpeg_mask_of_small_numbers_is_refused(tmp_path):
  _save(tmp_path / 'm.jpg', STORED // 4)
  with pytest.raises(errors.UserError, match='m.jpg is a mask whose brightest'):
    decode_image.mask(tmp_path / 'm.jpg')
  assert not _mask_file(tmp_path, STORED * 0, 'n.jpg').marked.any()
