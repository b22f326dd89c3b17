"""Reads new pictures and videos as a network takes them, for `scorer`.

The entry `input` of a scorer's meta.json says how a file is read. Neither this
module nor `scorer` imports anything that trains.
"""

import dataclasses
import logging
import pathlib
import types as pytypes
from collections.abc import Mapping
from typing import Any

import numpy as np

from memae_jax.data.images import decode_image, levels
from memae_jax.data.videos import clips, decode_video, views
from memae_jax.runtime import errors, foreign

_LOG = logging.getLogger(__name__)


def read(
  path: pathlib.Path, meta: Mapping[str, Any]
) -> tuple[list[Any], np.ndarray | clips.Gathered]:
  """Reads the samples of a file or folder.

  Args:
    path: a picture or a folder of pictures where `meta['kind']` is 'images'; a
      video file or a folder of frames where it is 'clips'.
    meta: `input` of meta.json.

  Returns:
    The places of the samples, [S] file names of pictures or scored frames of
    clips; and the samples [S, ...] uint8, or float32 where motion is seen.

  Raises:
    UserError: the files cannot be read, or do not fit the network.
  """
  check_bytes(path, meta)
  return {'images': _images, 'clips': _clips}[meta['kind']](path, meta)


def check_bytes(path: pathlib.Path, meta: Mapping[str, Any]) -> None:
  """Raises UserError if a network takes other numbers than files hold.

  Args:
    path: of a file, for the message.
    meta: `input` of meta.json.
  """
  if meta['dtype'] != 'uint8' and not meta.get('motion'):
    raise errors.UserError(
      f'{foreign.name_of(path)} would be read as uint8, but the network takes'
      f' {meta["dtype"]}; give a .npy file'
    )


def colour(meta: Mapping[str, Any]) -> str:
  """Returns the colours of the pictures that a network takes."""
  return 'rgb' if meta['shape'][-1] == 3 else 'grey'


def picture(file: pathlib.Path, meta: Mapping[str, Any]) -> np.ndarray:
  """Returns the pixels [H, W, C] uint8 of the file of a picture.

  Args:
    file: its path.
    meta: `input` of meta.json.

  Raises:
    UserError: it cannot be read, or does not fit the network.
  """
  scale = levels.Levels(*meta['levels'])
  found = decode_image.read(
    file, meta['image_size'], colour(meta), levels=scale
  )
  check_size(foreign.name_of(file), found.pixels, meta)
  return found.pixels


def check_size(name: str, pixels: np.ndarray, meta: Mapping[str, Any]) -> None:
  """Raises UserError if a picture is of another size than a network takes.

  Args:
    name: of the picture, for the message.
    pixels: [H, W, C].
    meta: `input` of meta.json.
  """
  height, width, _ = meta['shape']
  if pixels.shape != tuple(meta['shape']):
    raise errors.UserError(
      f'{name} is {pixels.shape[1]}x{pixels.shape[0]}, but the network takes'
      f' {width}x{height}; resize it as the training pictures were'
    )


def _images(path, meta):
  files = decode_image.files(path) if path.is_dir() else (path,)
  if not files:
    raise errors.UserError(
      f'{foreign.name_of(path)} has no picture'
      f' ({", ".join(decode_image.SUFFIXES)})'
    )
  images = np.empty((len(files), *meta['shape']), np.uint8)
  for out, file in zip(images, files):
    out[:] = picture(file, meta)
  root = path if path.is_dir() else path.parent
  name = lambda file: foreign.name_of(file.relative_to(root).as_posix())
  return [name(file) for file in files], images


@dataclasses.dataclass(frozen=True, eq=False)
class Clips(clips.Gathered):
  """Clips of one video, whose frames lie on disk.

  seconds: [S], times of the scored frames; None: not known.
  """

  seconds: np.ndarray | None = None


def _clips(path, meta):
  *_, height, width, channels = meta['shape']
  recipe, video = (
    views.of_json(meta.get('motion')),
    decode_video.open_video(path),
  )
  if recipe is not None:
    channels -= recipe.channels
  colour = 'rgb' if channels == 3 else 'grey'
  frames, footage = decode_video.decode(video, (width, height), colour)
  for line in footage.warnings:
    _LOG.warning('warning: %s', line)
  seen = views.of_video(video, frames, recipe, (height, width))
  config = pytypes.SimpleNamespace(**meta)
  gathered = clips.of_one(foreign.name_of(path), seen, config)
  scored = gathered.scored
  own = {
    f.name: getattr(gathered, f.name) for f in dataclasses.fields(gathered)
  }
  return scored.tolist(), Clips(**own, seconds=footage.at(scored))
