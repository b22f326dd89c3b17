"""What Pillow alone would lose of picture files, or let pass."""

import io

import numpy as np
import pytest
from PIL import Image

from memae_jax.data.images import decode_image
from memae_jax.data.images import levels as levels_lib
from memae_jax.runtime import errors
from tests.data.images import pictures

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 16), np.uint8)
RGB = RNG.integers(0, 256, (12, 16, 3), np.uint8)
TWELVE = levels_lib.Levels(0, 4095)


def _read(path, side=0, colour='auto', **options):
  return decode_image.read(path, side, colour, **options)


@pytest.mark.parametrize(
  ('name', 'kind'),
  [
    ('a.PNG', 'PNG'),
    ('a.jpe', 'JPEG'),
    ('a.jfif', 'JPEG'),
    ('a.JPEG', 'JPEG'),
    ('a.TIF', 'TIFF'),
    ('a.png', 'JPEG'),
    ('a.jpg', 'PNG'),
    ('a.bmp', 'WEBP'),
    ('a.tif', 'BMP'),
  ],
)
def test_the_content_decides_not_the_name(tmp_path, name, kind):
  path = pictures.save(tmp_path / name, RGB, format=kind)
  assert decode_image.files(tmp_path) == (path,)
  with Image.open(path) as image:
    want = np.asarray(image.convert('RGB'))
  np.testing.assert_array_equal(_read(path).pixels, want)


@pytest.mark.parametrize('kind', ['png', 'tif', 'webp'])
def test_content_in_alpha_only(tmp_path, kind):
  for colour in ((0, 0, 0), (255, 255, 255), (40, 90, 10)):
    full = np.dstack([np.full((12, 16, 3), colour, np.uint8), GREY])
    # Without "exact", WebP clears the colours where alpha is 0.
    options = {'lossless': True, 'exact': True} if kind == 'webp' else {}
    picture = _read(pictures.save(tmp_path / f'a.{kind}', full, **options))
    assert picture.from_alpha and not picture.had_alpha
    np.testing.assert_array_equal(picture.pixels[..., 0], GREY)


def test_content_in_alpha_of_grey_and_of_a_palette(tmp_path):
  grey = np.dstack([np.full_like(GREY, 7), GREY])
  picture = _read(pictures.save(tmp_path / 'a.png', grey))
  np.testing.assert_array_equal(picture.pixels[..., 0], GREY)
  image = Image.fromarray(GREY // 64, 'P')
  image.putpalette([9, 9, 9] * 4)
  path = pictures.save(
    tmp_path / 'b.png', image, transparency=bytes([0, 80, 160, 255])
  )
  want = np.array([0, 80, 160, 255])[GREY // 64]
  np.testing.assert_array_equal(_read(path).pixels[..., 0], want)


def test_alpha_that_says_nothing_is_dropped(tmp_path):
  full = np.dstack([RGB, np.full_like(GREY, 255)])
  picture = _read(pictures.save(tmp_path / 'a.png', full))
  assert picture.had_alpha and not picture.from_alpha
  np.testing.assert_array_equal(picture.pixels, RGB)
  flat = np.full((12, 16, 4), 200, np.uint8)  # Neither has content.
  assert (_read(pictures.save(tmp_path / 'b.png', flat)).pixels == 200).all()


@pytest.mark.parametrize(
  'write',
  [
    pictures.png_of_16_bits,
    pictures.tiff_of_16_bits,
    lambda values: pictures.tiff_of_16_bits(values, '>'),
    lambda values: pictures.tiff_of_16_bits(values, compressed=True),
    lambda values: pictures.tiff_of_16_bits(values, '>', compressed=True),
    lambda values: pictures.png_of_16_bits(
      np.dstack([values, values[..., 0] * 9])
    ),
  ],
  ids=['png', 'tiff', 'tiff-be', 'deflate', 'deflate-be', 'alpha'],
)
def test_colours_of_12_bits_keep_their_levels(tmp_path, write):
  values = RNG.integers(0, 4096, (12, 16, 3), np.uint16)
  path = tmp_path / 'a.png'
  path.write_bytes(write(values))
  np.testing.assert_array_equal(decode_image.values_of_16_bits(path), values)
  picture = _read(path, levels=TWELVE)
  assert picture.had_16_bit and not picture.clipped
  np.testing.assert_array_equal(
    picture.pixels, pictures.scaled(values, 0, 4095)
  )
  # By the full range, the pixels are the upper bytes of the colours.
  np.testing.assert_array_equal(_read(path).pixels, values >> 8)


@pytest.mark.parametrize('kind', ['png', 'tif', 'alpha'])
def test_grey_of_12_bits(tmp_path, kind):
  values = RNG.integers(0, 4096, (12, 16), np.uint16)
  path = tmp_path / f'a.{kind}'
  if kind == 'alpha':
    both = np.dstack([values, values[::-1]])
    path.write_bytes(pictures.png_of_16_bits(both))
  else:
    pictures.save(path, values)
  np.testing.assert_array_equal(
    decode_image.values_of_16_bits(path)[..., 0], values
  )
  want = pictures.scaled(values, 0, 4095)
  np.testing.assert_array_equal(_read(path, levels=TWELVE).pixels[..., 0], want)
  wide = _read(path, colour='rgb', levels=TWELVE).pixels
  np.testing.assert_array_equal(wide, np.stack([want] * 3, axis=2))


@pytest.mark.parametrize('kind', ['WEBP', 'PNG', 'TIFF'])
def test_animations_and_pages_are_refused(tmp_path, kind):
  frame = Image.fromarray(RGB)
  more = [Image.fromarray(255 - RGB)]
  pictures.save(tmp_path / 'a.png', frame, format=kind, save_all=True,
        append_images=more)  # fmt: skip
  with pytest.raises(errors.UserError, match='a.png is no .*holds 2 pictures'):
    _read(tmp_path / 'a.png')


def test_a_png_with_a_wrong_checksum_is_refused(tmp_path):
  stream = io.BytesIO()
  Image.fromarray(GREY).save(stream, 'PNG', compress_level=0)
  content = bytearray(stream.getvalue())
  content[content.index(b'IDAT') + 60] ^= 1  # One bit of one pixel.
  (tmp_path / 'a.png').write_bytes(content)
  with pytest.raises(errors.UserError, match='a.png is no readable picture'):
    _read(tmp_path / 'a.png')
