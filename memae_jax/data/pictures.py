"""Decodes picture files and masks to arrays, all of one size."""

import io
import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from memae_jax import errors
from memae_jax.data import listing

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


def files(folder: pathlib.Path) -> tuple[pathlib.Path, ...]:
  """Returns the picture files in a folder, in natural order."""
  found = listing.files(folder)
  return tuple(file for file in found if file.suffix.lower() in SUFFIXES)


# Pixels squared, or (width, height); 0: as it is.
Size = int | tuple[int, int]


def read(
  path: pathlib.Path,
  size: Size,
  colour: str,
  resample: Image.Resampling = Image.Resampling.BOX,
  content: bytes | None = None,
) -> Picture:
  """Reads a picture.

  An alpha channel is dropped. 16-bit grey is scaled from 0..65535 to 0..255;
  of 16-bit colour, Pillow takes the upper 8.

  Args:
    path: of the file, of any kind in `SUFFIXES`.
    size: what it is resized to.
    colour: 'rgb', 'grey', or 'auto': grey if no pixel has a colour.
    resample: how; BOX: each pixel is the average of the area that it covers.
    content: of the file; None: it is read.

  Raises:
    UserError: it cannot be read, or holds no 8 or 16-bit picture.
  """
  image = _open(path, content)
  before, mode, had_alpha = image.size, image.mode, image.has_transparency_data
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
  pixels = fit(image, size, colour, resample)
  return Picture(pixels, before, had_alpha, mode in _16_BIT)


def fit(
  image: Image.Image, size: Size, colour: str, resample: Image.Resampling
) -> np.ndarray:
  """Returns pixels [H, W, 1 or 3] uint8 of a picture of mode L or RGB.

  Args:
    image: what is resized.
    size: see `read`.
    colour: see `read`.
    resample: see `read`.
  """
  grey = image.mode == 'L'
  if colour == 'auto' and not grey and _is_grey(image):
    image = image.getchannel(0)
  elif colour != 'auto':
    image = image.convert('L' if colour == 'grey' else 'RGB')
  if size:
    image = image.resize(_sides(size), resample)
  pixels = np.asarray(image)
  return pixels.reshape(*pixels.shape[:2], -1)


def read_mask(
  path: pathlib.Path, size: Size
) -> tuple[np.ndarray, tuple[int, int]]:
  """Reads a mask: whatever is not black is anomalous.

  Args:
    path: of the file.
    size: what it is resized to, by the nearest pixel.

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
  return fit_mask(mask, size), image.size


def fit_mask(mask: np.ndarray, size: Size) -> np.ndarray:
  """Returns a mask [H, W] bool resized by the nearest pixel, see `read`."""
  if not size:
    return mask
  resized = Image.fromarray(mask.astype(np.uint8)).resize(
    _sides(size), Image.Resampling.NEAREST
  )
  return np.asarray(resized) != 0


def _sides(size: Size) -> tuple[int, int]:
  return (size, size) if isinstance(size, int) else size


def _is_grey(image: Image.Image) -> bool:
  pixels = np.asarray(image)
  return bool((pixels == pixels[..., :1]).all())


def _open(path: pathlib.Path, content: bytes | None = None) -> Image.Image:
  """Returns the decoded picture, turned as its EXIF orientation says."""
  try:
    file = path if content is None else io.BytesIO(content)
    with Image.open(file, formats=_FORMATS) as image:
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
