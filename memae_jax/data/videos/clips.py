"""Samples that are clips of videos and share the frames they are made of."""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from memae_jax import losses
from memae_jax.data import types
from memae_jax.data.videos import motion
from memae_jax.runtime import errors, foreign

_MOST_RATES = 4  # Frame rates that the remark lists.


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Gathered:
  """Samples [S, ...] that are made of frames, copied only when read.

  It is indexed like an array (`feed.Inputs`), by several threads at once; if
  its arrays are on a device, also inside compiled programs.

  frames: [F, ...], in memory, a memory map or on disk, or a `views.View`.
  number: [S] or [S, T] int32, indices into `frames`: the frames of each sample.
  scores_last: whether the score of a clip is for its last frame, and not for
    the one of `losses.scored_frame`.
  """

  frames: np.ndarray
  number: np.ndarray
  scores_last: bool = dataclasses.field(
    default=False, metadata={'static': True}
  )

  @property
  def shape(self) -> tuple[int, ...]:
    """Shape of all samples: [S] or [S, T], followed by that of a frame."""
    return self.number.shape + self.frames.shape[1:]

  @property
  def dtype(self) -> np.dtype:
    """Type of the values of the frames."""
    return self.frames.dtype

  def __len__(self) -> int:
    return len(self.number)

  def __getitem__(self, index: Any) -> np.ndarray:
    return self.frames[self.number[index]]

  @property
  def scored(self) -> np.ndarray:
    """Indices [S] into `frames`: the frame that a clip's score is for."""
    if self.number.ndim == 1:
      return self.number
    if self.scores_last:
      return self.number[:, -1]
    return losses.scored_frame(self.number)

  def take(self, rows: np.ndarray) -> 'Gathered':
    """Returns the samples at indices [n], which share the same frames."""
    return Gathered(self.frames, self.number[rows], self.scores_last)

  def distinct(self, rows: np.ndarray) -> np.ndarray:
    """Returns the frames [n, ...] that the samples are made of, each once.

    Args:
      rows: indices of the samples.
    """
    return self.frames[np.unique(self.number[rows])]

  @functools.cached_property
  def digests(self) -> np.ndarray:
    """The SHA-256 of each frame, [F, 32] uint8."""
    digest = lambda frame: hashlib.sha256(np.ascontiguousarray(frame)).digest()
    content = b''.join(digest(frame) for frame in self.frames)
    return np.frombuffer(content, np.uint8).reshape(-1, 32)

  def contents(self) -> np.ndarray:
    """Returns [S, 1 or T] int64; rows are equal where all frames are."""
    _, same = np.unique(self.digests, axis=0, return_inverse=True)
    return same.ravel()[self.number].reshape(len(self), -1)


class Video(NamedTuple):
  """Facts about a video, without its frames.

  name: shown to people; a training and a test video may share one.
  length: number of frames.
  is_test: whether it is a test video; a training video is normal throughout.
  labels: [length], 1 where a frame is anomalous; None: not known, or normal.
  masks: index of the mask of its first frame among the masks of all videos;
    those of its other frames follow. None: it has no masks.
  footage: how it was filmed.
  """

  name: str
  length: int
  is_test: bool
  labels: np.ndarray | None = None
  masks: int | None = None
  footage: types.Footage = types.Footage()


def span(config: Any) -> int:
  """Number of frames of the video from a clip's first to its last, both in."""
  return (config.clip_frames - 1) * config.frame_step + 1


def starts(length: int, config: Any, stride: int = 1) -> np.ndarray:
  """Returns the first frame [n] int32 of each clip of a video.

  A clip takes `config.clip_frames` frames, each `config.frame_step` after the
  one before, and never pads.

  Args:
    length: frames of the video.
    config: the resolved `config.data`.
    stride: frames from the start of one clip to that of the next.
  """
  return np.arange(0, length - span(config) + 1, stride, dtype=np.int32)


def numbers(length: int, config: Any, stride: int = 1) -> np.ndarray:
  """Returns the frames [n, T] int32 of each clip of a video; see `starts`."""
  steps = np.arange(config.clip_frames, dtype=np.int32) * config.frame_step
  return starts(length, config, stride)[:, None] + steps


def of_one(name: str, frames: Any, config: Any) -> Gathered:
  """Returns all clips of a video.

  Args:
    name: of the video, for the message.
    frames: [F, H, W, C].
    config: the resolved `config.data`.

  Raises:
    UserError: the video is shorter than a clip.
  """
  number = numbers(len(frames), config)
  if not len(number):
    raise errors.UserError(
      f'{name} has {len(frames)} frames, but a clip takes {span(config)}; give'
      ' a longer video'
    )
  return Gathered(frames, _samples(number), _scores_last(config))


def centre(config: Any) -> int:
  """Offset of the frame that a clip's score is for from the clip's first frame.

  See `Gathered`; frames between those of the clip count, too.
  """
  if _scores_last(config):
    return span(config) - 1
  frames = np.arange(config.clip_frames)[None] * config.frame_step
  return int(losses.scored_frame(frames)[0])


def _scores_last(config) -> bool:
  """Returns whether scores are for the last frames, see `config.data_of`."""
  return getattr(config, 'scored', 'middle') == 'last'


def look_ahead(config: Any) -> int:
  """Returns how many later frames of a video the score of a frame needs.

  Args:
    config: the resolved `config.data`.
  """
  later, how = span(config) - 1 - centre(config), motion.settings(config)
  return later + (how.look_ahead if how else 0)


class Reading(NamedTuple):
  """Notes from reading the videos, which a Source of clips takes over.

  Each is as in `types.Source`.

  dropped: the files that were left out.
  notes: plain facts for the results.
  remarks: how the files were read.
  warnings: what makes the numbers doubtful.
  pictures: see `types.Source`.
  """

  dropped: tuple[dict[str, Any], ...] = ()
  notes: dict[str, Any] = {}
  remarks: tuple[str, ...] = ()
  warnings: tuple[str, ...] = ()
  pictures: Any = None


class _VideoClips(NamedTuple):
  """The n clips of one video.

  number: [n, T] int32, indices of their frames among those of all videos; [n]
    for clips of one frame.
  scored: [n] int32, the scored frame of each, counted from 0 in the video.
  labels: [n] int32, of the scored frames.
  masks: [n] int32, indices of the masks of the scored frames.
  has_mask: [n] bool, whether that mask is known.
  """

  number: np.ndarray
  scored: np.ndarray
  labels: np.ndarray
  masks: np.ndarray
  has_mask: np.ndarray


def source(
  name: str,
  frames: np.ndarray,
  videos: Sequence[Video],
  config: Any,
  masks: np.ndarray | None = None,
  labelled: bool = True,
  reading: Reading | None = None,
) -> types.Source:
  """Makes a Source whose samples are clips, or single frames where T is 1.

  Every frame of a test video that has enough neighbours is the centre of one
  clip. Training clips begin `config.clip_stride` frames apart.

  Args:
    name: of the data set.
    frames: [F, H, W, C] of all videos, one after the other: uint8, or what
      networks see of them.
    videos: in the order of their frames.
    config: the resolved `config.data`.
    masks: [M, H, W] bool; the first one is empty, for frames without a mask.
    labelled: whether the test videos have labels.
    reading: notes from reading the videos.

  Raises:
    UserError: a video is shorter than a clip.
  """
  reading = reading or Reading()
  lengths = np.array([video.length for video in videos], np.int32)
  test = np.array([video.is_test for video in videos])
  firsts = (np.cumsum(lengths) - lengths).tolist()
  parts = [
    _video_clips(name, video, first, config)
    for video, first in zip(videos, firsts)
  ]
  number, scored, labels, mask, has_mask = map(np.concatenate, zip(*parts))
  counts = [len(part.scored) for part in parts]
  of_video = np.repeat(np.arange(len(videos), dtype=np.int32), counts)
  is_test = test[of_video]
  return types.Source(
    name=name,
    inputs=Gathered(frames, number, _scores_last(config)),
    labels=labels,
    label_names=('normal', 'anomalous'),
    normal_labels=(0,),
    is_test=is_test if test.any() else None,
    masks=None if masks is None else Gathered(masks, mask),
    has_mask=None if masks is None else has_mask,
    videos=types.Videos(
      tuple(foreign.name_of(video.name) for video in videos),
      lengths,
      of_video,
      scored,
      tuple(video.footage for video in videos),
    ),
    labelled=labelled and bool(test.any()),
    dropped=reading.dropped + _unscored(lengths[test], is_test.sum(), config),
    notes=_counts(lengths, test, config) | reading.notes,
    remarks=(*_summary(videos), *reading.remarks),
    warnings=(
      *(line for v in videos for line in v.footage.warnings),
      *reading.warnings,
    ),
    pictures=reading.pictures,
  )


def _video_clips(name, video, first, config) -> _VideoClips:
  """Returns the clips of a video whose first frame has index `first`."""
  stride = 1 if video.is_test else config.clip_stride
  number = numbers(video.length, config, stride)
  if not len(number):
    raise errors.UserError(
      f'data set "{name}": video "{foreign.name_of(video.name)}" has'
      f' {video.length} frames, but a clip takes {span(config)}; remove the'
      ' video, or lower data.clip_frames or data.frame_step'
    )
  scored = number[:, 0] + centre(config)
  labels = masks = np.zeros(len(scored), np.int32)
  if video.labels is not None:
    labels = video.labels[scored].astype(np.int32)
  if video.masks is not None:
    masks = scored + np.int32(video.masks)
  has_mask = (labels == 0) | (video.masks is not None)
  number = first + _samples(number)
  return _VideoClips(number, scored, labels, masks, has_mask)


def _samples(number: np.ndarray) -> np.ndarray:
  """Returns the frames of clips [n, T]; of clips of one frame, [n]."""
  return number[:, 0] if number.shape[1] == 1 else number


def _unscored(lengths, clips, config) -> tuple[dict[str, Any], ...]:
  """Returns the entry of `dropped` for test frames that get no score, if any.

  Args:
    lengths: [v], frames of each test video.
    clips: how many clips the test videos have.
    config: the resolved `config.data`.
  """
  count = int(lengths.sum() - clips)
  ends, place = 'both ends', 'the centre'
  if _scores_last(config):
    ends, place = 'the beginning', 'the last one'
  why = (
    f'frames at {ends} of {len(lengths)} test videos, which are {place} of no'
    f' clip of {span(config)} frames'
  )
  return ({'count': count, 'why': why},) if count else ()


def _counts(lengths, test, config) -> dict[str, Any]:
  """Returns the notes on videos [V], of which some are for tests [V] bool."""
  count = lambda of_part: {
    'videos': int(of_part.sum()),
    'frames': int(lengths[of_part].sum()),
  }
  return {
    'train_videos': count(~test),
    'test_videos': count(test),
    'scored_frame_of_a_clip': centre(config),
  }


def _summary(videos: Sequence[Video]) -> Iterator[str]:
  """Yields a line on the videos that were read, and one on their rates."""
  parts = {'train': [], 'test': []}
  for video in videos:
    parts['test' if video.is_test else 'train'].append(video)
  counts = [
    f'{name}: {len(part)} {"video" if len(part) == 1 else "videos"},'
    f' {sum(video.length for video in part):,} frames'
    for name, part in parts.items()
    if part
  ]
  yield '; '.join(counts)
  rates = {}
  for video in videos:
    rates.setdefault(video.footage.rate, []).append(video.name)
  known = sorted(rate for rate in rates if rate)
  if known:
    examples = (
      f'{rate:.4g} ({len(rates[rate])}, such as'
      f' {foreign.name_of(rates[rate][0])})'
      for rate in known[:_MOST_RATES]
    )
    more = ', ...' if len(known) > _MOST_RATES else ''
    unknown = f'; not known for {len(rates[None])}' if None in rates else ''
    yield f'frames per second: {", ".join(examples)}{more}{unknown}'
  else:
    yield (
      'frames per second: not known; films play'
      f' {types.FILM_RATE} per second, or as eval.frame_rate says'
    )
