"""Decodes videos to frames of one size: folders of pictures, and video files.

Pictures are resized as MATLAB's `imresize` does (bicubic, of averages when
shrinking), which the released code of the paper used.
"""

import io
import os
import pathlib
from collections.abc import Callable, Iterator, Sequence
from concurrent import futures
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from memae_jax import errors, host
from memae_jax.data import pictures

SUFFIXES = ('.avi', '.mp4', '.mkv', '.mov', '.webm', '.m4v', '.mpg', '.mpeg')
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


def of_files(name: str, files: Sequence[pathlib.Path]) -> Video:
  """Returns a video of files on disk: pictures in order, or one video file."""
  return Video(name, lambda: [File(file) for file in files])


def open_video(path: pathlib.Path) -> Video:
  """Returns one video: a file, or a folder of frames in natural order.

  Raises:
    UserError: it is neither.
  """
  if path.is_dir() and (files := pictures.files(path)):
    return of_files(path.name, files)
  if path.is_file() and path.suffix.lower() in SUFFIXES:
    return of_files(path.stem, [path])
  raise errors.UserError(
    f'{path} is no video; give a file ({", ".join(SUFFIXES)}) or a folder of'
    f' frames ({", ".join(pictures.SUFFIXES)})'
  )


def size(config: Any) -> pictures.Size:
  """Returns the size of a frame that `config.data` asks for."""
  if config.image_width:
    return config.image_width, config.image_size
  return config.image_size


def frames(
  videos: Sequence[Video], size: pictures.Size, colour: str
) -> Iterator[np.ndarray]:
  """Yields the frames [n, H, W, C] uint8 of each video, in their order.

  Args:
    videos: decoded several at once.
    size: of the frames, see `pictures`.
    colour: 'grey', 'rgb', or 'auto': grey if no frame has a colour.

  Raises:
    UserError: naming the file that is wrong.
  """
  if colour == 'auto':
    firsts = (next(_pictures(video, 0, 'auto'))[0] for video in videos)
    # Frames stay under "auto" if grey, so that a colour later on is found.
    colour = 'rgb' if any(f.shape[2] == 3 for f in firsts) else 'auto'
  # Pillow and PyAV decode in parallel. A few at once: videos may be large.
  workers = min(4, host.cores())
  shape = None
  with futures.ThreadPoolExecutor(workers) as pool:
    for start in range(0, len(videos), workers):
      some = videos[start : start + workers]
      decoded = pool.map(lambda video: decode(video, size, colour), some)
      for video, found in zip(some, decoded):
        if shape is None:
          shape, first = found.shape[1:], video.name
        if found.shape[1:] != shape:
          height, width, _ = found.shape[1:]
          raise errors.UserError(
            f'video "{video.name}" is {width}x{height}, but "{first}" is'
            f' {shape[1]}x{shape[0]}; set data.image_size'
          )
        yield found


def decode(video: Video, size: pictures.Size, colour: str) -> np.ndarray:
  """Returns the frames [n, H, W, 1 or 3] uint8 of a video.

  Args:
    video: what is decoded.
    size: of the frames, see `pictures`.
    colour: 'grey', 'rgb', or 'auto': grey, and no frame may have a colour.

  Raises:
    UserError: a file cannot be read, or a frame has another size or a colour.
  """
  found, before, first = [], None, ''
  for pixels, was, where in _pictures(video, size, colour):
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
    found.append(pixels)
  return np.stack(found)


def _pictures(video, size, colour) -> Iterator[tuple[np.ndarray, Any, str]]:
  """Yields pixels, size before resizing and place of each frame."""
  files = video.files()
  if files[0].path.suffix.lower() in SUFFIXES:
    yield from _film(files[0], size, colour)
    return
  for path, content in files:
    found = pictures.read(path, size, colour, _RESAMPLE, content)
    yield found.pixels, found.size, str(path)


def _film(file, size, colour) -> Iterator[tuple[np.ndarray, Any, str]]:
  try:
    import av  # An extra, which folders of pictures do without.
  except ImportError as error:
    raise errors.UserError(
      f'{file.path} is a video file, which takes PyAV to read; pip install'
      " -e '.[video]', or give a folder of pictures"
    ) from error
  number = -1
  on_disk = file.content is None
  try:
    with av.open(
      os.fspath(file.path) if on_disk else io.BytesIO(file.content)
    ) as container:
      container.streams.video[0].thread_type = 'AUTO'
      for number, frame in enumerate(container.decode(video=0)):
        image = Image.fromarray(frame.to_ndarray(format='rgb24'))
        pixels = pictures.fit(image, size, colour, _RESAMPLE)
        yield pixels, image.size, f'{file.path} frame {number}'
  except (av.error.FFmpegError, IndexError) as error:
    raise errors.UserError(
      f'{file.path} cannot be read as a video after {number + 1} frames'
      f' ({error}); replace or remove it'
    ) from error
  if number < 0:
    raise errors.UserError(f'{file.path} holds no frame; replace or remove it')


def masks(
  files: Sequence[pathlib.Path], frames: int, size: pictures.Size
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
  return np.stack([pictures.read_mask(file, size)[0] for file in files])
