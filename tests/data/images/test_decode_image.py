"""Pixels of pictures by value, compared with Pillow and with rules."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from memae_jax import export
from memae_jax.data import new_samples
from memae_jax.data.images import decode_image
from memae_jax.data.images import levels as levels_lib
from memae_jax.runtime import errors
from memae_jax.training import experiment
from tests import helpers

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 16), np.uint8)
RGB = RNG.integers(0, 256, (12, 16, 3), np.uint8)
TWELVE = levels_lib.Levels(0, 4095)


def _save(path, pixels, **options):
  path.parent.mkdir(parents=True, exist_ok=True)
  image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
  image.save(path, **options)
  return path


def png_of_16_bits(values):
  """Returns a PNG of uint16 [H, W, 1 to 4]; Pillow writes no such colours."""
  height, width, channels = values.shape
  kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

  def chunk(name, body):
    check = zlib.crc32(name + body)
    return struct.pack('>I', len(body)) + name + body + struct.pack('>I', check)

  rows = b''.join(b'\0' + row.astype('>u2').tobytes() for row in values)
  header = struct.pack('>IIBBBBB', width, height, 16, kind, 0, 0, 0)
  return (
    b'\x89PNG\r\n\x1a\n'
    + chunk(b'IHDR', header)
    + chunk(b'IDAT', zlib.compress(rows))
    + chunk(b'IEND', b'')
  )


def tiff_of_16_bits(values, order='<', compressed=False):
  """Returns a TIFF of uint16 [H, W, 3]; `compressed`: by deflate."""
  height, width, channels = values.shape
  body = values.astype(f'{order}u2').tobytes()
  body = zlib.compress(body) if compressed else body
  bits = 8 + 2 + 10 * 12 + 4
  tags = [
    (256, 4, width), (257, 4, height), (258, 3, None),
    (259, 3, 8 if compressed else 1), (262, 3, 2),
    (273, 4, bits + 2 * channels), (277, 3, channels), (278, 4, height),
    (279, 4, len(body)), (284, 3, 1),
  ]  # fmt: skip
  out = (b'II*\0' if order == '<' else b'MM\0*') + struct.pack(order + 'I', 8)
  out += struct.pack(order + 'H', len(tags))
  for tag, kind, value in tags:
    count = channels if value is None else 1
    out += struct.pack(order + 'HHI', tag, kind, count)
    if value is None or kind == 4:
      out += struct.pack(order + 'I', bits if value is None else value)
    else:
      out += struct.pack(order + 'HH', value, 0)
  out += struct.pack(order + 'I', 0)
  return out + struct.pack(f'{order}{channels}H', *[16] * channels) + body


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
  path = _save(tmp_path / name, RGB, format=kind)
  assert decode_image.files(tmp_path) == (path,)
  with Image.open(path) as image:
    want = np.asarray(image.convert('RGB'))
  np.testing.assert_array_equal(_read(path).pixels, want)


def test_cmyk(tmp_path):
  ink = RNG.integers(0, 256, (12, 16, 4), np.uint8)
  path = _save(tmp_path / 'a.tif', Image.fromarray(ink, 'CMYK'))
  paper = 255 - ink.astype(float)
  want = paper[..., :3] * paper[..., 3:] / 255
  assert np.abs(_read(path).pixels - want).max() <= 1
  _save(tmp_path / 'a.jpg', Image.fromarray(ink * 0 + 9, 'CMYK'), quality=95)
  assert np.abs(_read(tmp_path / 'a.jpg').pixels.astype(int) - 237).max() <= 4


@pytest.mark.parametrize('kind', ['png', 'tif', 'webp'])
def test_content_in_alpha_only(tmp_path, kind):
  for colour in ((0, 0, 0), (255, 255, 255), (40, 90, 10)):
    full = np.dstack([np.full((12, 16, 3), colour, np.uint8), GREY])
    # Without "exact", WebP clears the colours where alpha is 0.
    options = {'lossless': True, 'exact': True} if kind == 'webp' else {}
    picture = _read(_save(tmp_path / f'a.{kind}', full, **options))
    assert picture.from_alpha and not picture.had_alpha
    np.testing.assert_array_equal(picture.pixels[..., 0], GREY)


def test_content_in_alpha_of_grey_and_of_a_palette(tmp_path):
  grey = np.dstack([np.full_like(GREY, 7), GREY])
  picture = _read(_save(tmp_path / 'a.png', grey))
  np.testing.assert_array_equal(picture.pixels[..., 0], GREY)
  image = Image.fromarray(GREY // 64, 'P')
  image.putpalette([9, 9, 9] * 4)
  path = _save(tmp_path / 'b.png', image, transparency=bytes([0, 80, 160, 255]))
  want = np.array([0, 80, 160, 255])[GREY // 64]
  np.testing.assert_array_equal(_read(path).pixels[..., 0], want)


def test_alpha_that_says_nothing_is_dropped(tmp_path):
  full = np.dstack([RGB, np.full_like(GREY, 255)])
  picture = _read(_save(tmp_path / 'a.png', full))
  assert picture.had_alpha and not picture.from_alpha
  np.testing.assert_array_equal(picture.pixels, RGB)
  flat = np.full((12, 16, 4), 200, np.uint8)  # Neither has content.
  assert (_read(_save(tmp_path / 'b.png', flat)).pixels == 200).all()


def _scaled(values, low, high):
  """Returns pixels by the rule of the documentation, in float64."""
  scaled = (values.astype(float) - low) * 255 / (high - low)
  return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
  'write',
  [
    png_of_16_bits,
    tiff_of_16_bits,
    lambda values: tiff_of_16_bits(values, '>'),
    lambda values: tiff_of_16_bits(values, compressed=True),
    lambda values: tiff_of_16_bits(values, '>', compressed=True),
    lambda values: png_of_16_bits(np.dstack([values, values[..., 0] * 9])),
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
  np.testing.assert_array_equal(picture.pixels, _scaled(values, 0, 4095))
  # By the full range, the pixels are the upper bytes of the colours.
  np.testing.assert_array_equal(_read(path).pixels, values >> 8)


@pytest.mark.parametrize('kind', ['png', 'tif', 'alpha'])
def test_grey_of_12_bits(tmp_path, kind):
  values = RNG.integers(0, 4096, (12, 16), np.uint16)
  path = tmp_path / f'a.{kind}'
  if kind == 'alpha':
    both = np.dstack([values, values[::-1]])
    path.write_bytes(png_of_16_bits(both))
  else:
    _save(path, values)
  np.testing.assert_array_equal(
    decode_image.values_of_16_bits(path)[..., 0], values
  )
  want = _scaled(values, 0, 4095)
  np.testing.assert_array_equal(_read(path, levels=TWELVE).pixels[..., 0], want)
  wide = _read(path, colour='rgb', levels=TWELVE).pixels
  np.testing.assert_array_equal(wide, np.stack([want] * 3, axis=2))


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
  (tmp_path / 'a.png').write_bytes(png_of_16_bits(values))
  got = _read(tmp_path / 'a.png', colour='grey', levels=TWELVE).pixels
  luma = values @ np.array([0.299, 0.587, 0.114]) * 255 / 4095
  assert got.shape == (12, 16, 1) and np.abs(got[..., 0] - luma).max() <= 0.51


def test_12_bit_pictures_are_turned_too(tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 6
  values = RNG.integers(0, 4096, (12, 16), np.uint16)
  path = _save(tmp_path / 'a.png', values, exif=exif)
  want = np.rot90(_scaled(values, 0, 4095), -1)
  np.testing.assert_array_equal(_read(path, levels=TWELVE).pixels[..., 0], want)


# Values of the pictures that train, and the levels that follow.
@pytest.mark.parametrize(
  ('low', 'high', 'want'),
  [
    (0, 65535, (0, 65535)),
    (100, 16700, (0, 65535)),
    (40000, 60000, (0, 65535)),
    (0, 4095, (0, 4095)),
    (10, 1050, (0, 4095)),
    (0, 1023, (0, 1023)),
    (0, 300, (0, 1023)),
    (5, 16000, (0, 16383)),
    (0, 255, (0, 255)),
    (3, 20, (0, 255)),  # As if in a file of 8 bits.
    (1523, 2205, (1182, 2546)),  # 42 levels of 12 bits.
    (29000, 31000, (28000, 32000)),  # A thermal camera.
    (30000, 30010, (29877, 30133)),  # At least one level per value.
    (0, 8000, (0, 16383)),
    (9000, 9000, (0, 16383)),
  ],
)
def test_levels_by_the_range_of_those_that_train(low, high, want):
  values = np.linspace(low, high, 1000).astype(np.uint16)
  choice = levels_lib.choose(levels_lib.counts(values))
  assert choice.levels == want and choice.warnings == ()
  assert f'hold {low} to {high}' in choice.remarks[0]


def test_levels_without_16_bits():
  assert levels_lib.choose(np.zeros(2**16, int)) == ((0, 65535), (), ())


def test_one_hot_pixel_is_warned_of():
  values = np.append(np.linspace(1000, 2000, 5000), 65535).astype(np.uint16)
  choice = levels_lib.choose(levels_lib.counts(values))
  assert choice.levels == (0, 65535)
  (line,) = choice.warnings
  assert 'which become 4 of 256 grey levels, because a few lie in' in line


@pytest.mark.parametrize('asked', [(4095,), (4095, 0), (1, 2, 3), (5, 5)])
def test_levels_asked_for_are_checked(asked):
  with pytest.raises(errors.UserError, match='data.levels.*the lower first'):
    levels_lib.choose(np.zeros(2**16, int), asked)


def _twelve_bit_folder(root, high=4096):
  rng = np.random.default_rng(1)
  values = {}
  for i, place in enumerate(['train/good'] * 4 + ['test/good', 'test/crack']):
    values[f'{place}/{i}.png'] = rng.integers(0, high, (6, 5), np.uint16)
  values['test/crack/5.png'][0, 0] = 5000  # More than any that trains.
  for name, pixels in values.items():
    _save(root / name, pixels)
  return values


def test_a_folder_of_12_bits_and_what_is_scored_later(tmp_path, load_pictures):
  values = _twelve_bit_folder(tmp_path)
  source = load_pictures(tmp_path)
  assert source.levels == (0, 4095)
  for name, pixels in zip(source.places['file'], source.inputs):
    want = _scaled(values[name], 0, 4095)
    np.testing.assert_array_equal(pixels[..., 0], want)
  assert source.notes['pictures_clipped_from_16_bits'] == 1
  assert source.notes['pictures_scaled_from_16_bits'] == 6
  wanted = {
    'kind': 'images',
    'dtype': 'uint8',
    'shape': [6, 5, 1],
    'image_size': 0,
    'levels': list(source.levels),
  }
  names, later = new_samples.read(tmp_path / 'test', wanted)
  assert names == ['crack/5.png', 'good/4.png']
  np.testing.assert_array_equal(later, source.inputs[source.is_test])
  wanted['levels'] = [0, 65535]
  _, by_all_16_bits = new_samples.read(tmp_path / 'test', wanted)
  assert by_all_16_bits.max() == round(5000 / 257)


def test_levels_of_the_config(tmp_path, load_pictures):
  values = _twelve_bit_folder(tmp_path, high=900)
  assert load_pictures(tmp_path).levels == (0, 1023)
  source = load_pictures(tmp_path, levels=(0, 4095))
  assert source.levels == (0, 4095)
  assert any('4095 becomes 255' in line for line in source.remarks)
  name = source.places['file'][0]
  np.testing.assert_array_equal(
    source.inputs[0, ..., 0], _scaled(values[name], 0, 4095)
  )


def test_levels_go_with_the_network(tmp_path):
  """A scorer's file has the levels, and other data are evaluated by them."""
  build = lambda folder, stored=None, **fields: experiment.build(
    helpers.digits(**{
      'data.name': 'image_folder', 'data.path': str(folder),
      'data.protocol': 'given', 'fleet.normal_classes': (), **fields,
    }), stored,
  )  # fmt: skip
  _twelve_bit_folder(tmp_path / 'a')
  _twelve_bit_folder(tmp_path / 'b', high=900)
  trained = build(tmp_path / 'a')
  stored = trained.meta
  assert stored['inputs']['levels'] == [0, 4095]
  meta = export.meta(trained, 0, 0.5, 1, 1)
  assert meta['input']['levels'] == [0, 4095]
  assert build(tmp_path / 'b').source.levels == (0, 1023)
  assert build(tmp_path / 'b', stored).source.levels == (0, 4095)
  with pytest.raises(errors.UserError, match='trained on levels .0, 4095.; se'):
    build(tmp_path / 'b', stored, **{'data.levels': (0, 1023)})


def test_depths_that_differ_are_warned_of(tmp_path, load_pictures):
  _twelve_bit_folder(tmp_path)
  _save(tmp_path / 'train/good/9.png', GREY[:6, :5])
  (line,) = load_pictures(tmp_path).warnings
  assert line.startswith('4 of 5 pictures that train have 16 bits')
  for file in (tmp_path / 'train/good').iterdir():
    _save(file, GREY[:6, :5])
  (line,) = load_pictures(tmp_path).warnings
  assert line.startswith('2 test pictures such as test/crack/5.png have 16')


def test_pictures_in_alpha_are_warned_of(tmp_path, load_pictures):
  full = np.dstack([np.zeros_like(RGB), GREY])
  for name in ('train/good/1', 'train/good/2', 'test/good/1', 'test/hole/1'):
    _save(tmp_path / f'{name}.png', full)
  source = load_pictures(tmp_path)
  assert (source.inputs[..., 0] == GREY).all()
  (line,) = source.warnings
  assert line.startswith('4 of 4 pictures such as train/good/1.png have one')


def _with_masks(root, orientation, mask, size=(12, 16)):
  exif = Image.Exif()
  exif[0x0112] = orientation
  for name in ('train/good/1', 'train/good/2', 'test/good/1', 'test/hole/1'):
    _save(root / f'{name}.png', GREY[: size[0], : size[1]], exif=exif)
  _save(root / 'ground_truth/hole/1.png', mask)


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
  _save(tmp_path / 'ground_truth/hole/1.png', STORED, exif=exif)
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
  _save(tmp_path / 'ground_truth/hole/1.png', STORED[:, : size[1]] * 0 + 255)
  assert load_pictures(tmp_path).masks[-1].all()  # The same either way.


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


@pytest.mark.parametrize('kind', ['WEBP', 'PNG', 'TIFF'])
def test_animations_and_pages_are_refused(tmp_path, kind):
  frame = Image.fromarray(RGB)
  more = [Image.fromarray(255 - RGB)]
  _save(tmp_path / 'a.png', frame, format=kind, save_all=True,
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
