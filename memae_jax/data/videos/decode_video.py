"""Decodes videos to frames of one size: folders of pictures, and video files.

Pictures are resized as MATLAB's `imresize` does (bicubic, of averages when
shrinking), which the released code of the paper used.
"""

import pathlib
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from memae_jax.data import on_disk, types
from memae_jax.data.images import decode_image
from memae_jax.data.videos import film_file, frame_cache
from memae_jax.runtime import errors, foreign, host

SUFFIXES = film_file.SUFFIXES
_BLOCK = 64  # Frames that are written at once.
_RESAMPLE = Image.Resampling.BICUBIC


class File(NamedTuple):
  """A picture or video file.

  path: where it is, or its name for messages.
  content: its bytes; None: on disk.
  """

  path: pathlib.Path
  content: bytes | None = None


class Video(NamedTuple):
  """A video that is not decoded yet.

  name: for people.
  files: returns the pictures in order, or one video file.
  """

  name: str
  files: Callable[[], Sequence[File]]


class Decoded(NamedTuple):
  """A decoded video.

  frames: [n, H, W, 1 or 3] uint8.
  footage: how it was filmed.
  """

  frames: on_disk.Rows
  footage: types.Footage


def of_files(name: str, files: Sequence[pathlib.Path]) -> Video:
  """Returns a video of files on disk: pictures in order, or one video file."""
  return Video(name, lambda: [File(file) for file in files])


def open_video(path: pathlib.Path) -> Video:
  """Returns one video: a file, or a folder of frames in natural order.

  Raises:
    UserError: it is neither.
  """
  path = path.expanduser()
  if path.is_dir() and (files := decode_image.files(path)):
    return of_files(path.name, files)
  if path.is_file() and path.suffix.lower() in SUFFIXES:
    return of_files(path.stem, [path])
  raise errors.UserError(
    f'{foreign.name_of(path)} is no video; give a file ({", ".join(SUFFIXES)})'
    f' or a folder of frames ({", ".join(decode_image.SUFFIXES)})'
  )


def size(config: Any) -> decode_image.Size:
  """Returns the size of a frame that `config.data` asks for."""
  if config.image_width:
    return config.image_width, config.image_size
  return config.image_size


def frames(
  videos: Sequence[Video],
  size: decode_image.Size,
  colour: str,
  folder: pathlib.Path | None = None,
) -> Iterator[Decoded]:
  """Yields each video, in their order; all frames have one size.

  Args:
    videos: decoded several at once.
    size: of the frames, see `pictures`.
    colour: 'grey', 'rgb', or 'auto': grey if no frame has a colour.
    folder: see `decode`.

  Raises:
    UserError: naming the file that is wrong.
  """
  if colour == 'auto':
    firsts = (next(_Reader(video, 0, 'auto').frames())[0] for video in videos)
    # Frames stay under "auto" if grey, so that a colour later on is found.
    colour = 'rgb' if any(f.shape[2] == 3 for f in firsts) else 'auto'
  # Pillow and PyAV decode in parallel. A few at once: videos may be large.
  workers = min(4, host.cores())
  shape = None
  with futures.ThreadPoolExecutor(workers) as pool:
    for start in range(0, len(videos), workers):
      some = videos[start : start + workers]
      decoded = pool.map(lambda v: decode(v, size, colour, folder), some)
      for video, found in zip(some, decoded):
        if shape is None:
          shape, first = found.frames.shape[1:], video.name
        if found.frames.shape[1:] != shape:
          height, width, _ = found.frames.shape[1:]
          raise errors.UserError(
            f'video "{foreign.name_of(video.name)}" is {width}x{height}, but'
            f' "{foreign.name_of(first)}" is {shape[1]}x{shape[0]}; set'
            ' data.image_size'
          )
        yield found


def decode(
  video: Video,
  size: decode_image.Size,
  colour: str,
  folder: pathlib.Path | None = None,
) -> Decoded:
  """Returns the frames of a video, which lie on disk.

  Args:
    video: what is decoded.
    size: of the frames, see `pictures`.
    colour: 'grey', 'rgb', or 'auto': grey, and no frame may have a colour.
    folder: where there is room for them; None: where the system has its
      temporary files.

  Raises:
    UserError: a file cannot be read, or a frame has another size or a colour.
    OSError: there is no room.
  """
  reader, rows, block = _Reader(video, size, colour), None, []
  before, first = None, ''
  for pixels, was, where in reader.frames():
    before, first = before or was, first or where
    if was != before:
      raise errors.UserError(
        f'{where} is {was[0]}x{was[1]}, but {first} of the same video is'
        f' {before[0]}x{before[1]}; give all frames of a video one size'
      )
    if colour == 'auto' and pixels.shape[2] == 3:
      raise errors.UserError(
        f'{where} has colours, but the first frames of all videos are grey; set'
        ' data.colour to "grey" or "rgb"'
      )
    block.append(pixels)
    if rows is None:
      rows = on_disk.Rows(pixels.shape, np.uint8, folder)
    if len(block) == _BLOCK:
      rows.append(np.stack(block))
      block = []
  if block:
    rows.append(np.stack(block))
  return Decoded(rows, reader.footage)


def cached(
  folder: pathlib.Path,
  name: str,
  videos: Sequence[Video],
  size: decode_image.Size,
  colour: str,
) -> tuple[np.ndarray, list[int], list[types.Footage]]:
  """Returns what `frames` yields, from a `frame_cache` if it is there.

  Args:
    folder: of the cache.
    name: from `frame_cache.fingerprint`.
    videos: see `frames`.
    size: see `frames`.
    colour: see `frames`.

  Returns:
    The frames [F, H, W, C] of all videos, read-only; how many each has; and how
    each was filmed.
  """

  def decoded(scratch):
    for video in frames(videos, size, colour, scratch):
      yield video.frames, video.footage._asdict()

  values, lengths, kept = frame_cache.load(folder, name, decoded)
  footage = [
    types.Footage(
      rate=facts['rate'],
      seconds=facts['seconds'],
      shape=facts['shape'] and tuple(facts['shape']),
      warnings=tuple(facts['warnings']),
    )
    for facts in kept
  ]
  return values, lengths, footage


class _Reader:
  """The frames of a video one by one, and then how it was filmed."""

  def __init__(self, video: Video, size: decode_image.Size, colour: str):
    self._video, self._size, self._colour = video, size, colour
    self.footage = types.Footage()

  def frames(self) -> Iterator[tuple[np.ndarray, Any, str]]:
    """Yields pixels, size before resizing and place of each frame."""
    files = self._video.files()
    if files[0].path.suffix.lower() in SUFFIXES:
      yield from self._film(files[0])
      return
    for path, content in files:
      found = decode_image.read(
        path, self._size, self._colour, _RESAMPLE, content
      )
      self.footage = types.Footage(shape=found.size)
      yield found.pixels, found.size, foreign.name_of(path)

  def _film(self, file: File) -> Iterator[tuple[np.ndarray, Any, str]]:
    film = film_file.Film(file.path, file.content)
    name = foreign.name_of(file.path)
    for number, frame in enumerate(film):
      image = Image.fromarray(np.ascontiguousarray(frame))
      pixels = decode_image.fit(image, self._size, self._colour, _RESAMPLE)
      yield pixels, image.size, f'{name} frame {number}'
    # With its folder: those of train and test may share a name.
    short = foreign.name_of(pathlib.Path(*file.path.parts[-2:]))
    self.footage = types.Footage(
      film.rate,
      film.seconds,
      film.shape,
      tuple(f'{short} {line}' for line in film.warnings),
    )


def masks(
  files: Sequence[pathlib.Path], frames: int, size: decode_image.Size
) -> np.ndarray:
  """Returns the masks [n, H, W] bool of a video, one picture for each frame.

  Args:
    files: in the order of the frames.
    frames: of the video.
    size: of the masks, see `pictures`.

  Raises:
    UserError: there is not one for each frame, or one cannot be read.
  """
  if len(files) != frames:
    raise errors.UserError(
      f'{files[0].parent} has {len(files)} masks, but the video has {frames}'
      ' frames; give one for each'
    )
  return np.stack([decode_image.read_mask(file, size)[0] for file in files])
