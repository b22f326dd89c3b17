"""Views of the frames of videos: pictures, motion, or both."""

import dataclasses
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from memae_jax.data import types
from memae_jax.data.videos import decode_video, motion
from memae_jax.runtime import errors


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class View:
  """Frames [F, H, W, C] float32 that are made when they are read.

  It is indexed like an array, also inside compiled programs if its arrays are
  on a device. Channels of pictures come first, as bytes from 0 to 255.

  Attributes:
    pictures: [F, H, W, 1 or 3] uint8, or None: they are not seen.
    motion: [F, H, W, 1 or 2] float16, see `motion`.
    distance: [H, 1, 1] float32 by which motion is divided.
    is_speed: whether the length of the motion is seen instead.
    reach: how far apart two frames may be whose motion is of a common one.
  """

  pictures: Any
  motion: Any
  distance: Any
  is_speed: bool = dataclasses.field(metadata={'static': True})
  reach: int = dataclasses.field(default=0, metadata={'static': True})

  @property
  def channels(self) -> tuple[int, int]:
    """Channels of pictures and of motion."""
    pictures = 0 if self.pictures is None else self.pictures.shape[-1]
    return pictures, 1 if self.is_speed else self.motion.shape[-1]

  @property
  def shape(self) -> tuple[int, ...]:
    """Shape of all frames."""
    return (*self.motion.shape[:-1], sum(self.channels))

  @property
  def dtype(self) -> np.dtype:
    """Type of the values."""
    return np.dtype(np.float32)

  @property
  def nbytes(self) -> int:
    """Bytes of what is stored, all of which a device would hold."""
    stored = self.pictures, self.motion, self.distance
    return sum(part.nbytes for part in stored if part is not None)

  def __len__(self) -> int:
    return len(self.motion)

  def __getitem__(self, index: Any) -> Any:
    moved = self.speeds(index) if self.is_speed else self._moved(index)
    if self.pictures is None:
      return moved
    pictures = self.pictures[index].astype(np.float32)
    return pictures.__array_namespace__().concatenate([pictures, moved], -1)

  def _moved(self, index) -> Any:
    moved = self.motion[index].astype(np.float32)
    distance = self.distance.reshape((1,) * (moved.ndim - 3) + (-1, 1, 1))
    return moved / distance

  def speeds(self, index: Any) -> Any:
    """Returns the lengths [..., H, W, 1] of the motion of some frames.

    Args:
      index: as of an array.
    """
    moved = self._moved(index)
    xp = moved.__array_namespace__()
    return xp.sqrt(xp.sum(moved * moved, axis=-1, keepdims=True))


@dataclasses.dataclass(frozen=True)
class Recipe:
  """Settings by which frames become what networks of motion see.

  Attributes:
    input: config field `data.input`, but for "frames".
    perspective: motion is divided by this plus r, the row of a cell from 0 at
      the top to 1 at the bottom; 0: it is not.
    motion: its settings.
  """

  input: str
  perspective: float
  motion: motion.Settings

  @property
  def channels(self) -> int:
    """Channels of motion."""
    return 1 if self.input == 'speed' else motion.CHANNELS[self.motion.kind]

  def view(self, pictures: Any, fields: Any) -> View:
    """Returns what is seen.

    Args:
      pictures: [F, H, W, C] uint8; None where they are not seen.
      fields: [F, H, W, 1 or 2], the motion of the same frames.
    """
    height = fields.shape[1]
    distance = np.ones(height)
    if self.perspective:
      distance = self.perspective + np.linspace(0, 1, height)
    return View(
      pictures if self.input == 'both' else None,
      fields,
      distance.astype(np.float32).reshape(-1, 1, 1),
      self.input == 'speed',
      self.motion.reach,
    )


def recipe(config: Any) -> Recipe | None:
  """Returns the recipe of `config.data`; None where no motion is seen."""
  settings = motion.settings(config)
  if settings is None:
    return None
  return Recipe(config.input, config.perspective, settings)


def of_json(stored: Any) -> Recipe | None:
  """Returns the recipe that `dataclasses.asdict` made a mapping of, or None.

  Raises:
    UserError: it is not sound.
  """
  if stored is None:
    return None
  try:
    return Recipe(**stored | {'motion': motion.of_json(stored['motion'])})
  except (KeyError, TypeError, ValueError) as error:
    raise errors.UserError(
      'the settings of motion in meta.json are not sound; export the run again'
    ) from error


def of_video(
  video: decode_video.Video,
  pictures: Any,
  recipe: Recipe | None,
  size: tuple[int, int],
  folder: pathlib.Path | None = None,
) -> Any:
  """Returns what networks see of a video; its motion lies on disk.

  Args:
    video: to decode once more, grey and of full size, if motion is seen.
    pictures: [T, H, W, C] uint8, its frames.
    recipe: of what is seen; None: its frames.
    size: their rows and columns.
    folder: for temporary files; None: the system's.
  """
  if recipe is None:
    return pictures
  grey = decode_video.decode(video, 0, 'grey', folder).frames
  fields, _ = motion.of_video(grey, recipe.motion, size, folder)
  return recipe.view(pictures, fields)


class Seen(NamedTuple):
  """Describes what clips are made of, for a Source.

  frames: [F, H, W, C], what networks see.
  pictures: [F, H, W, C] uint8, the frames themselves; None: they are `frames`.
  warnings: lines on what makes motion doubtful.
  """

  frames: Any
  pictures: Any = None
  warnings: tuple[str, ...] = ()


def seen(
  pictures: Any,
  names: Sequence[str],
  footage: Sequence[types.Footage],
  config: Any,
  compute: Callable[..., tuple[Any, Sequence[float]]],
) -> Seen:
  """Returns what the networks of a config see of videos.

  Args:
    pictures: [F, H, W, C] uint8, frames of all videos.
    names: of the videos.
    footage: of each.
    config: the resolved `config.data`.
    compute: takes the settings of motion and the rows and columns of a frame;
      returns the motion of all frames, and of each video the share that moves
      as a whole. It is not called where no motion is seen.
  """
  how = recipe(config)
  if how is None:
    return Seen(pictures)
  fields, shaken = compute(how.motion, tuple(pictures.shape[1:3]))
  warnings = motion.warnings(names, shaken, footage)
  return Seen(how.view(pictures, fields), pictures, warnings)
