"""Motion of the frames of videos, from their grey frames of full size.

  blocks      `block_matching` of the frames `gap` before and after
  flow        OpenCV's dense inverse search, from the frame before
  difference  absolute change of grey since the frame before

At the ends of a video, frames have the motion of the nearest one that has all
it needs; the one frame of a video has none, that is 0. Cells of a few pixels
get the mean of their motion, which is smoothed by boxes over frames and cells
(at edges over the part that exists), and then brought to the size of the
samples by areas. Motion is in pixels of the full frame per frame, to the right
and downwards; differences are in grey levels from 0 to 1.
"""

import dataclasses
import itertools
import pathlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from memae_jax.data import on_disk, types
from memae_jax.data.videos import (
  block_matching,
  decode_video,
  frame_cache,
  motion_smoother,
)
from memae_jax.methods import tasks
from memae_jax.runtime import errors, foreign, progress_bar

# Channels of the motion of each kind.
CHANNELS = tasks.MOTION
_FORMAT = 1  # Raised whenever the motion of the same frames changes.
_BATCH = 16  # Frames that are matched at once.
_WRITTEN = 64  # Fields that are written at once.
# A picture moves as a whole where the median of its cells is faster than this,
# in pixels per frame; a warning names videos where so many frames do.
_SHAKES, _OFTEN = 0.5, 0.1
_UNEVEN = 1.5  # Largest by smallest gap between frames that are even.


@dataclasses.dataclass(frozen=True)
class Settings:
  """Kind of motion and its smoothing; see the module.

  Attributes:
    kind: 'blocks', 'flow' or 'difference'.
    frames: how many are averaged, odd.
    box: side of the box of cells that is averaged, odd.
    gap: blocks: frames from a frame to each of the two that are matched.
    blocks: of the matching; `blocks.shrink` is the side of a cell of all kinds.
  """

  kind: str
  frames: int = 5
  box: int = 5
  gap: int = 2
  blocks: block_matching.Options = block_matching.Options()

  @property
  def around(self) -> tuple[int, int]:
    """Number of frames before and after a frame that its own motion is of."""
    return (self.gap, self.gap) if self.kind == 'blocks' else (1, 0)

  @property
  def look_ahead(self) -> int:
    """Number of later frames that the smoothed motion of a frame needs."""
    return self.around[1] + self.frames // 2

  @property
  def reach(self) -> int:
    """Largest distance of two frames whose motion is of a common one."""
    return sum(self.around) + self.frames - 1


def settings(config: Any) -> Settings | None:
  """Returns the settings of `config.data`; None without motion."""
  if config.motion == 'none':
    return None
  return Settings(
    config.motion,
    config.motion_frames,
    config.motion_box,
    config.motion_gap,
    block_matching.Options(
      config.motion_cell,
      tuple(config.motion_reach),
      config.motion_window,
      config.motion_penalty,
    ),
  )


def of_json(stored: Mapping[str, Any]) -> Settings:
  """Returns settings that `dataclasses.asdict` made a mapping of."""
  blocks = stored['blocks'] | {'reach': tuple(stored['blocks']['reach'])}
  return Settings(**stored | {'blocks': block_matching.Options(**blocks)})


def pairs(
  length: int, before: int, after: int
) -> tuple[np.ndarray, np.ndarray]:
  """Returns the frames, [T] int each, between which every frame's motion is.

  They lie `before` and `after` it. At the ends of a video they are those of the
  nearest frame that has both. A video too short for any has its first and its
  last frame, which are the same if it has one alone.

  Args:
    length: T, frames of the video.
    before: frames from the first of the two to a frame.
    after: frames from a frame to the second of the two.
  """
  latest = length - 1
  if latest < before + after:
    return np.zeros(length, int), np.full(length, latest)
  centre = np.clip(np.arange(length), before, latest - after)
  return centre - before, centre + after


def of_video(
  frames: Any,
  settings: Settings,
  size: tuple[int, int],
  folder: pathlib.Path | None = None,
) -> tuple[on_disk.Rows, float]:
  """Computes the motion of a video, in memory of constant size.

  Args:
    frames: [T, H, W, 1] uint8, grey and of full size; it is read in blocks.
    settings: of the motion.
    size: rows h and columns w of the result.
    folder: for a temporary file with the result; None: the system's.

  Returns:
    [T, h, w, C] float16, see `CHANNELS`; and the share of the frames that move
    as a whole, as those of a camera that shakes or pans do.

  Raises:
    UserError: OpenCV is missing, or cannot take frames so small.
    OSError: the disk is full.
  """
  rows = on_disk.Rows((*size, CHANNELS[settings.kind]), np.float16, folder)
  block, shaken = [], []
  smoother = motion_smoother.Smoother(settings.frames, settings.box, size)
  ends = itertools.repeat(None, settings.frames // 2)
  for field in itertools.chain(_fields(frames, settings), ends):
    if field is not None:
      shaken.append(_is_shaken(field))
    found = smoother.add(field)
    if found is not None:
      block.append(found)
    if len(block) == _WRITTEN:
      rows.append(np.stack(block))
      block = []
  if block:
    rows.append(np.stack(block))
  return rows, float(np.mean(shaken))


def _is_shaken(field: np.ndarray) -> bool:
  """Returns whether a frame moves as a whole, by its motion [h, w, C]."""
  if field.shape[-1] == 1:
    return False
  return bool(np.median(np.hypot(field[..., 0], field[..., 1])) > _SHAKES)


def _fields(frames, settings) -> Iterator[np.ndarray]:
  """Yields the motion [h, w, C] of the cells of each frame, not smoothed."""
  first, second = pairs(len(frames), *settings.around)
  if settings.kind == 'blocks':
    yield from _matched(frames, first, second, settings.blocks)
    return
  found, at, field = between(settings), None, None
  for pair in zip(first.tolist(), second.tolist()):
    if pair != at:
      one, two = (frames[i : i + 1][0, ..., 0] for i in pair)
      at, field = pair, found(one, two, pair[1] - pair[0])
    yield field


def between(
  settings: Settings,
) -> Callable[[np.ndarray, np.ndarray, int], np.ndarray]:
  """Returns a function that finds the motion between two frames.

  It takes two grey frames [H, W] uint8 and how many frames the second lies
  after the first (0: nothing moves), and returns [h, w, C] of the cells, not
  smoothed.

  Args:
    settings: of the motion.

  Raises:
    UserError: OpenCV is missing.
  """
  if settings.kind == 'blocks':
    match = block_matching.match_one
    return lambda *pair: jax.device_get(match(*pair, settings.blocks))
  of_pair = _flow() if settings.kind == 'flow' else _difference

  def found(one, two, apart):
    field = np.zeros((*one.shape, CHANNELS[settings.kind]), np.float32)
    if apart:
      field = of_pair(one, two) / apart
    return _cell_means(field, settings.blocks.shrink)

  return found


def _matched(frames, first, second, options) -> Iterator[np.ndarray]:
  """Yields the motion of each frame by block matching, see `_fields`."""
  count = len(frames)
  for start in range(0, count, _BATCH):
    # The last batch is padded, so that one program serves all.
    index = np.minimum(np.arange(start, start + _BATCH), count - 1)
    one, two = first[index], second[index]
    batch = frames[one][..., 0], frames[two][..., 0], two - one
    found = block_matching.match(*jax.device_put(batch), options)
    yield from jax.device_get(found)[: count - start]


def _difference(one: np.ndarray, two: np.ndarray) -> np.ndarray:
  """Returns the absolute difference [H, W, 1] of two frames, from 0 to 1."""
  change = two.astype(np.float32) - one.astype(np.float32)
  return np.abs(change)[..., None] / 255


def _flow():
  """Returns OpenCV's flow [H, W, 2] between two frames, as a function.

  Raises:
    UserError: OpenCV is missing.
  """
  try:
    import cv2  # An optional dependency; blocks need none.
  except ImportError as error:
    raise errors.UserError(
      'config field "data.motion" is "flow", which needs OpenCV; pip install'
      ' \'memae_jax[flow]\', or use "blocks"'
    ) from error
  search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

  def flow(one, two):
    try:
      return search.calc(one, two, None)
    except cv2.error as error:
      raise errors.UserError(
        f'OpenCV finds no flow in frames of {one.shape[1]}x{one.shape[0]}'
        f' pixels ({getattr(error, "err", "")}); set data.motion to "blocks"'
      ) from error

  return flow


def _cell_means(field: np.ndarray, side: int) -> np.ndarray:
  """Returns the means of a field [H, W, C] over cells; edges are continued."""
  height, width, channels = field.shape
  field = np.pad(
    field, ((0, -height % side), (0, -width % side), (0, 0)), 'edge'
  )
  cells = field.reshape(-(-height // side), side, -1, side, channels)
  return cells.mean(axis=(1, 3))


def of_videos(
  videos: Iterable[Any], settings: Settings, size: tuple[int, int]
) -> tuple[np.ndarray, list[float]]:
  """Returns the motion of videos in memory, as `cached` does.

  Args:
    videos: frames [T, H, W, 1] uint8 of each.
    settings: of the motion.
    size: rows and columns of the result.
  """
  fields, shaken = zip(*(of_video(v, settings, size) for v in videos))
  return np.concatenate([field[:] for field in fields]), list(shaken)


def cached(
  folder: pathlib.Path,
  files: Iterable[pathlib.Path],
  videos: Sequence[decode_video.Video],
  settings: Settings,
  size: tuple[int, int],
) -> tuple[np.ndarray, list[float]]:
  """Returns the motion of videos, from the cache of frames if it is there.

  Args:
    folder: of the cache.
    files: that the videos are read from; if one changes, so does the entry.
    videos: to decode, one after another, if there is no such entry.
    settings: of the motion.
    size: rows h and columns w.

  Returns:
    [F, h, w, C] float16 of all frames, read-only; and of each video the share
    of frames that move as a whole.

  Raises:
    UserError: see `of_video` and `decode_video.decode`.
  """
  name = frame_cache.fingerprint(files, 'motion', _FORMAT, settings, size)

  def compute(scratch):
    progress = progress_bar.Progress('motion', len(videos))
    for number, video in enumerate(videos, 1):
      grey = decode_video.decode(video, 0, 'grey', scratch).frames
      yield of_video(grey, settings, size, scratch)
      progress.at(number, 'videos')
    progress.close()

  fields, _, shaken = frame_cache.load(folder, name, compute)
  return fields, shaken


def warnings(
  names: Sequence[str],
  shaken: Sequence[float],
  footage: Sequence[types.Footage],
) -> tuple[str, ...]:
  """Returns a line for each kind of videos whose motion is doubtful.

  Args:
    names: of the videos.
    shaken: of each, the share of frames that move as a whole.
    footage: of each.
  """
  doubts = {
    'move as a whole, as if the camera shook or panned; motion is of the'
    ' picture, and not of what it shows: hold the camera still, or steady the'
    ' video before': [share > _OFTEN for share in shaken],
    'lie at uneven times, but motion is from frame to frame; give'
    ' videos of an even rate': [_is_uneven(one.seconds) for one in footage],
  }
  lines = []
  for doubt, of_video in doubts.items():
    found = [foreign.name_of(n) for n, bad in zip(names, of_video) if bad]
    if found:
      many = f' and {len(found) - 1} more' if len(found) > 1 else ''
      lines.append(f'frames of video "{found[0]}"{many} {doubt}')
  return tuple(lines)


def _is_uneven(seconds: Sequence[float] | None) -> bool:
  """Returns whether frames lie at uneven times; False if these are unknown."""
  if seconds is None or len(seconds) < 2:
    return False
  gaps = np.diff(seconds)
  return bool(gaps.max() > _UNEVEN * gaps.min())
