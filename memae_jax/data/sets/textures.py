"""Generates pictures of textures with planted defects, without any download.

woven       threads that cross, over and under each other
diagonal    stripes of two widths
field       a random field of one scale
noise       each pixel by itself
waves, grating, weave, masonry, wall    the same cell over and over, straight:
            products of waves, a slanted wave, threads, bricks as a camera sees
            them, and bricks whose edges are sharper than a pixel; for pictures
            that stand alone
brick, grass, gravel    windows of the photographs that scikit-image brings
            along (pip install scikit-image); normal pictures that train and
            those that are tested come from different halves

Each picture has a phase, noise, and a slant or periods of its own. Every second
test picture has one defect of five kinds, which its mask shows.
"""

import zlib
from collections.abc import Callable

import numpy as np
import scipy.ndimage

from memae_jax.data import types
from memae_jax.runtime import errors

PHOTOGRAPHS = 'brick', 'grass', 'gravel'
REGULAR = 'waves', 'grating', 'weave', 'masonry', 'wall'
NAMES = ('woven', 'diagonal', 'field', 'noise', *REGULAR, *PHOTOGRAPHS)
TRAIN, TEST = 50, 40  # Pictures.
_SIDE, _LEAST = 128, 48  # Pixels, by default and at least.
_NOISE = 0.02  # Deviation, of a range of 1.
_PARTS = 8  # Of a pixel's side, of which a camera takes the mean.


def load(config) -> types.Source:
  """Generates the pictures, which are the same ones each time.

  Args:
    config: the resolved `config.data`.

  Returns:
    Source of pictures [90, side, side, 1] with labels and masks.

  Raises:
    UserError: the pictures would be too small, or scikit-image is missing.
  """
  side = config.image_size or _SIDE
  if side < _LEAST:
    raise errors.UserError(
      f'data set "textures" cannot draw defects on {side} pixels; set'
      f' data.image_size to {_LEAST} or more'
    )
  draw = _photograph(config.texture, side) or _GENERATED.get(config.texture)
  is_test = np.arange(TRAIN + TEST) >= TRAIN
  pictures, masks, labels = [], [], []
  for number, tested in enumerate(is_test.tolist()):
    rng = np.random.default_rng([number, zlib.crc32(config.texture.encode())])
    picture = draw(rng, side, tested)
    picture += rng.normal(0, _NOISE, picture.shape)
    kind, mask = 0, np.zeros(picture.shape, bool)
    if tested and (number - TRAIN) % 2:
      kind = 1 + (number - TRAIN) // 2 % len(DEFECTS)
      mask = _planted(picture, list(DEFECTS.values())[kind - 1], rng)
    pictures.append(np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8))
    masks.append(mask)
    labels.append(kind)
  return types.Source(
    name='textures',
    inputs=np.stack(pictures)[..., None],
    labels=np.array(labels, np.int32),
    label_names=('good', *DEFECTS),
    normal_labels=(0,),
    is_test=is_test,
    masks=np.stack(masks),
    has_mask=is_test,
    notes={'texture': config.texture},
  )


def _places(rng, side: int) -> tuple[np.ndarray, np.ndarray]:
  """Returns coordinates [side, side] in pixels, moved and turned a little."""
  down, right = np.mgrid[:side, :side].astype(float)
  angle = rng.uniform(-0.05, 0.05)
  bent = scipy.ndimage.gaussian_filter(rng.normal(size=(2, side, side)), 12)
  bent *= 1.0 / bent.std()
  y = np.cos(angle) * down - np.sin(angle) * right + bent[0]
  x = np.sin(angle) * down + np.cos(angle) * right + bent[1]
  return y + rng.uniform(0, 100), x + rng.uniform(0, 100)


def _woven(rng, side: int, tested: bool) -> np.ndarray:
  del tested
  y, x = _places(rng, side)
  thread = 6.0  # Pixels.
  row, column = np.floor(y / thread), np.floor(x / thread)
  over = (row + column) % 2 == 0
  across = np.sin(np.pi * (y / thread - row))
  along = np.sin(np.pi * (x / thread - column))
  bump = 0.5 + 0.5 * np.where(over, along, across)
  return 0.2 + 0.6 * np.where(over, across, along) * bump


def _diagonal(rng, side: int, tested: bool) -> np.ndarray:
  del tested
  y, x = _places(rng, side)
  along = 2 * np.pi * (x + y) / np.sqrt(2)
  return 0.5 + 0.25 * np.sin(along / 9) + 0.1 * np.sin(along / 4.5 + 1)


def _field(rng, side: int, tested: bool) -> np.ndarray:
  del tested
  noise = rng.normal(size=(side, side))
  smooth = lambda sigma: scipy.ndimage.gaussian_filter(
    noise, sigma, mode='wrap'
  )
  band = smooth(1.5) - smooth(4)
  return 0.5 + 0.15 * band / band.std()


def _noise(rng, side: int, tested: bool) -> np.ndarray:
  del tested
  return 0.5 + 0.15 * rng.normal(size=(side, side))


def _straight(rng, side: int):
  """Returns rows, columns, and two periods in pixels."""
  down, right = np.mgrid[:side, :side].astype(float)
  moved = rng.uniform(0, 100, 2)
  return down + moved[0], right + moved[1], rng.uniform(6, 12, 2)


def _waves(rng, side: int, tested: bool) -> np.ndarray:
  del tested
  y, x, (one, other) = _straight(rng, side)
  along = np.sin(2 * np.pi * y / one)
  return 0.5 + 0.2 * along * np.sin(2 * np.pi * x / other) + 0.1 * along


def _grating(rng, side: int, tested: bool) -> np.ndarray:
  del tested
  y, x, (one, other) = _straight(rng, side)
  return 0.5 + 0.3 * np.sin(2 * np.pi * (y / one + x / other))


def _weave(rng, side: int, tested: bool) -> np.ndarray:
  del tested
  y, x, (one, other) = _straight(rng, side)
  over = (y // one + x // other) % 2 == 0
  thread = np.where(over, np.sin(np.pi * x / other), np.sin(np.pi * y / one))
  return 0.25 + 0.5 * np.abs(thread)


def _bricks(y, x, height: float, width: float) -> np.ndarray:
  """Returns bright bricks with dark joints at places, half a brick apart."""
  row = y // height
  joint = (x + row % 2 * width) % (2 * width)
  return 0.7 - 0.4 * ((y - row * height < 1.2) | (joint < 1.2))


def _masonry(rng, side: int, tested: bool) -> np.ndarray:
  del tested
  y, x, size = _straight(rng, side)
  parts = np.arange(_PARTS) / _PARTS
  means = [_bricks(y + a, x + b, *size) for a in parts for b in parts]
  return np.mean(means, axis=0)


def _wall(rng, side: int, tested: bool) -> np.ndarray:
  del tested
  y, x, size = _straight(rng, side)
  return _bricks(y, x, *size)


_GENERATED: dict[str, Callable[..., np.ndarray]] = {
  'woven': _woven,
  'diagonal': _diagonal,
  'field': _field,
  'noise': _noise,
  'waves': _waves,
  'grating': _grating,
  'weave': _weave,
  'masonry': _masonry,
  'wall': _wall,
}


def _photograph(name: str, side: int) -> Callable[..., np.ndarray] | None:
  """Returns what draws windows of a photograph; None of what is generated.

  Raises:
    UserError: scikit-image is missing, or the pictures are too large.
  """
  if name not in PHOTOGRAPHS:
    return None
  try:
    import skimage.data
  except ImportError as error:
    raise errors.UserError(
      f'config field "data.texture" is "{name}", a photograph of scikit-image;'
      ' pip install scikit-image, or use woven, diagonal or field'
    ) from error
  photo = getattr(skimage.data, name)() / 255
  half = photo.shape[1] // 2
  if side > min(half, len(photo)):
    raise errors.UserError(
      f'config field "data.image_size" is {side}, but half of the photograph'
      f' "{name}" is {half} pixels wide; lower it'
    )

  def draw(rng, side, tested):
    top = rng.integers(len(photo) - side + 1)
    left = rng.integers(half - side + 1) + half * tested
    return photo[top : top + side, left : left + side].copy()

  return draw


def _planted(picture: np.ndarray, defect, rng) -> np.ndarray:
  """Changes a picture [H, W] where it gets a defect; returns the mask."""
  side = len(picture)
  down, right = np.mgrid[:side, :side]
  at = rng.uniform(0.25, 0.75, 2) * side
  size = rng.uniform(0.06, 0.12) * side  # Half of the length.
  angle = rng.uniform(0, np.pi)
  along = np.cos(angle) * (down - at[0]) + np.sin(angle) * (right - at[1])
  across = np.cos(angle) * (right - at[1]) - np.sin(angle) * (down - at[0])
  return defect(picture, along / size, across / size, rng)


def _stain(picture, along, across, rng) -> np.ndarray:
  """Darkens an ellipse."""
  mask = along**2 + (1.5 * across) ** 2 < 1
  picture[mask] -= rng.uniform(0.15, 0.3)
  return mask


def _scratch(picture, along, across, rng) -> np.ndarray:
  """Brightens a line of three pixels or so."""
  bend = 0.15 * np.sin(3 * along)
  mask = (np.abs(along) < 1.5) & (np.abs(across - bend) < 0.12)
  picture[mask] += rng.uniform(0.3, 0.5)
  return mask


def _hole(picture, along, across, rng) -> np.ndarray:
  """Replaces a disc by one grey."""
  mask = along**2 + across**2 < 1
  picture[mask] = picture.mean() + rng.uniform(-0.1, 0.1)
  return mask


def _coarse(picture, along, across, rng) -> np.ndarray:
  """Replaces a square by a part of the picture at twice its size."""
  del rng
  mask = np.maximum(np.abs(along), np.abs(across)) < 1
  half = picture[: -(-len(picture) // 2), : -(-len(picture) // 2)]
  picture[mask] = np.kron(half, np.ones((2, 2)))[: len(mask), : len(mask)][mask]
  return mask


def _blurred(picture, along, across, rng) -> np.ndarray:
  """Blurs an ellipse."""
  del rng
  mask = (0.8 * along) ** 2 + across**2 < 1
  picture[mask] = scipy.ndimage.gaussian_filter(picture, 3)[mask]
  return mask


DEFECTS = {
  'stain': _stain,
  'scratch': _scratch,
  'hole': _hole,
  'coarse': _coarse,
  'blurred': _blurred,
}
