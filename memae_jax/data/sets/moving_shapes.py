"""Generated videos of a walkway, to try videos without any download.

People are upright blobs that walk and sway. In each test video a cyclist (much
faster than people) or a cart (large and angular) passes, and labels and masks
say when and where.
"""

import zlib
from typing import NamedTuple

import numpy as np

from memae_jax.data import types
from memae_jax.data.videos import clips
from memae_jax.runtime import errors

TRAIN, TEST = 8, 6  # Videos.
LENGTH = 80  # Frames of each.
_SIDE = 64  # Pixels, where `config.image_size` does not say.
_PEOPLE = 5
_PAUSE = 16  # At least so many normal frames at either end of a test video.


class _Shape(NamedTuple):
  """Something that moves; lengths in heights of the picture.

  x, y: centre at time 0. speed: along x, in a frame. height, width: of it.
  """

  x: float
  y: float
  speed: float
  height: float
  width: float
  sway: float
  phase: float
  shade: float
  square: bool


def load(config) -> types.Source:
  """Generates the videos: the same ones each time.

  Returns:
    Source of clips [S, T, H, W, 1] uint8 with labels and masks.

  Raises:
    UserError: the frames asked for are too small to show anything.
  """
  height = config.image_size or _SIDE
  width = config.image_width or height
  if min(height, width) < 16:
    raise errors.UserError(
      f'data set "moving_shapes" cannot draw on {width}x{height} pixels; set'
      ' data.image_size to 16 or more'
    )
  frames, masks, videos = [], [np.zeros((1, height, width), bool)], []
  for number in range(TRAIN + TEST):
    is_test = number >= TRAIN
    made, mask = video(number, height, width, with_anomaly=is_test)
    frames.append(made)
    if is_test:
      videos.append(
        clips.Video(
          f'test_{number - TRAIN + 1:02d}',
          LENGTH,
          is_test,
          mask.any(axis=(1, 2)),
          sum(len(part) for part in masks),
        )
      )
      masks.append(mask)
    else:
      videos.append(clips.Video(f'train_{number + 1:02d}', LENGTH, is_test))
  return clips.source(
    'moving_shapes',
    np.concatenate(frames),
    videos,
    config,
    masks=np.concatenate(masks),
    notes={'labels': 'masks'},
  )


def video(
  seed: int, height: int, width: int, with_anomaly: bool
) -> tuple[np.ndarray, np.ndarray]:
  """Generates a video: a pure function of its arguments.

  Args:
    seed: of its shapes and noise.
    height: of a frame, in pixels.
    width: of a frame.
    with_anomaly: let something pass that does not belong.

  Returns:
    frames [LENGTH, height, width, 1] uint8 and the masks of the anomaly
    [LENGTH, height, width] bool.
  """
  rng = np.random.default_rng([seed, zlib.crc32(b'moving_shapes')])
  aspect = width / height
  y, x = np.meshgrid(
    (np.arange(height) + 0.5) / height,
    (np.arange(width) + 0.5) / height,
    indexing='ij',
  )
  floor = 0.6 + 0.15 * y + 0.04 * np.sin(9 * x + 4 * y)
  frames = np.tile(floor, (LENGTH, 1, 1))
  masks = np.zeros(frames.shape, bool)
  for _ in range(_PEOPLE):
    _draw(frames, _person(rng, aspect), x, y, aspect)
  if with_anomaly:
    anomaly, first, last = _anomaly(rng, aspect)
    masks[first:last] = _draw(
      frames[first:last], anomaly, x, y, aspect, wraps=False
    )
  frames += rng.normal(0, 0.01, frames.shape)
  pixels = np.round(np.clip(frames, 0, 1) * 255).astype(np.uint8)
  return pixels[..., None], masks


def _person(rng, aspect) -> _Shape:
  height = rng.uniform(0.2, 0.26)
  return _Shape(
    x=rng.uniform(0, aspect),
    y=rng.uniform(0.2, 0.85),
    speed=rng.choice([-1, 1]) * rng.uniform(0.005, 0.011),
    height=height,
    width=0.4 * height,
    sway=rng.uniform(0.003, 0.008),
    phase=rng.uniform(0, 2 * np.pi),
    shade=rng.uniform(0.1, 0.35),
    square=False,
  )


def _anomaly(rng, aspect) -> tuple[_Shape, int, int]:
  """Returns what passes, and its first frame and the one after its last."""
  cart = rng.random() < 0.5
  height, width = (0.34, 0.42) if cart else (0.24, 0.12)
  frames = 48 if cart else 27  # From one edge to the other.
  way = rng.choice([-1, 1])
  first = int(rng.integers(_PAUSE, LENGTH - _PAUSE - frames + 1))
  start = -width / 2 if way > 0 else aspect + width / 2
  shape = _Shape(
    x=start,
    y=rng.uniform(0.35, 0.75),
    speed=way * (aspect + width) / frames,
    height=height,
    width=width,
    sway=0.0,
    phase=0.0,
    shade=0.95 if cart else 0.15,
    square=cart,
  )
  return shape, first, first + frames


def _draw(frames, shape, x, y, aspect, wraps=True) -> np.ndarray:
  """Draws onto frames [n, H, W]; returns where, of the same shape.

  With `wraps`, who leaves at one edge comes back at the other.
  """
  time = np.arange(len(frames))[:, None, None]
  centre = shape.x + shape.speed * time
  if wraps:
    around = aspect + shape.width
    centre = (centre + shape.width / 2) % around - shape.width / 2
  bob = shape.sway * np.sin(0.8 * time + shape.phase)
  across = np.abs(x - centre) / (shape.width / 2)
  along = np.abs(y - shape.y - bob) / (shape.height / 2)
  reach = np.maximum(across, along) if shape.square else across**2 + along**2
  inside = reach <= 1
  np.copyto(frames, shape.shade, where=inside)
  return inside
