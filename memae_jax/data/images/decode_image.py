"""Decodes picture files and masks to arrays, all of one size.

Files may hold more than 8 bits of grey or colour. There is one rule for each:

EXIF            turns the picture upright
alpha           is dropped; where all pixels have one colour, the alpha channel
                is the picture
10 to 16 bits   become 8, by `levels`; 32 bits are refused
CMYK, palettes  become RGB
1 bit           black is 0, white is 255
several pages   and animations are refused
"""

import pathlib
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from memae_jax.data import listing
from memae_jax.data.images import levels as levels_lib
from memae_jax.data.images import open_image
from memae_jax.runtime import errors, foreign

SUFFIXES = open_image.SUFFIXES
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)
_NOISE = 16  # Pixels that were black are below it after JPEG.


class Picture(NamedTuple):
  """One picture, upright.

  pixels: [H, W, 1] or [H, W, 3] uint8.
  size: (width, height) before any resizing.
  had_alpha: True if the file has an alpha channel, which was dropped.
  had_16_bit: True if the file has 16 bits, of which 8 are left.
  from_alpha: True if the pixels are the file's alpha channel.
  clipped: True if some values lie outside the levels.
  orientation: orientation in the EXIF data, 1 to 8, by which the picture was
    turned; 1 means not at all.
  """

  pixels: np.ndarray
  size: tuple[int, int]
  had_alpha: bool
  had_16_bit: bool
  from_alpha: bool = False
  clipped: bool = False
  orientation: int = 1


class Mask(NamedTuple):
  """One mask, upright.

  marked: [H, W] bool, True where a pixel is anomalous.
  orientation: see `Picture`.
  lossy: True if it was stored as JPEG or lossy WebP.
  """

  marked: np.ndarray
  orientation: int
  lossy: bool


def files(folder: pathlib.Path) -> tuple[pathlib.Path, ...]:
  """Returns the picture files in a folder, at any depth, in natural order."""
  entries = listing.files(folder)
  return tuple(file for file in entries if file.suffix.lower() in SUFFIXES)


# Side of a square, or (width, height), in pixels; 0: no resizing.
Size = int | tuple[int, int]


def read(
  path: pathlib.Path,
  size: Size,
  colour: str,
  resample: Image.Resampling = Image.Resampling.BOX,
  content: bytes | None = None,
  levels: levels_lib.Levels = levels_lib.FULL,
) -> Picture:
  """Reads a picture.

  Args:
    path: path of the file.
    size: size of the pixels to return.
    colour: 'rgb', 'grey', or 'auto', which is grey if no pixel has a colour.
    resample: filter for resizing; with BOX each pixel is the average of the
      area that it covers.
    content: bytes of the file; None: they are read from `path`.
    levels: values of a 16-bit picture that become 0 and 255.

  Raises:
    UserError: the file cannot be read, or holds no picture of 8 or 16 bits.
  """
  with foreign.reading(path, 'picture'):
    content = foreign.content(path) if content is None else content
    image = open_image.opened(path, content)
    had_16_bit = open_image.has_16_bits(image)
    orientation = open_image.orientation(image)
    if image.mode in ('I', 'F'):
      raise errors.UserError(
        f'{foreign.name_of(path)} has pixels of 32 bits, whose range is'
        ' unknown; save it with 8 or 16 bits'
      )
    had_alpha = image.has_transparency_data
    image = ImageOps.exif_transpose(image)
    alpha, clipped = open_image.lone_alpha(image), False
    wide = None
    if had_16_bit and levels != levels_lib.FULL and alpha is None:
      wide = open_image.wide(path, content)
    if wide is None:
      pixels = fit(alpha or _of_8_bits(image), size, colour, resample)
    else:
      clipped = bool(wide.min() < levels.low or wide.max() > levels.high)
      pixels = _fit_wide(wide, size, colour, resample, levels)
    return Picture(
      pixels=pixels,
      size=image.size,
      had_alpha=had_alpha and alpha is None,
      had_16_bit=had_16_bit,
      from_alpha=alpha is not None,
      clipped=clipped,
      orientation=orientation,
    )


def values_of_16_bits(path: pathlib.Path) -> np.ndarray | None:
  """Returns the values [H, W, 1 or 3] uint16 of a picture of 16 bits.

  Returns None for a picture of 8 bits, and for CMYK.

  Raises:
    UserError: the file cannot be read.
  """
  with foreign.reading(path, 'picture'):
    with open_image.identified(path, path) as image:
      if not open_image.has_16_bits(image):
        return None
    return open_image.wide(path, foreign.content(path))


def _of_8_bits(image: Image.Image) -> Image.Image:
  """Returns the picture with 8 bits, in mode L or RGB."""
  if image.mode in open_image.GREY_16_BIT:
    wide = np.asarray(image)
    return Image.fromarray(levels_lib.quantised(wide, levels_lib.FULL))
  return image.convert('L' if image.mode in ('1', 'L', 'LA', 'La') else 'RGB')


def fit(
  image: Image.Image, size: Size, colour: str, resample: Image.Resampling
) -> np.ndarray:
  """Returns the pixels of a picture, resized, [H, W, 1 or 3] uint8.

  Args:
    image: picture of mode L or RGB.
    size: see `read`.
    colour: see `read`.
    resample: see `read`.
  """
  grey = image.mode == 'L'
  if colour == 'auto' and not grey and _is_grey(np.asarray(image)):
    image = image.getchannel(0)
  elif colour != 'auto':
    image = image.convert('L' if colour == 'grey' else 'RGB')
  if size:
    image = image.resize(_sides(size), resample)
  pixels = np.asarray(image)
  return pixels.reshape(*pixels.shape[:2], -1)


def _fit_wide(wide, size, colour, resample, levels) -> np.ndarray:
  """Does what `fit` does for values [H, W, 1 or 3] uint16; rounds only once."""
  if colour == 'auto' and _is_grey(wide):
    wide = wide[..., :1]
  elif colour == 'grey' and wide.shape[2] == 3:
    wide = (wide @ _LUMA)[..., None]
  elif colour == 'rgb':
    wide = np.broadcast_to(wide, (*wide.shape[:2], 3))
  wide = wide.astype(np.float32)
  if size:
    channels = (Image.fromarray(wide[..., i]) for i in range(wide.shape[2]))
    resized = [c.resize(_sides(size), resample) for c in channels]
    wide = np.stack([np.asarray(channel) for channel in resized], axis=2)
  return levels_lib.quantised(wide, levels)


def read_mask(
  path: pathlib.Path, size: Size
) -> tuple[np.ndarray, tuple[int, int]]:
  """Reads a mask as `mask` does, and resizes it.

  Args:
    path: path of the file.
    size: size to which the mask is resized, by the nearest pixel.

  Returns:
    [H, W] bool, True where a pixel is anomalous; and (width, height) before any
    resizing.

  Raises:
    UserError: the file cannot be read, or is lossy and has no bright half.
  """
  marked = mask(path).marked
  return fit_mask(marked, size), marked.shape[::-1]


def mask(path: pathlib.Path) -> Mask:
  """Reads a mask: pixels that are not black are anomalous.

  JPEG and lossy WebP blur black and white, so there the pixels above 127 are
  anomalous.

  Raises:
    UserError: the file cannot be read, or is lossy and all its pixels are grey
      or black.
  """
  with foreign.reading(path, 'mask'):
    content = foreign.content(path)
    image = open_image.opened(path, content)
    orientation = open_image.orientation(image)
    lossy = image.format in ('JPEG', 'MPO') or (
      image.format == 'WEBP' and b'VP8L' not in content[:64]
    )
    values = _brightness(image)
    if not lossy:
      return Mask(values != 0, orientation, lossy)
    if _NOISE < values.max() < 128:
      raise errors.UserError(
        f'{foreign.name_of(path)} is a mask whose brightest value is'
        f' {values.max()} of 255, in a format that changes values; save it as'
        ' PNG'
      )
    return Mask(values > 127, orientation, lossy)


def is_black_and_white(path: pathlib.Path) -> bool:
  """Returns whether a picture has at most two values, as masks have.

  Raises:
    UserError: the file cannot be read.
  """
  with foreign.reading(path, 'picture'):
    content = foreign.content(path)
    image = open_image.opened(path, content)
    values = _brightness(image)
    if image.format in ('JPEG', 'MPO', 'WEBP'):  # They blur edges.
      distance = np.minimum(values, 255 - values.astype(int))
      return bool((distance <= 2 * _NOISE).mean() > 0.95)
    return len(np.unique(values)) <= 2


def _brightness(image: Image.Image) -> np.ndarray:
  """Returns the brightest channel of each pixel, [H, W]; upright."""
  image = ImageOps.exif_transpose(image)
  image = open_image.lone_alpha(image) or image
  if image.mode not in ('1', 'L', 'I', 'F', *open_image.GREY_16_BIT):
    image = image.convert('RGB')  # Looks up palettes, and drops alpha.
  values = np.asarray(image)
  return values.max(axis=2) if values.ndim == 3 else values


def fit_mask(mask: np.ndarray, size: Size) -> np.ndarray:
  """Returns a mask [H, W] bool, resized to `size` by the nearest pixel."""
  if not size:
    return mask
  resized = Image.fromarray(mask.astype(np.uint8)).resize(
    _sides(size), Image.Resampling.NEAREST
  )
  return np.asarray(resized) != 0


def turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
  """Returns pixels [H, W] turned upright, as an orientation of EXIF says."""
  return {
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: np.transpose,
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x.T, 2),
    8: np.rot90,
  }.get(orientation, np.asarray)(pixels)


def _sides(size: Size) -> tuple[int, int]:
  return (size, size) if isinstance(size, int) else size


def _is_grey(pixels: np.ndarray) -> bool:
  return bool((pixels == pixels[..., :1]).all())
