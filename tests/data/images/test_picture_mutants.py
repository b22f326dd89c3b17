"""Damaged picture files: refused in one line, or read as Pillow alone does.

A file that was cut or whose header was changed is refused, or has the pixels of
the intact file. JPEG, BMP, TIFF and WebP have no checksums: where pixels
changed, they are those that Pillow decodes.
"""

import io
import os
import warnings

import numpy as np
import pytest
from PIL import Image, ImageOps

from memae_jax.data.images import decode_image, levels
from memae_jax.runtime import errors
from tests.data.images import pictures

MUTANTS = 2000 if os.environ.get('MEMAE_TEST_THOROUGH') == '1' else 150
RGB = np.random.default_rng(0).integers(0, 256, (9, 11, 3), np.uint8)
WIDE = np.random.default_rng(1).integers(0, 4096, (9, 11, 3), np.uint16)


def _encoded(kind, pixels=RGB, **options):
  stream = io.BytesIO()
  Image.fromarray(pixels).save(stream, kind, **options)
  return stream.getvalue()


EXIF = Image.Exif()
EXIF[0x0112] = 6
FILES = {
  'png': _encoded('PNG', exif=EXIF),
  'jpeg': _encoded('JPEG', quality=90, exif=EXIF),
  'tiff': _encoded('TIFF'),
  'tiff lzw': _encoded('TIFF', compression='tiff_lzw'),
  'bmp': _encoded('BMP'),
  'webp': _encoded('WEBP', lossless=True),
  'webp lossy': _encoded('WEBP', quality=90),
  'png 16': pictures.png_of_16_bits(WIDE),
}


def _cut(rng, content):
  return content[: rng.integers(0, len(content))]


def _flipped(rng, content):
  out = bytearray(content)
  for _ in range(rng.integers(1, 4)):
    out[rng.integers(len(out))] ^= 1 << rng.integers(8)
  return bytes(out)


def _header(rng, content):
  out = bytearray(content)
  out[rng.integers(min(64, len(out)))] = rng.integers(256)
  return bytes(out)


def _without_a_part(rng, content):
  start = rng.integers(len(content))
  return content[:start] + content[start + rng.integers(1, 40) :]


def _with_zeros(rng, content):
  start = rng.integers(len(content))
  return content[:start] + bytes(20) + content[start + 20 :]


CHANGES = (_cut, _flipped, _header, _without_a_part, _with_zeros)


def _by_pillow(content):
  """Returns the colours, upright, as Pillow alone has them."""
  with Image.open(io.BytesIO(content)) as image:
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ('1', 'L', 'LA', 'I;16', 'I;16B'):
      return None  # The change turned it into a picture of another kind.
    return np.asarray(upright.convert('RGB'))


@pytest.mark.parametrize('name', FILES)
def test_mutants(tmp_path, name):
  intact = FILES[name]
  options = {'levels': levels.Levels(0, 4095)} if name == 'png 16' else {}
  read = lambda path: decode_image.read(path, 0, 'rgb', **options).pixels
  path = tmp_path / 'a.png'
  path.write_bytes(intact)
  original = read(path)
  rng = np.random.default_rng(len(name))
  refused = 0
  for i in range(MUTANTS):
    change = CHANGES[i % len(CHANGES)]
    content = change(rng, intact)
    path.write_bytes(content)
    with warnings.catch_warnings():
      warnings.simplefilter('ignore')
      try:
        got = read(path)
      except errors.UserError as error:
        assert str(error).startswith(f'{path} ') and '\n' not in str(error)
        refused += 1
        continue
      if np.array_equal(got, original):
        continue
      assert change is not _cut, len(content)
      assert not name.startswith('png'), 'PNG has checksums'
      want = _by_pillow(content)
      assert want is None or np.array_equal(got, want)
  assert refused > MUTANTS / 10
