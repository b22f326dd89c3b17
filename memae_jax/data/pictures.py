"""Decodes picture files and masks to arrays, all of one size."""

import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from memae_jax import errors

SUFFIXES = ('.png', '.jpg', '.jpeg', '.tif', '.tiff', '.bmp', '.webp')
_16_BIT = ('I;16', 'I;16L', 'I;16B')  # Pillow's modes of grey pictures.
_FORMATS = ('PNG', 'JPEG', 'TIFF', 'BMP', 'WEBP')


class Picture(NamedTuple):
  """One picture, upright.

  pixels: [H, W, 1] or [H, W, 3] uint8.
  size: (width, height) before any resizing.
  had_alpha, had_16_bit: what was dropped from the file.
  """

  pixels: np.ndarray
  size: tuple[int, int]
  had_alpha: bool
  had_16_bit: bool


def read(path: pathlib.Path, side: int, colour: str) -> Picture:
  """Reads a picture.

  An alpha channel is dropped. 16-bit grey is scaled from 0..65535 to 0..255;
  of 16-bit colour, Pillow takes the upper 8.

  Args:
    path: of the file, of any kind in `SUFFIXES`.
    side: resized to this many pixels squared, each the average of the area
      that it covers (Pillow's BOX filter); 0: as it is.
    colour: 'rgb', 'grey', or 'auto': grey if no pixel has a colour.

  Raises:
    UserError: it cannot be read, or holds no 8 or 16-bit picture.
  """
  image = _open(path)
  size, mode, had_alpha = image.size, image.mode, image.has_transparency_data
  if mode in ('I', 'F'):
    raise errors.UserError(
      f'{path} has pixels of 32 bits, whose range is not known; save it with 8'
      ' or 16 bits'
    )
  if mode in _16_BIT:
    wide = np.asarray(image).astype(np.float32)
    image = Image.fromarray(np.round(wide / 257).astype(np.uint8))
  grey = mode in ('1', 'L', 'LA', 'La', *_16_BIT)
  image = image.convert('L' if grey else 'RGB')
  if colour == 'auto' and not grey and _is_grey(image):
    image = image.getchannel(0)
  elif colour != 'auto':
    image = image.convert('L' if colour == 'grey' else 'RGB')
  if side:
    image = image.resize((side, side), Image.Resampling.BOX)
  pixels = np.asarray(image)
  pixels = pixels.reshape(*pixels.shape[:2], -1)
  return Picture(pixels, size, had_alpha, mode in _16_BIT)


def read_mask(
  path: pathlib.Path, side: int
) -> tuple[np.ndarray, tuple[int, int]]:
  """Reads a mask: whatever is not black is anomalous.

  Args:
    path: of the file.
    side: resized to this many pixels squared, by the nearest pixel; 0: as it
      is.

  Returns:
    [H, W] bool, and (width, height) before any resizing.

  Raises:
    UserError: it cannot be read.
  """
  image = _open(path)
  if image.mode not in ('1', 'L', 'I', 'F', *_16_BIT):
    image = image.convert('RGB')  # Palettes; without an alpha channel.
  values = np.asarray(image) != 0
  mask = values.any(axis=2) if values.ndim == 3 else values
  if side:
    resized = Image.fromarray(mask.astype(np.uint8)).resize(
      (side, side), Image.Resampling.NEAREST
    )
    mask = np.asarray(resized) != 0
  return mask, image.size


def _is_grey(image: Image.Image) -> bool:
  pixels = np.asarray(image)
  return bool((pixels == pixels[..., :1]).all())


def _open(path: pathlib.Path) -> Image.Image:
  """Returns the decoded picture, turned as its EXIF orientation says."""
  try:
    with Image.open(path, formats=_FORMATS) as image:
      frames = getattr(image, 'n_frames', 1)
      if frames > 1 and image.format != 'MPO':  # A phone's JPEG, plus preview.
        raise ValueError(f'it holds {frames} pictures')
      return ImageOps.exif_transpose(image)
  except Image.UnidentifiedImageError as error:
    raise errors.UserError(
      f'{path} is no picture of a kind {", ".join(SUFFIXES)}; replace or remove'
      ' it'
    ) from error
  except Exception as error:  # Pillow raises many kinds on damaged files.
    reason = ' '.join(str(error).split())[:200]
    raise errors.UserError(
      f'{path} cannot be read as a picture ({reason}); replace or remove it'
    ) from error
