"""Opens picture files by Pillow; reads what Pillow alone would lose of them."""

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

# Pillow warns of large pictures on stderr, and raises for twice that size.
warnings.simplefilter('ignore', Image.DecompressionBombWarning)
# Pillow also logs the errors that it raises; without a handler the log goes to
# stderr.
logging.getLogger('PIL').addHandler(logging.NullHandler())


def identified(path: pathlib.Path, file: Any) -> Image.Image:
  """Returns a picture of which only the header was read.

  Args:
    path: path of the file, for messages.
    file: the path, or a stream of the file's bytes.

  Raises:
    UserError: the file is no picture of a known kind.
  """
  try:
    return Image.open(file, formats=_FORMATS)
  except Image.UnidentifiedImageError as error:
    raise errors.UserError(
      f'{foreign.name_of(path)} is no picture of a kind {", ".join(SUFFIXES)};'
      ' replace or remove it'
    ) from error


def opened(path: pathlib.Path, content: bytes) -> Image.Image:
  """Returns the picture of a file; it is not decoded yet.

  Args:
    path: path of the file, for messages.
    content: bytes of the file.

  Raises:
    UserError: the file is no picture of a known kind.
    ValueError: the file holds several pictures, or only parts of one.
  """
  image = identified(path, io.BytesIO(content))
  if image.format == 'PNG':  # Decoding does not look at the checksums.
    identified(path, io.BytesIO(content)).verify()
  frames = getattr(image, 'n_frames', 1)
  if frames > 1 and image.format != 'MPO':  # MPO: a phone's JPEG and a preview.
    raise ValueError(f'it holds {frames} pictures')
  # Pillow leaves pixels black that no part of a TIFF covers.
  extents = [tile.extents for tile in getattr(image, 'tile', ())]
  if extents and all(extents):
    covered = sum((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in extents)
    if covered < image.width * image.height:
      raise ValueError('its parts cover less than its size')
  return image


def lone_alpha(image: Image.Image) -> Image.Image | None:
  """Returns the alpha channel if it alone varies, else None."""
  if image.mode not in _WITH_ALPHA or not image.has_transparency_data:
    return None
  rgba = image.convert('RGBA')
  *colours, alpha = rgba.getextrema()
  if any(low < high for low, high in colours) or alpha[0] == alpha[1]:
    return None
  return rgba.getchannel('A')


def _raw_mode(tile) -> str:
  """Returns Pillow's name for the values of a tile, such as 'RGB;16B'."""
  return tile.args if isinstance(tile.args, str) else str(tile.args[0])


def has_16_bits(image: Image.Image) -> bool:
  """Returns whether a picture, not decoded yet, has 16 bits.

  WebP never has, and Pillow gives it no tiles to ask.
  """
  tiles = [tile for tile in getattr(image, 'tile', ()) if tile.args]
  return image.mode in GREY_16_BIT or any(';16' in _raw_mode(t) for t in tiles)


def wide(path, content) -> np.ndarray | None:
  """Returns the values of a picture of 16 bits, upright.

  Pillow decodes only the upper bytes of colours. When told that the bytes come
  in the other order, it decodes the lower ones.

  Args:
    path: path of the file, for messages.
    content: bytes of the file.

  Returns:
    [H, W, 1 or 3] uint16; None for CMYK.
  """
  upper_image = opened(path, content)
  if upper_image.mode in GREY_16_BIT:
    return np.asarray(ImageOps.exif_transpose(upper_image)).astype(np.uint16)[
      ..., None
    ]
  if upper_image.mode not in ('RGB', 'RGBA'):
    return None
  lower_image, tiles = opened(path, content), []
  grey = False
  for tile in upper_image.tile:
    mode = _raw_mode(tile)
    grey = mode.startswith('LA;16')
    swapped = 'RGBA' if grey else mode[:-1] + _OTHER_ORDER[mode[-1]]
    args = swapped if isinstance(tile.args, str) else (swapped, *tile.args[1:])
    tiles.append(tile._replace(args=args))
  lower_image.tile = tiles
  upper, lower = (
    np.asarray(ImageOps.exif_transpose(image)).astype(np.uint16)
    for image in (upper_image, lower_image)
  )
  if grey:  # Two bytes of grey, then two of alpha.
    return (lower[..., 0] * 256 + lower[..., 1])[..., None]
  return (upper * 256 + lower)[..., :3]


def orientation(image: Image.Image) -> int:
  """Returns the orientation in EXIF data, 1 to 8; this decodes a PNG."""
  value = image.getexif().get(_ORIENTATION, 1)
  return value if value in range(1, 9) else 1
