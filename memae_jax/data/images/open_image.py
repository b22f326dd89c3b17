"""Opens picture files by Pillow, and what Pillow alone would lose of them."""

import io
import logging
import pathlib
import sys
import warnings
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from memae_jax.runtime import errors, foreign

SUFFIXES = (
  '.png',
  '.jpg',
  '.jpeg',
  '.jpe',
  '.jfif',
  '.tif',
  '.tiff',
  '.bmp',
  '.webp',
)
GREY_16_BIT = ('I;16', 'I;16L', 'I;16B')  # Pillow's modes.
_FORMATS = ('PNG', 'JPEG', 'TIFF', 'BMP', 'WEBP')
_WITH_ALPHA = ('LA', 'PA', 'P', 'RGBA', 'RGBa')
_ORIENTATION = 0x0112  # The EXIF tag.
_OTHER_ORDER = {
  'B': 'L',
  'L': 'B',
  'N': 'B' if sys.byteorder == 'little' else 'L',
}

# Of twice that size it raises, and between it would warn on stderr.
warnings.simplefilter('ignore', Image.DecompressionBombWarning)
# It logs what it raises as well; without a handler that goes to stderr.
logging.getLogger('PIL').addHandler(logging.NullHandler())


def identified(path: pathlib.Path, file: Any) -> Image.Image:
  """Returns a picture of which only the header was read.

  Args:
    path: for messages.
    file: the same, or a stream of its bytes.

  Raises:
    UserError: it is of no known kind.
  """
  try:
    return Image.open(file, formats=_FORMATS)
  except Image.UnidentifiedImageError as error:
    raise errors.UserError(
      f'{foreign.name_of(path)} is no picture of a kind {", ".join(SUFFIXES)};'
      ' replace or remove it'
    ) from error


def opened(path: pathlib.Path, content: bytes) -> Image.Image:
  """Returns a picture that is not decoded yet, the one of its file."""
  image = identified(path, io.BytesIO(content))
  if image.format == 'PNG':  # Its checksums, which decoding passes over.
    identified(path, io.BytesIO(content)).verify()
  frames = getattr(image, 'n_frames', 1)
  if frames > 1 and image.format != 'MPO':  # A phone's JPEG, plus preview.
    raise ValueError(f'it holds {frames} pictures')
  # Pillow leaves black what no part of a TIFF covers.
  extents = [tile.extents for tile in getattr(image, 'tile', ())]
  if extents and all(extents):
    covered = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in extents)
    if covered < image.width * image.height:
      raise ValueError('its parts cover less than its size')
  return image


def lone_alpha(image: Image.Image) -> Image.Image | None:
  """The alpha channel, if all that can be seen is in it."""
  if image.mode not in _WITH_ALPHA or not image.has_transparency_data:
    return None
  rgba = image.convert('RGBA')
  *colours, alpha = rgba.getextrema()
  if any(low < high for low, high in colours) or alpha[0] == alpha[1]:
    return None
  return rgba.getchannel('A')


def _raw_mode(tile) -> str:
  """How Pillow calls the values of a part of a file, such as 'RGB;16B'."""
  return tile.args if isinstance(tile.args, str) else str(tile.args[0])


def has_16_bits(image: Image.Image) -> bool:
  """Of a picture that is not decoded yet; WebP has no such tiles."""
  tiles = [tile for tile in getattr(image, 'tile', ()) if tile.args]
  return image.mode in GREY_16_BIT or any(';16' in _raw_mode(t) for t in tiles)


def wide(path, content) -> np.ndarray | None:
  """Returns values [H, W, 1 or 3] uint16, upright; None of CMYK.

  Pillow decodes the upper bytes of colours only. Told that the bytes come in
  the other order, it decodes the lower ones.
  """
  first = opened(path, content)
  if first.mode in GREY_16_BIT:
    return np.asarray(ImageOps.exif_transpose(first)).astype(np.uint16)[
      ..., None
    ]
  if first.mode not in ('RGB', 'RGBA'):
    return None
  second, tiles = opened(path, content), []
  grey = False
  for tile in first.tile:
    mode = _raw_mode(tile)
    grey = mode.startswith('LA;16')
    other = 'RGBA' if grey else mode[:-1] + _OTHER_ORDER[mode[-1]]
    args = other if isinstance(tile.args, str) else (other, *tile.args[1:])
    tiles.append(tile._replace(args=args))
  second.tile = tiles
  upper, lower = (
    np.asarray(ImageOps.exif_transpose(image)).astype(np.uint16)
    for image in (first, second)
  )
  if grey:  # All four bytes: of grey, then of alpha.
    return (lower[..., 0] * 256 + lower[..., 1])[..., None]
  return (upper * 256 + lower)[..., :3]


def orientation(image: Image.Image) -> int:
  """EXIF's; of PNG, this decodes the picture."""
  found = image.getexif().get(_ORIENTATION, 1)
  return found if found in range(1, 9) else 1
