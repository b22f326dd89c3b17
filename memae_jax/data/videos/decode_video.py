"""Decodes videos to frames of one size: folders of pictures, and video files.

Pictures are resized as MATLAB's `imresize` does (bicubic, with averaging when
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
RESAMPLE = Image.Resampling.BICUBIC  # Of frames, whatever they come from.


class File(NamedTuple):
  """A picture or video file.

  path: where it is; if `content` is set, its name for messages.
  content: its bytes; None: they are read from disk.
  """

  path: pathlib.Path
  content: bytes | None = None


class Video(NamedTuple):
  """A video that is not decoded yet.

  name: shown to people.
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
  """Returns the video at a path, a file or a folder of frames.

  Frames are taken in natural order.

  Raises:
    UserError: the path is neither.
  """
  path = path.expanduser()
  if path.is_dir() and (files := decode_image.files(path)):
    return of_files(path.name, files)
  if path.is_file() and path.suffix.lower() in SUFFIXES:
    return of_files(path.stem, [path])
  raise errors.UserError(
    f'{foreign.name_of(path)} is not a video; give a file'
    f' ({", ".join(SUFFIXES)})'
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
  """Yields each video decoded, in order; all frames have one size.

  Several videos are decoded at once.

  Args:
    videos: to decode.
    size: of the frames, see `decode_image.Size`.
    colour: 'grey', 'rgb', or 'auto': grey if no frame has a colour.
    folder: for the decoded frames, see `decode`.

  Raises:
    UserError: a file is damaged or does not fit the others; it is named.
  """
  if colour == 'auto':
    firsts = (next(_Reader(video, 0, 'auto').frames())[0] for video in videos)
    # Grey stays "auto", so that `decode` refuses a colour in a later frame.
    colour = 'rgb' if any(f.shape[2] == 3 for f in firsts) else 'auto'
  # Pillow and PyAV decode in parallel. Only a few at once: videos may be large.
  workers = min(4, host.cores())
  shape = None
  with futures.ThreadPoolExecutor(workers) as pool:
    for start in range(0, len(videos), workers):
      batch = videos[start : start + workers]
      results = pool.map(lambda v: decode(v, size, colour, folder), batch)
      for video, decoded in zip(batch, results):
        if shape is None:
          shape, first = decoded.frames.shape[1:], video.name
        if decoded.frames.shape[1:] != shape:
          height, width, _ = decoded.frames.shape[1:]
          raise errors.UserError(
            f'video "{foreign.name_of(video.name)}" is {width}x{height}, but'
            f' "{foreign.name_of(first)}" is {shape[1]}x{shape[0]}; set'
            ' data.image_size'
          )
        yield decoded


def decode(
  video: Video,
  size: decode_image.Size,
  colour: str,
  folder: pathlib.Path | None = None,
) -> Decoded:
  """Decodes a video; its frames lie on disk.

  Args:
    video: to decode.
    size: of the frames, see `decode_image.Size`.
    colour: 'grey', 'rgb', or 'auto': grey, and no frame may have a colour.
    folder: for a temporary file with the frames; None: the system's folder for
      temporary files.

  Raises:
    UserError: a file cannot be read, or a frame has another size or a colour.
    OSError: the disk is full.
  """
  reader, rows, block = _Reader(video, size, colour), None, []
  first_size, first = None, ''
  for pixels, stored, where in reader.frames():
    first_size, first = first_size or stored, first or where
    if stored != first_size:
      raise errors.UserError(
        f'{where} is {stored[0]}x{stored[1]}, but {first} of the same video is'
        f' {first_size[0]}x{first_size[1]}; give all frames of a video one size'
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
  """Returns the decoded videos, from the cache of frames if they are there.

  Args:
    folder: of the cache.
    name: of the entry, from `frame_cache.fingerprint`.
    videos: to decode if there is no such entry.
    size: of the frames, see `frames`.
    colour: of the frames, see `frames`.

  Returns:
    the frames [F, H, W, C] of all videos, read-only; the number of frames of
    each video; and how each was filmed.
  """

  def decode_all(scratch):
    for video in frames(videos, size, colour, scratch):
      yield video.frames, video.footage._asdict()

  values, lengths, footage = frame_cache.load(folder, name, decode_all)
  return values, lengths, [_footage(fields) for fields in footage]


def _footage(fields: dict[str, Any]) -> types.Footage:
  """Returns the Footage whose fields went through JSON."""
  return types.Footage(
    rate=fields['rate'],
    seconds=fields['seconds'],
    shape=fields['shape'] and tuple(fields['shape']),
    warnings=tuple(fields['warnings']),
  )


class _Reader:
  """Decodes a video frame by frame; `footage` is complete after the last."""

  def __init__(self, video: Video, size: decode_image.Size, colour: str):
    self._video, self._size, self._colour = video, size, colour
    self.footage = types.Footage()

  def frames(self) -> Iterator[tuple[np.ndarray, Any, str]]:
    """Yields each frame: pixels, size before resizing, name for messages."""
    files = self._video.files()
    if files[0].path.suffix.lower() in SUFFIXES:
      yield from self._film(files[0])
      return
    for path, content in files:
      picture = decode_image.read(
        path, self._size, self._colour, RESAMPLE, content
      )
      self.footage = types.Footage(shape=picture.size)
      yield picture.pixels, picture.size, foreign.name_of(path)

  def _film(self, file: File) -> Iterator[tuple[np.ndarray, Any, str]]:
    film = film_file.Film(file.path, file.content)
    name = foreign.name_of(file.path)
    for number, frame in enumerate(film):
      image = Image.fromarray(np.ascontiguousarray(frame))
      pixels = decode_image.fit(image, self._size, self._colour, RESAMPLE)
      yield pixels, image.size, f'{name} frame {number}'
    # With the folder: a training and a test video may share a name.
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
  """Reads the masks [n, H, W] bool of a video, one picture for each frame.

  Args:
    files: the pictures in the order of the frames.
    frames: how many the video has.
    size: of the masks, see `decode_image.Size`.

  Raises:
    UserError: there is not one mask for each frame, or one cannot be read.
  """
  if len(files) != frames:
    raise errors.UserError(
      f'{files[0].parent} has {len(files)} masks, but the video has {frames}'
      ' frames; give one mask for each frame'
    )
  return np.stack([decode_image.read_mask(file, size)[0] for file in files])
