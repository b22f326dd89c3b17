"""Clips of videos as samples, which share the frames that they are made of."""

import dataclasses
import functools
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from memae_jax import losses
from memae_jax.data import types
from memae_jax.runtime import errors, foreign

_MOST_RATES = 4  # That are shown.


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class Gathered:
  """Samples [S, ...] that are made of frames, copied only when read.

  It reads like an array (`feed.Inputs`), from several threads at once; of
  arrays on a device, also inside compiled programs.

  frames: [F, ...], in memory, a memory map or on disk.
  number: [S] or [S, T] int32, the frames of each sample.
  """

  frames: np.ndarray
  number: np.ndarray

  @property
  def shape(self) -> tuple[int, ...]:
    """Of all samples: that of `number`, and that of a frame."""
    return self.number.shape + self.frames.shape[1:]

  @property
  def dtype(self) -> np.dtype:
    """Of the frames."""
    return self.frames.dtype

  def __len__(self) -> int:
    return len(self.number)

  def __getitem__(self, index: Any) -> np.ndarray:
    return self.frames[self.number[index]]

  @property
  def scored(self) -> np.ndarray:
    """The frame [S] that the score of each clip belongs to."""
    return losses.scored_frame(self.number)

  def take(self, rows: np.ndarray) -> 'Gathered':
    """Returns some samples, of the same frames."""
    return Gathered(self.frames, self.number[rows])

  def distinct(self, rows: np.ndarray) -> np.ndarray:
    """Returns the frames [n, ...] that some samples are made of, each once."""
    return self.frames[np.unique(self.number[rows])]

  @functools.cached_property
  def digests(self) -> np.ndarray:
    """The SHA-256 of each frame, [F, 32] uint8."""
    digest = lambda frame: hashlib.sha256(np.ascontiguousarray(frame)).digest()
    content = b''.join(digest(frame) for frame in self.frames)
    return np.frombuffer(content, np.uint8).reshape(-1, 32)

  def contents(self) -> np.ndarray:
    """Returns [S, 1 or T] int64: equal rows are samples of equal frames."""
    _, same = np.unique(self.digests, axis=0, return_inverse=True)
    return same.ravel()[self.number].reshape(len(self), -1)


class Video(NamedTuple):
  """What is known of a video beside its frames.

  name: for people.
  length: frames.
  is_test: else it is one to train on, and all of it is normal.
  labels: [length], 1 where a frame is anomalous; None: not known, or normal.
  masks: where the masks [length, H, W] of its frames begin among all masks;
    None: it has none.
  footage: how it was filmed.
  """

  name: str
  length: int
  is_test: bool
  labels: np.ndarray | None = None
  masks: int | None = None
  footage: types.Footage = types.Footage()


def span(config: Any) -> int:
  """How many frames of a video a clip reaches over."""
  return (config.clip_frames - 1) * config.frame_step + 1


def starts(length: int, config: Any, stride: int = 1) -> np.ndarray:
  """Returns the first frames of the clips of a video.

  A clip takes `config.clip_frames` frames, each `config.frame_step` after the
  one before, and never pads.

  Args:
    length: frames of the video.
    config: the resolved `config.data`.
    stride: frames from the start of one clip to that of the next.
  """
  return np.arange(0, length - span(config) + 1, stride, dtype=np.int32)


def numbers(length: int, config: Any, stride: int = 1) -> np.ndarray:
  """Returns the frames [n, T] int32 of the clips of a video; see `starts`."""
  steps = np.arange(config.clip_frames, dtype=np.int32) * config.frame_step
  return starts(length, config, stride)[:, None] + steps


def of_one(name: str, frames: Any, config: Any) -> Gathered:
  """Returns all clips of a video.

  Args:
    name: of the video.
    frames: [F, H, W, C].
    config: the resolved `config.data`.

  Raises:
    UserError: it is shorter than a clip.
  """
  number = numbers(len(frames), config)
  if not len(number):
    raise errors.UserError(
      f'{name} has {len(frames)} frames, but a clip takes {span(config)}; give'
      ' a longer video'
    )
  return Gathered(frames, number)


def centre(config: Any) -> int:
  """Which frame of a clip, from its start, the score of the clip belongs to.

  See `losses.scored_frame`; frames between those of the clip count, too.
  """
  frames = np.arange(config.clip_frames)[None] * config.frame_step
  return int(losses.scored_frame(frames)[0])


def source(
  name: str,
  frames: np.ndarray,
  videos: Sequence[Video],
  config: Any,
  masks: np.ndarray | None = None,
  labelled: bool = True,
  dropped: tuple[dict[str, Any], ...] = (),
  notes: dict[str, Any] | None = None,
  remarks: tuple[str, ...] = (),
) -> types.Source:
  """Makes a Source whose samples are clips.

  Every frame of a test video that has enough neighbours is the centre of one
  clip. Training clips begin `config.clip_stride` frames apart.

  Args:
    name: of the data set.
    frames: [F, H, W, C] uint8 of all videos, one after the other.
    videos: in the order of their frames.
    config: the resolved `config.data`.
    masks: [M, H, W] bool; the first one is empty, for frames without.
    labelled: whether the test videos have labels.
    dropped: what was left out before.
    notes: plain facts for the results.
    remarks: what was read otherwise than a person may think.

  Raises:
    UserError: a video is shorter than a clip.
  """
  number, of_video, scored, labels, rows, known = [], [], [], [], [], []
  first = 0
  for which, video in enumerate(videos):
    own = numbers(
      video.length, config, 1 if video.is_test else config.clip_stride
    )
    if not len(own):
      raise errors.UserError(
        f'data set "{name}": video "{foreign.name_of(video.name)}" has'
        f' {video.length} frames, but a clip takes {span(config)}; remove the'
        ' video, or lower data.clip_frames or data.frame_step'
      )
    at = own[:, 0] + centre(config)
    nothing = np.zeros(video.length, np.int32)
    label = nothing if video.labels is None else video.labels
    mask = nothing
    if video.masks is not None:
      mask = np.arange(video.masks, video.masks + video.length, dtype=np.int32)
    number.append(first + own)
    of_video.append(np.full(len(at), which, np.int32))
    scored.append(at)
    labels.append(label[at].astype(np.int32))
    rows.append(mask[at])
    known.append((label[at] == 0) | (video.masks is not None))
    first += video.length
  lengths = np.array([video.length for video in videos], np.int32)
  test = np.array([video.is_test for video in videos])
  of_video = np.concatenate(of_video)
  is_test = test[of_video]
  unscored = int(lengths[test].sum() - is_test.sum())
  if unscored:
    why = (
      f'frames at both ends of {test.sum()} test videos, which are the centre'
      f' of no clip of {span(config)} frames'
    )
    dropped = (*dropped, {'count': unscored, 'why': why})
  count = lambda which: {
    'videos': int(which.sum()),
    'frames': int(lengths[which].sum()),
  }
  return types.Source(
    name=name,
    inputs=Gathered(frames, np.concatenate(number)),
    labels=np.concatenate(labels),
    label_names=('normal', 'anomalous'),
    normal_labels=(0,),
    is_test=is_test if test.any() else None,
    masks=None if masks is None else Gathered(masks, np.concatenate(rows)),
    has_mask=None if masks is None else np.concatenate(known),
    videos=types.Videos(
      tuple(foreign.name_of(video.name) for video in videos),
      lengths,
      of_video,
      np.concatenate(scored),
      tuple(video.footage for video in videos),
    ),
    labelled=labelled and bool(test.any()),
    dropped=dropped,
    notes={
      'train_videos': count(~test),
      'test_videos': count(test),
      'scored_frame_of_a_clip': centre(config),
      **(notes or {}),
    },
    remarks=(*_summary(videos), *remarks),
    warnings=tuple(line for v in videos for line in v.footage.warnings),
  )


def _summary(videos: Sequence[Video]) -> Iterator[str]:
  """What was read, in a line, and how fast it was filmed, in another."""
  parts = {'train': [], 'test': []}
  for video in videos:
    parts['test' if video.is_test else 'train'].append(video)
  counts = [
    f'{name}: {len(some)} {"video" if len(some) == 1 else "videos"},'
    f' {sum(video.length for video in some):,} frames'
    for name, some in parts.items()
    if some
  ]
  yield '; '.join(counts)
  rates = {}
  for video in videos:
    rates.setdefault(video.footage.rate, []).append(video.name)
  known = sorted(rate for rate in rates if rate)
  if known:
    shown = (
      f'{rate:.4g} ({len(rates[rate])}, such as'
      f' {foreign.name_of(rates[rate][0])})'
      for rate in known[:_MOST_RATES]
    )
    more = ', ...' if len(known) > _MOST_RATES else ''
    unknown = f'; not known of {len(rates[None])}' if None in rates else ''
    yield f'frames a second: {", ".join(shown)}{more}{unknown}'
  else:
    yield (
      'frames a second: not known; films play'
      f' {types.FILM_RATE} a second, or as eval.frame_rate says'
    )
