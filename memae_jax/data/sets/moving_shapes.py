"""Generates videos of a walkway, to try videos without any download.

People are upright blobs that walk and sway. In each test video a cyclist (much
faster than people) or a cart (large and angular) passes; labels and masks say
when and where.
"""

import zlib
from typing import NamedTuple

import numpy as np

from memae_jax.data import types
from memae_jax.data.videos import clips, motion, views
from memae_jax.runtime import errors

TRAIN, TEST = 8, 6  # Videos.
LENGTH = 80  # Frames per video.
_SIDE = 64  # Pixels, if `config.image_size` is 0.
_PEOPLE = 5  # Per video.
_PAUSE = 16  # Least number of normal frames at either end of a test video.


class _Shape(NamedTuple):
  """A shape that moves; lengths are in heights of the picture.

  x, y: centre in frame 0.
  speed: movement along x per frame.
  height, width: of the shape.
  sway: how far it moves up and down.
  phase: of that movement in frame 0, in radians.
  shade: brightness, from 0 to 1.
  square: whether it is a rectangle; else it is an ellipse.
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
  """Generates the videos, which are the same ones each time.

  Args:
    config: the resolved `config.data`.

  Returns:
    Source of clips [S, T, H, W, C] with labels and masks.

  Raises:
    UserError: the frames would be too small to show anything.
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
    pixels, mask = video(number, height, width, with_anomaly=is_test)
    frames.append(pixels)
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
  seen = views.seen(
    np.concatenate(frames),
    [video.name for video in videos],
    [types.Footage()] * len(videos),
    config,
    lambda *how: motion.of_videos(frames, *how),
  )
  return clips.source(
    'moving_shapes',
    seen.frames,
    videos,
    config,
    masks=np.concatenate(masks),
    reading=clips.Reading(
      notes={'labels': 'masks'},
      warnings=seen.warnings,
      pictures=seen.pictures,
    ),
  )


def video(
  seed: int, height: int, width: int, with_anomaly: bool
) -> tuple[np.ndarray, np.ndarray]:
  """Generates a video, which depends on nothing but the arguments.

  Args:
    seed: of the shapes and the noise.
    height: of a frame, in pixels.
    width: of a frame, in pixels.
    with_anomaly: whether a cyclist or a cart passes.

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
  """Draws a person at random; aspect: width of the picture by its height."""
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
  """Draws a cyclist or a cart at random.

  Args:
    rng: the generator.
    aspect: width of the picture by its height.

  Returns:
    the shape, its first frame, and the one after its last.
  """
  cart = rng.random() < 0.5
  height, width = (0.34, 0.42) if cart else (0.24, 0.12)
  frames = 48 if cart else 27  # From one edge to the other.
  direction = rng.choice([-1, 1])
  first = int(rng.integers(_PAUSE, LENGTH - _PAUSE - frames + 1))
  start = -width / 2 if direction > 0 else aspect + width / 2
  shape = _Shape(
    x=start,
    y=rng.uniform(0.35, 0.75),
    speed=direction * (aspect + width) / frames,
    height=height,
    width=width,
    sway=0.0,
    phase=0.0,
    shade=0.95 if cart else 0.15,
    square=cart,
  )
  return shape, first, first + frames


def _draw(frames, shape, x, y, aspect, wraps=True) -> np.ndarray:
  """Draws a shape onto frames.

  Args:
    frames: [n, H, W], changed in place.
    shape: the shape.
    x: [H, W], of each pixel, in heights of the picture.
    y: [H, W], likewise.
    aspect: width of the picture by its height.
    wraps: whether a shape that leaves at one edge comes back at the other.

  Returns:
    [n, H, W] bool, the pixels that were drawn.
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
