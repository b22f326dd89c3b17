"""Reads new pictures and videos as a network takes them, for `scorer`.

What a file becomes is said by the entry `input` of a scorer's meta.json. Here
as there, nothing that trains is imported.
"""

import dataclasses
import logging
import pathlib
import types as pytypes
from collections.abc import Mapping
from typing import Any

import numpy as np

from memae_jax.data.images import decode_image, levels
from memae_jax.data.videos import clips, decode_video
from memae_jax.runtime import errors, foreign

_LOG = logging.getLogger(__name__)


def read(
  path: pathlib.Path, wanted: Mapping[str, Any]
) -> tuple[list[Any], np.ndarray | clips.Gathered]:
  """Reads the samples of a file or folder.

  Args:
    path: of what the kind of the input asks for.
    wanted: `input` of meta.json.

  Returns:
    A name or frame of each sample, and the samples.

  Raises:
    UserError: naming what is wrong.
  """
  kind = wanted['kind']
  if wanted['dtype'] != 'uint8':
    raise errors.UserError(
      f'{path} would be read as uint8, but the network takes'
      f' {wanted["dtype"]}; give a .npy file'
    )
  return {'images': _images, 'clips': _clips}[kind](path, wanted)


def _colour(wanted) -> str:
  return 'rgb' if wanted['shape'][-1] == 3 else 'grey'


def _images(path, wanted):
  files = decode_image.files(path) if path.is_dir() else (path,)
  if not files:
    raise errors.UserError(
      f'{foreign.name_of(path)} has no picture'
      f' ({", ".join(decode_image.SUFFIXES)})'
    )
  height, width, channels = wanted['shape']
  found = np.empty((len(files), height, width, channels), np.uint8)
  scale = levels.Levels(*wanted['levels'])
  for out, file in zip(found, files):
    pixels = decode_image.read(
      file, wanted['image_size'], _colour(wanted), levels=scale
    ).pixels
    if pixels.shape != out.shape:
      raise errors.UserError(
        f'{foreign.name_of(file)} is {pixels.shape[1]}x{pixels.shape[0]}, but'
        f' the network takes {width}x{height}; resize it as the training'
        ' pictures were'
      )
    out[:] = pixels
  root = path if path.is_dir() else path.parent
  name = lambda file: foreign.name_of(file.relative_to(root).as_posix())
  return [name(file) for file in files], found


@dataclasses.dataclass(frozen=True, eq=False)
class Clips(clips.Gathered):
  """Clips of one video, whose frames lie on disk.

  seconds: [S] of the scored frames; None: not known.
  """

  seconds: np.ndarray | None = None


def _clips(path, wanted):
  _, height, width, _ = wanted['shape']
  video = decode_video.open_video(path)
  frames, footage = decode_video.decode(video, (width, height), _colour(wanted))
  for line in footage.warnings:
    _LOG.warning('warning: %s', line)
  config = pytypes.SimpleNamespace(**wanted)
  found = clips.of_one(foreign.name_of(path), frames, config)
  at = footage.at(found.scored)
  return found.scored.tolist(), Clips(found.frames, found.number, at)
