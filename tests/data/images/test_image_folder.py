import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from memae_jax.data import protocols, sources
from memae_jax.data.images import decode_image, image_folder
from memae_jax.runtime import errors
from tests import fakes
from tests.data.images import pictures

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (12, 16), np.uint8)
RGB = RNG.integers(0, 256, (12, 16, 3), np.uint8)


def _save(path, pixels, **options):
  path.parent.mkdir(parents=True, exist_ok=True)
  Image.fromarray(pixels).save(path, **options)


def _smooth(*shape):
  """Returns pixels that JPEG keeps nearly as they are."""
  grid = np.add.outer(np.arange(16) * 6, np.arange(16) * 4) + 20
  return np.broadcast_to(grid.reshape(16, 16, *(1,) * len(shape)),
                         (16, 16, *shape)).astype(np.uint8)  # fmt: skip


@pytest.fixture
def folder(tmp_path):
  """Folder of four normal and four test pictures, 16 pixels wide, 12 high."""
  root = tmp_path / 'screw'
  for i, name in enumerate(('10', '9', '1', '2')):
    _save(root / f'train/good/{name}.png', GREY + np.uint8(i))
  _save(root / 'test/good/000.png', GREY + np.uint8(7))
  _save(root / 'test/scratch/000.png', GREY + np.uint8(8))
  _save(root / 'test/scratch/001.png', GREY + np.uint8(9))
  _save(root / 'test/dent/000.png', GREY + np.uint8(10))
  mask = np.zeros((12, 16), bool)
  mask[3:5, 6:9] = True
  _save(root / 'ground_truth/scratch/000_mask.png', mask)
  _save(root / 'ground_truth/dent/000.bmp', mask.astype(np.uint8) * 255)
  return root


def test_layout(folder, load_pictures, data_config):
  source = load_pictures(folder)
  assert source.inputs.shape == (8, 12, 16, 1)
  assert source.inputs.dtype == np.uint8
  shifts = source.inputs[:, 0, 0, 0] - GREY[0, 0]
  # In natural order: train 1, 2, 9, 10, then test dent, good, scratch.
  assert shifts.tolist() == [2, 3, 1, 0, 10, 7, 8, 9]
  assert source.label_names == ('good', 'dent', 'scratch')
  assert source.labels.tolist() == [0, 0, 0, 0, 1, 0, 2, 2]
  assert source.labels.dtype == np.int32
  assert source.normal_labels == (0,) and source.labelled
  np.testing.assert_array_equal(source.is_test, np.arange(8) >= 4)
  assert source.masks.shape == (8, 12, 16) and source.masks.dtype == bool
  assert source.masks.sum(axis=(1, 2)).tolist() == [0] * 4 + [6, 0, 6, 0]
  assert source.masks[4, 3:5, 6:9].all()
  assert source.has_mask.tolist() == [True] * 7 + [False]
  assert source.has_mask.dtype == bool
  assert source.dropped == ()
  split = protocols.split(
    source,
    data_config(name='image_folder', protocol='given', path=str(folder)),
    0,
  )
  assert split.test.tolist() == [4, 5, 6, 7]
  assert split.anomalous.tolist() == [True, False, True, True]
  assert len(split.train) + len(split.validation) == 4


@pytest.mark.parametrize('name', ['normal', 'ok'])
def test_other_names_of_the_normal_folder(folder, load_pictures, name):
  (folder / 'train/good').rename(folder / f'train/{name}')
  source = load_pictures(folder)
  assert source.label_names == (name, 'dent', 'scratch')
  (folder / 'test/good').rename(folder / f'test/{name}')
  assert sorted(load_pictures(folder).labels) == sorted(source.labels)


def test_without_a_test_folder(folder, load_pictures):
  (folder / 'test').rename(folder / 'elsewhere')
  source = load_pictures(folder, protocol='random_rows')
  assert source.is_test is None and not source.labelled
  assert len(source.inputs) == 4


def test_given_without_a_test_folder(folder, load_pictures, data_config):
  (folder / 'test').rename(folder / 'elsewhere')
  config = data_config(name='image_folder', protocol='given')
  with pytest.raises(errors.UserError, match='needs a test set.*folder test'):
    protocols.split(load_pictures(folder), config, 0)


def test_without_masks(folder, load_pictures):
  (folder / 'ground_truth').rename(folder / 'elsewhere')
  source = load_pictures(folder)
  assert source.masks is None and source.has_mask is None


def test_other_files_are_counted_and_hidden_ones_ignored(folder, load_pictures):
  (folder / 'train/good/notes.txt').write_text('x')
  (folder / 'test/Thumbs.db').write_text('x')
  (folder / 'ground_truth/dent/007_mask.png').write_text('x')
  (folder / 'license.txt').write_text('x')
  (folder / 'train/good/.DS_Store').write_text('x')
  (folder / 'train/good/._1.png').write_text('x')
  (folder / 'test/.cache').mkdir()
  (folder / 'test/.cache/a.png').write_text('x')
  source = load_pictures(folder)
  assert len(source.inputs) == 8
  pictures_, masks = source.dropped
  assert pictures_['count'] == 2 and 'train/good/notes.txt' in pictures_['why']
  assert masks['count'] == 1 and 'dent/007_mask.png' in masks['why']


def test_nested_folders_and_capital_suffixes(folder, load_pictures):
  _save(folder / 'test/dent/left/000.PNG', GREY, format='PNG')
  _save(folder / 'ground_truth/dent/left/000_mask.png', GREY > 100)
  source = load_pictures(folder)
  assert source.labels.tolist() == [0] * 4 + [1, 1, 0, 2, 2]
  np.testing.assert_array_equal(source.masks[5], GREY > 100)


def test_identity_covers_the_masks(folder, load_pictures):
  before = sources.data_sha256(load_pictures(folder))
  assert sources.data_sha256(load_pictures(folder)) == before
  _save(folder / 'ground_truth/scratch/000_mask.png', GREY > 100)
  assert sources.data_sha256(load_pictures(folder)) != before


def test_max_samples_keeps_masks_beside_pictures(folder, load_pictures):
  all_samples, subset = (
    load_pictures(folder),
    load_pictures(folder, max_samples=5),
  )
  assert subset.masks.shape == (5, 12, 16) and subset.has_mask.shape == (5,)
  for pixels, mask, has_mask in zip(
    subset.inputs, subset.masks, subset.has_mask
  ):
    (i,) = np.flatnonzero((all_samples.inputs == pixels).all(axis=(1, 2, 3)))
    np.testing.assert_array_equal(mask, all_samples.masks[i])
    assert has_mask == all_samples.has_mask[i]


def _read(path, side=0, colour='auto'):
  return decode_image.read(path, side, colour)


@pytest.mark.parametrize('pixels', [GREY, RGB], ids=['grey', 'colour'])
@pytest.mark.parametrize(
  ('name', 'options'),
  [
    ('a.png', {}),
    ('a.tif', {}),
    ('a.tiff', {'compression': 'tiff_lzw'}),
    ('a.bmp', {}),
    ('a.webp', {'lossless': True}),
  ],
)
def test_lossless_kinds_agree(tmp_path, pixels, name, options):
  _save(tmp_path / name, pixels, **options)
  picture = _read(tmp_path / name)
  assert picture.size == (16, 12)
  assert not picture.had_alpha and not picture.had_16_bit
  np.testing.assert_array_equal(picture.pixels, pixels.reshape(12, 16, -1))


@pytest.mark.parametrize('shape', [(), (3,)], ids=['grey', 'colour'])
def test_jpeg_is_close(tmp_path, shape):
  pixels = _smooth(*shape)
  if shape:
    pixels = pixels // np.array([1, 2, 3], np.uint8)
  _save(tmp_path / 'a.jpg', pixels, quality=95)
  got = _read(tmp_path / 'a.jpg').pixels
  want = pixels.reshape(16, 16, -1)
  assert got.shape == want.shape
  assert np.abs(got.astype(int) - want).max() <= 6


@pytest.mark.parametrize('suffix', ['png', 'tif'])
def test_16_bit_grey_is_scaled(tmp_path, suffix):
  wide = GREY.astype(np.uint16) * 257
  wide[0, :2] = 128, 129  # Rounded down, and up.
  path = tmp_path / f'a.{suffix}'
  _save(path, wide)
  picture = _read(path)
  assert picture.had_16_bit and picture.pixels.dtype == np.uint8
  np.testing.assert_array_equal(picture.pixels[1:, :, 0], GREY[1:])
  assert picture.pixels[0, :2, 0].tolist() == [0, 1]
  assert _read(path, colour='rgb').pixels.shape == (12, 16, 3)


def test_alpha_is_dropped(tmp_path):
  for pixels in (GREY[..., None], RGB):
    alpha = RNG.integers(0, 256, (12, 16, 1), np.uint8)
    _save(tmp_path / 'a.png', np.concatenate([pixels, alpha], axis=2))
    picture = _read(tmp_path / 'a.png')
    assert picture.had_alpha
    np.testing.assert_array_equal(picture.pixels, pixels)


def test_palettes_are_looked_up(tmp_path):
  few = RGB // 128 * 100  # Eight colours.
  palette = Image.fromarray(few).quantize(8)
  assert palette.mode == 'P'
  palette.save(tmp_path / 'a.png')
  np.testing.assert_array_equal(_read(tmp_path / 'a.png').pixels, few)


def test_one_bit_pictures(tmp_path):
  _save(tmp_path / 'a.png', GREY > 100)
  want = np.where(GREY > 100, 255, 0)
  np.testing.assert_array_equal(_read(tmp_path / 'a.png').pixels[..., 0], want)


def test_colour(tmp_path):
  _save(tmp_path / 'grey.png', np.repeat(GREY[..., None], 3, axis=2))
  _save(tmp_path / 'colour.png', RGB)
  grey, colour = tmp_path / 'grey.png', tmp_path / 'colour.png'
  np.testing.assert_array_equal(_read(grey).pixels[..., 0], GREY)
  assert _read(grey, colour='rgb').pixels.shape == (12, 16, 3)
  got = _read(colour, colour='grey').pixels
  luma = RGB @ np.array([0.299, 0.587, 0.114])
  assert got.shape == (12, 16, 1)
  assert np.abs(got[..., 0] - luma).max() < 1.01


def test_one_colour_picture_makes_all_rgb(folder, load_pictures):
  _save(folder / 'test/dent/000.png', RGB)
  source = load_pictures(folder)
  assert source.inputs.shape == (8, 12, 16, 3)
  np.testing.assert_array_equal(source.inputs[4], RGB)
  first = GREY + np.uint8(2)
  np.testing.assert_array_equal(source.inputs[0], np.stack([first] * 3, 2))
  assert load_pictures(folder, colour='grey').inputs.shape[-1] == 1


def test_exif_orientation(tmp_path):
  exif = Image.Exif()
  exif[0x0112] = 6  # Turned by 90 degrees, clockwise.
  _save(tmp_path / 'a.png', GREY, exif=exif)
  picture = _read(tmp_path / 'a.png')
  assert picture.size == (12, 16)
  np.testing.assert_array_equal(picture.pixels[..., 0], np.rot90(GREY, -1))


def test_resizing_averages_areas(tmp_path):
  _save(tmp_path / 'a.png', np.kron(GREY[:8, :8], np.ones((4, 4), np.uint8)))
  blocks = _read(tmp_path / 'a.png', side=8).pixels[..., 0]
  np.testing.assert_array_equal(blocks, GREY[:8, :8])
  means = GREY[:8, :8].reshape(4, 2, 4, 2).mean(axis=(1, 3))
  halved = _read(tmp_path / 'a.png', side=4).pixels[..., 0]
  assert np.abs(halved - means).max() <= 1


def test_image_size(folder, load_pictures):
  _save(folder / 'test/dent/000.png', RGB[:, :, 0].repeat(2, 0).repeat(2, 1))
  mask = np.zeros((24, 32), bool)
  mask[12:] = True
  (folder / 'ground_truth/dent/000.bmp').unlink()
  _save(folder / 'ground_truth/dent/000_mask.png', mask)
  source = load_pictures(folder, image_size=6)
  assert source.inputs.shape == (8, 6, 6, 1)
  assert source.masks.shape == (8, 6, 6)
  np.testing.assert_array_equal(source.masks[4, :, 0], [0, 0, 0, 1, 1, 1])
  assert source.notes['pictures_squeezed_to_squares'] == 8
  assert source.notes['anomalies_with_mask'] == 2


@pytest.mark.parametrize(
  ('values', 'suffix'),
  [
    (np.array([[0, 1], [2, 255]], np.uint8), 'png'),
    (np.array([[0, 1], [2, 65535]], np.uint16), 'png'),
    (np.array([[0, 1], [1, 1]], bool), 'tif'),
    (
      np.array([[[0, 0, 0], [0, 0, 9]], [[9, 0, 0], [0, 9, 0]]], np.uint8),
      'bmp',
    ),
  ],
)
def test_masks_are_what_is_not_black(tmp_path, values, suffix):
  _save(tmp_path / f'm.{suffix}', values)
  mask, size = decode_image.read_mask(tmp_path / f'm.{suffix}', 0)
  assert size == (2, 2) and mask.tolist() == [[False, True], [True, True]]


def _refused(load_pictures, root, match, **fields):
  with pytest.raises(errors.UserError, match=match) as caught:
    load_pictures(root, **fields)
  assert '\n' not in str(caught.value)


def test_text_named_png(folder, load_pictures):
  (folder / 'test/dent/000.png').write_text('no picture')
  _refused(load_pictures, folder, r'test/dent/000.png is no picture.*replace')


@pytest.mark.parametrize('suffix', ['jpg', 'png', 'webp', 'tif', 'bmp'])
def test_truncated_pictures(folder, load_pictures, suffix):
  path = folder / f'train/good/5.{suffix}'
  _save(path, RNG.integers(0, 256, (12, 16), np.uint8))
  path.write_bytes(path.read_bytes()[:-60])
  _refused(
    load_pictures, folder, rf'train/good/5.{suffix} (cannot be read|is no)'
  )


def test_empty_picture(folder, load_pictures):
  (folder / 'train/good/5.png').write_bytes(b'')
  _refused(load_pictures, folder, 'train/good/5.png is no picture')


def test_text_as_mask(folder, load_pictures):
  (folder / 'ground_truth/scratch/001_mask.png').write_text('no mask')
  _refused(load_pictures, folder, 'scratch/001_mask.png is no picture')


def test_gif_named_png(folder, load_pictures):
  _save(folder / 'train/good/5.png', GREY, format='GIF')
  _refused(load_pictures, folder, 'train/good/5.png is no picture of a kind')


def test_many_pages(folder, load_pictures):
  page = Image.fromarray(GREY)
  page.save(
    folder / 'train/good/5.tif', save_all=True, append_images=[page, page]
  )
  _refused(load_pictures, folder, '5.tif is no readable picture.*3 pictures')


@pytest.mark.parametrize('kind', [np.int32, np.float32])
def test_pixels_of_32_bits(folder, load_pictures, kind):
  _save(folder / 'train/good/5.tif', GREY.astype(kind))
  _refused(load_pictures, folder, '5.tif has pixels of 32 bits.*save it')


def test_decompression_bomb(folder, load_pictures):
  def chunk(name, content):
    body = name + content
    return struct.pack('>I', len(content)) + body + struct.pack(
      '>I', zlib.crc32(body)
    )  # fmt: skip

  header = struct.pack('>IIBBBBB', 10**5, 10**5, 8, 0, 0, 0, 0)
  (folder / 'train/good/5.png').write_bytes(
    b'\x89PNG\r\n\x1a\n'
    + chunk(b'IHDR', header)
    + chunk(b'IDAT', zlib.compress(b''))
    + chunk(b'IEND', b'')
  )
  _refused(
    load_pictures, folder, '5.png is no readable picture.*decompression bomb'
  )


def test_mixed_sizes(folder, load_pictures):
  _save(folder / 'test/scratch/001.png', GREY[:10])
  _refused(
    load_pictures,
    folder,
    'scratch/001.png is 16x10, but .*train/good/1.png is 16x12.*image_size',
  )
  assert load_pictures(folder, image_size=8).inputs.shape == (8, 8, 8, 1)


@pytest.mark.parametrize('side', [0, 8])
def test_mask_of_another_size(folder, load_pictures, side):
  _save(folder / 'ground_truth/scratch/000_mask.png', GREY[:, :15] > 9)
  _refused(
    load_pictures,
    folder,
    'scratch/000_mask.png is 15x12, but its picture .*000.png is 16x12',
    image_size=side,
  )


@pytest.mark.parametrize('name', ['train/good', 'test/scratch', 'test/good'])
def test_empty_class(folder, load_pictures, name):
  for file in (folder / name).iterdir():
    file.unlink()
  (folder / name / 'notes.txt').write_text('x')
  _refused(load_pictures, folder, f'{name} has no picture.*put some there')


def test_no_folder(tmp_path, load_pictures):
  _refused(
    load_pictures, tmp_path / 'nowhere', 'nowhere is no folder; expected train'
  )
  _refused(load_pictures, tmp_path, 'has no folder train; expected train/good')
  (tmp_path / 'file').write_text('x')
  _refused(load_pictures, tmp_path / 'file', 'file is no folder')


def test_empty_path(data_config):
  config = data_config(name='image_folder', protocol='given')
  with pytest.raises(errors.UserError, match='"data.path" is empty'):
    image_folder.load(config)


def test_train_needs_one_folder(folder, load_pictures):
  _save(folder / 'train/scratch/1.png', GREY)
  _refused(
    load_pictures, folder, 'train has good, scratch, but needs one folder'
  )
  (folder / 'train/scratch/1.png').unlink()  # Empty folders are left out.
  (folder / 'train/good').rename(folder / 'good')
  _refused(load_pictures, folder, 'train has no folder, but needs one')


def test_pictures_directly_in_test(folder, load_pictures):
  (folder / 'test').rename(folder / 'elsewhere')
  _save(folder / 'test/1.png', GREY)
  _refused(load_pictures, folder, 'test has no folder; expected train/good')


def test_real_screws(shared, load_pictures, data_config):
  root = shared / 'data/mvtec/screw'
  if not root.is_dir():
    pytest.skip('no folder shared/data/mvtec/screw with the real pictures')
  start = time.perf_counter()
  source = load_pictures(root)
  assert time.perf_counter() - start < 60  # About 1.2 s when left alone.
  assert source.inputs.shape == (457, 256, 256, 1)
  assert source.is_test.sum() == 137 and (source.labels > 0).sum() == 96
  assert source.has_mask.all()
  anomalous = source.masks.any(axis=(1, 2))
  np.testing.assert_array_equal(anomalous, source.labels > 0)
  assert source.dropped == () and source.notes['duplicate_rows'] == 0
  small = load_pictures(root, image_size=64, max_samples=20)
  assert small.inputs.shape == (20, 64, 64, 1)


def test_masks_in_upper_case_are_found(tmp_path, data_config):
  folder = fakes.pictures(tmp_path / 'pictures')
  for mask in (folder / 'ground_truth').rglob('*.png'):
    mask.rename(mask.with_suffix('.PNG'))
  config = data_config(name='image_folder', protocol='given', path=str(folder))
  source = sources.load(config)
  assert source.has_mask.all() and source.masks.any()


def test_pictures_beside_the_folders_are_warned_of(tmp_path, load_pictures):
  pictures.plain(tmp_path)
  pictures.save(tmp_path / 'train/000.png')
  pictures.save(tmp_path / 'test/000.png')
  (line,) = load_pictures(tmp_path).warnings
  assert line.startswith('2 pictures such as train/000.png are left out')


def test_masks_that_are_missing_are_counted_at_the_top(tmp_path, load_pictures):
  pictures.plain(tmp_path)
  pictures.save(tmp_path / 'ground_truth/crack/first.png', pictures.SQUARE)
  (line,) = load_pictures(tmp_path).warnings
  assert line.startswith(
    '2 of 2 anomalous test pictures have no mask, such as test/crack/000.png;'
    ' 1 files fit no picture, such as ground_truth/crack/first.png; expected'
  )
  pictures.save(tmp_path / 'ground_truth/crack/001.png', pictures.SQUARE)
  assert load_pictures(tmp_path).warnings[0].startswith('1 of 2 anomalous')


def test_pictures_of_other_kinds_are_warned_of(tmp_path, load_pictures):
  pictures.plain(tmp_path)
  pictures.save(tmp_path / 'train/good/9.gif')
  pictures.save(tmp_path / 'test/crack/9.ppm')
  (line,) = load_pictures(tmp_path).warnings
  assert line.startswith('2 pictures such as train/good/9.gif are left out')


def test_the_folder_above_is_named_a_mend(tmp_path, load_pictures):
  pictures.plain(tmp_path / 'bottle')
  with pytest.raises(errors.UserError, match='such as .*/bottle'):
    load_pictures(tmp_path)


def test_depths_that_differ_are_warned_of(tmp_path, load_pictures):
  pictures.twelve_bit_folder(tmp_path)
  pictures.save(tmp_path / 'train/good/9.png', GREY[:6, :5])
  (line,) = load_pictures(tmp_path).warnings
  assert line.startswith('4 of 5 pictures that train have 16 bits')
  for file in (tmp_path / 'train/good').iterdir():
    pictures.save(file, GREY[:6, :5])
  (line,) = load_pictures(tmp_path).warnings
  assert line.startswith('2 test pictures such as test/crack/5.png have 16')


def test_pictures_in_alpha_are_warned_of(tmp_path, load_pictures):
  full = np.dstack([np.zeros_like(RGB), GREY])
  for name in ('train/good/1', 'train/good/2', 'test/good/1', 'test/hole/1'):
    pictures.save(tmp_path / f'{name}.png', full)
  source = load_pictures(tmp_path)
  assert (source.inputs[..., 0] == GREY).all()
  (line,) = source.warnings
  assert line.startswith('4 of 4 pictures such as train/good/1.png have one')
