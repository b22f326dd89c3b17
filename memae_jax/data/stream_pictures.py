"""Pictures and frames of videos that come one after another.

They become samples as `new_samples` makes them of files; a frame waits for the
later ones that its motion and its clip need, and no more are kept.
"""

import collections
import os
import pathlib
import types as pytypes
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from memae_jax.data import new_samples, stream_samples
from memae_jax.data.images import decode_image
from memae_jax.data.videos import clips, decode_video, motion_stream, views
from memae_jax.runtime import errors, foreign


class Pictures(stream_samples.Singles):
  """Pictures: paths of files, or their pixels."""

  def __init__(self, meta: Mapping[str, Any], prepared: Callable[..., Any]):
    """Begins a stream.

    Args:
      meta: `input` of a scorer's meta.json.
      prepared: see `stream_samples.Singles`.
    """
    super().__init__(prepared)
    self._meta = meta

  def read(self, sample: Any) -> tuple[np.ndarray, str]:
    """Returns the pixels [H, W, C] of a picture, and the path of its file.

    Args:
      sample: path of a file; or the pixels [H, W, 1 or 3] uint8 of one, which
        are resized as it would be; or what a network of other numbers takes.

    Raises:
      UserError: it cannot be read, or does not fit the network.
    """
    if isinstance(sample, str | os.PathLike):
      path = pathlib.Path(sample)
      new_samples.check_bytes(path, self._meta)
      return new_samples.picture(path, self._meta), foreign.name_of(path)
    pixels = np.asarray(sample)
    if self._meta['dtype'] != 'uint8':
      return super().read(pixels)
    size, colour = self._meta['image_size'], new_samples.colour(self._meta)
    pixels = decode_image.fit(
      _image(pixels), size, colour, Image.Resampling.BOX
    )
    new_samples.check_size('the picture', pixels, self._meta)
    return pixels, ''


def _image(pixels: np.ndarray) -> Image.Image:
  """Returns pixels as a picture.

  Raises:
    UserError: they are none.
  """
  if pixels.ndim == 3 and pixels.shape[2] == 1:
    pixels = pixels[..., 0]
  is_grey, is_rgb = pixels.ndim == 2, pixels.ndim == 3 and pixels.shape[2] == 3
  if pixels.dtype != np.uint8 or not (is_grey or is_rgb) or not pixels.size:
    raise errors.UserError(
      f'a frame is {pixels.dtype} of shape {list(pixels.shape)}; give uint8 of'
      ' shape [H, W], [H, W, 1] or [H, W, 3], or the path of a picture'
    )
  return Image.fromarray(np.ascontiguousarray(pixels))


def _opened(sample: Any) -> tuple[str, Callable[..., Any]]:
  """Returns the path of a frame or '', and a function that resizes the frame.

  It takes what follows the path in `decode_image.read`, and returns the pixels
  [H, W, C] and the width and height that they had.
  """
  if not isinstance(sample, str | os.PathLike):
    image = _image(np.asarray(sample))
    return '', lambda *how: (decode_image.fit(image, *how), image.size)
  path = pathlib.Path(sample)
  with foreign.reading(path, 'picture'):
    content = foreign.content(path)

  def fit(*how):
    found = decode_image.read(path, *how, content)
    return found.pixels, found.size

  return foreign.name_of(path), fit


class Frame(NamedTuple):
  """A frame that was read.

  pixels: [H, W, C] uint8 of the size of samples; None: only motion is seen.
  grey: [H, W] uint8 of full size; None: no motion is seen. size: width and
  height of the full frame.
  """

  pixels: np.ndarray | None
  grey: np.ndarray | None
  size: tuple[int, int]


class Frames:
  """Frames of a video, which become clips or single frames, with motion."""

  def __init__(self, meta: Mapping[str, Any]):
    """Begins a stream.

    Args:
      meta: `input` of a scorer's meta.json.

    Raises:
      UserError: its settings of motion are not sound, or need OpenCV.
    """
    *_, height, width, channels = meta['shape']
    self._recipe = views.of_json(meta.get('motion'))
    self._size = width, height
    channels -= self._recipe.channels if self._recipe else 0
    self._colour = 'rgb' if channels == 3 else 'grey'
    config = pytypes.SimpleNamespace(**meta)
    self._is_clip, self._step = len(meta['shape']) == 4, config.frame_step
    self._span = clips.span(config) if self._is_clip else 1
    self._centre = clips.centre(config) if self._is_clip else 0
    later = self._recipe.motion.look_ahead if self._recipe else 0
    self.look_ahead = self._span - 1 - self._centre + later
    self._first = 0  # Index of the first frame since a broken one.
    self._begin()

  def _begin(self) -> None:
    """Forgets all frames."""
    self._count, self._full = 0, None
    self._ring = collections.deque(maxlen=self._span)
    self._waiting = collections.deque()  # Pixels whose motion is not known.
    self._ready = 0
    self._motion = None
    if self._recipe is not None:
      self._motion = motion_stream.Follower(
        self._recipe.motion, self._size[::-1]
      )

  def read(self, sample: Any) -> tuple[Frame, str]:
    """Returns a frame, and the path of its file or ''.

    Args:
      sample: path of a picture, or pixels [H, W], [H, W, 1 or 3] uint8.

    Raises:
      UserError: it cannot be read, or has another size than the one before.
    """
    name, fit = _opened(sample)
    pixels, grey, how = None, None, decode_video.RESAMPLE
    if self._recipe is not None:
      grey, size = fit(0, 'grey', how)
      grey = grey[..., 0]
    if self._recipe is None or self._recipe.input == 'both':
      pixels, size = fit(self._size, self._colour, how)
    if self._full not in (None, size):
      raise errors.UserError(
        f'{name or "a frame"} is {size[0]}x{size[1]}, but those before are'
        f' {self._full[0]}x{self._full[1]}; give all frames of a video one size'
      )
    return Frame(pixels, grey, size), name

  def add(self, frame: Frame) -> list[stream_samples.Sample]:
    """Takes the next frame; returns the samples that are complete by it."""
    self._count, self._full = self._count + 1, frame.size
    if self._motion is None:
      return self._samples([frame.pixels])
    self._waiting.append(frame.pixels)
    return self._samples(self._seen(self._motion.add(frame.grey)))

  def skip(self) -> list[stream_samples.Sample]:
    """Counts a broken frame; the video ends before it and begins after it."""
    found, first = self._rest(), self._first + self._count + 1
    self._begin()
    self._first = first
    return found

  def end(self) -> list[stream_samples.Sample]:
    """Ends the video; the next frame is the first one of another."""
    found = self._rest()
    self._begin()
    self._first = 0
    return found

  def _rest(self) -> list[stream_samples.Sample]:
    """Returns the samples that waited for later frames."""
    if self._motion is None:
      return []
    return self._samples(self._seen(self._motion.end()))

  def _seen(self, fields) -> list[np.ndarray]:
    """Returns the frames [H, W, C] float32 whose motion is known now."""
    found = []
    for field in fields:
      pixels = self._waiting.popleft()
      pictures = None if pixels is None else pixels[None]
      found.append(self._recipe.view(pictures, field[None])[0])
    return found

  def _samples(self, frames) -> list[stream_samples.Sample]:
    """Returns the samples that are complete by further frames as seen."""
    found = []
    for frame in frames:
      self._ring.append(frame)
      self._ready += 1
      number = self._ready - self._span
      if number < 0:
        continue
      x = np.stack(list(self._ring)[:: self._step]) if self._is_clip else frame
      index = self._first + number + self._centre
      found.append(stream_samples.Sample(index, number, x))
    return found
