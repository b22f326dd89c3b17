"""Frame-level metrics of videos, each under a name of its own.

A published "frame AUC" may be any of three numbers that differ by many points
on the same scores, so all three are given under names of their own:

- `auroc`: micro and raw. One ROC over all scored frames of all videos.
- `auroc_normalised`: micro, after `normalise`, as MemAE, Frame-Pred, MNAD and
  most others report it: equation 12 of the MemAE paper. It reads the whole
  video, future included, and takes for granted that each video has an anomaly.
- `auroc_macro`: mean of the AUROC of each video, over those with both classes.
  Some papers pad the other videos with made-up frames instead; here they are
  left out, counted and named. Normalising a video leaves its ROC as it is, so
  there is only one.

Average precision and equal error rate are micro, raw and normalised alike.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import sklearn.metrics

from memae_jax import losses
from memae_jax.evaluation.metrics import detection
from memae_jax.runtime import errors

_POOLED = ('auroc', 'average_precision', 'eer')
METRICS = (
  *_POOLED,
  *(f'{name}_normalised' for name in _POOLED),
  'auroc_macro',
  'base_rate',
)


class FrameScores(NamedTuple):
  """Scored frames of some videos; frames without a score are left out.

  score: [S], higher is more anomalous.
  anomalous: [S] bool.
  video: [S] int, index of one of the V videos.
  frame: [S] int, index in that video.
  names: [V] of the videos.
  lengths: [V] frames of each video, scored or not.
  rates: [V] frames per second, None where it is not known; empty: of none.
  """

  score: np.ndarray
  anomalous: np.ndarray
  video: np.ndarray
  frame: np.ndarray
  names: Sequence[str]
  lengths: Sequence[int]
  rates: Sequence[float | None] = ()


def checked(frames: FrameScores) -> FrameScores:
  """Checks frames, converts their types, and sorts them by video and frame.

  Raises:
    UserError: a score is not finite, lengths differ, a frame does not exist,
      or one is scored twice.
  """
  score, anomalous = detection.labelled(frames.score, frames.anomalous)
  video, frame = np.asarray(frames.video), np.asarray(frames.frame)
  if not score.shape == video.shape == frame.shape:
    raise errors.UserError(
      f'score has {score.size} frames, but video has shape {video.shape} and'
      f' frame {frame.shape}; give one of each for each score'
    )
  lengths = np.asarray(frames.lengths, np.int64)
  if len(lengths) != len(frames.names):
    raise errors.UserError(
      f'{len(frames.names)} names of videos, but {len(lengths)} lengths'
    )
  if np.any((video < 0) | (video >= len(lengths))):
    raise errors.UserError(f'video has values outside 0 to {len(lengths) - 1}')
  wrong = np.flatnonzero((frame < 0) | (frame >= lengths[video]))
  if wrong.size:
    i = wrong[0]
    raise errors.UserError(
      f'video "{frames.names[video[i]]}" has {lengths[video[i]]} frames, but'
      f' its frame {frame[i]} (from 0) has a score'
    )
  order = np.lexsort((frame, video))
  video, frame = video[order], frame[order]
  twice = np.flatnonzero((np.diff(video) == 0) & (np.diff(frame) == 0))
  if twice.size:
    i = twice[0]
    raise errors.UserError(
      f'frame {frame[i]} of video "{frames.names[video[i]]}" has several'
      ' scores; give one'
    )
  return frames._replace(
    score=score[order], anomalous=anomalous[order], video=video, frame=frame
  )


def normalise(score: np.ndarray, video: np.ndarray) -> np.ndarray:
  """Returns [S] scores scaled to [0, 1] within each video.

  This is one minus equation 12 of the MemAE paper. It is not defined where all
  scores of a video are equal: these become 0, that is normal.

  Args:
    score: [S].
    video: [S] int, the video of each frame.
  """
  out = np.zeros(score.shape)
  for number in np.unique(video):
    inside = video == number
    low, high = score[inside].min(), score[inside].max()
    if high > low:
      out[inside] = (score[inside] - low) / (high - low)
  return out


def average_clips(error: np.ndarray, number: np.ndarray) -> np.ndarray:
  """Scores the centre frame of each clip by its mean error over all clips.

  The same frames are scored as by other rules, so that results compare; frames
  near the ends of a video are in fewer clips. The released code does not
  average.

  Args:
    error: [K, T] of each frame of each clip.
    number: [K, T] int, the number of that frame among all frames.

  Returns:
    [K] float32.
  """
  _, place = np.unique(number, return_inverse=True)
  place = place.reshape(number.shape)
  mean = np.bincount(place.ravel(), error.ravel()) / np.bincount(place.ravel())
  return mean[losses.scored_frame(place)].astype(np.float32)


def evaluate(
  frames: FrameScores,
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns every metric, and why the undefined ones are so.

  Args:
    frames: of all test videos.

  Returns:
    metrics: every name of `METRICS`, None where undefined.
    reasons: one sentence for each undefined metric.

  Raises:
    UserError: see `checked`.
  """
  frames = checked(frames)
  normalised = normalise(frames.score, frames.video)
  out, reasons = {}, {}
  for score, end in ((frames.score, ''), (normalised, '_normalised')):
    values, why = detection.evaluate(score, frames.anomalous, ())
    out |= {f'{name}{end}': value for name, value in values.items()}
    reasons |= {f'{name}{end}': text for name, text in why.items()}
  aurocs = [row['auroc'] for row in videos(frames)]
  aurocs = [value for value in aurocs if value is not None]
  out['auroc_macro'] = float(np.mean(aurocs)) if aurocs else None
  if not aurocs:
    reasons['auroc_macro'] = 'no video has both normal and anomalous frames'
  return (
    {name: out[name] for name in METRICS},
    {name: reasons[name] for name in METRICS if name in reasons},
  )


def videos(frames: FrameScores) -> list[dict[str, Any]]:
  """Returns a row for each video: counts of its frames, and its AUROC.

  `dropped` are the frames without a score, as [first, last] ranges. `constant`
  says that all scores are equal, so that `normalise` is not defined. `auroc`
  is None where it is undefined; `reason` then says why.

  Raises:
    UserError: see `checked`.
  """
  frames, rows = checked(frames), []
  for i, (name, length) in enumerate(zip(frames.names, frames.lengths)):
    inside = frames.video == i
    score, anomalous = frames.score[inside], frames.anomalous[inside]
    missing = np.setdiff1d(np.arange(length), frames.frame[inside])
    row = {
      'name': name,
      'frames': int(length),
      'scored': int(inside.sum()),
      'anomalous': int(anomalous.sum()),
      'dropped': spans(missing),
      'constant': bool(score.size) and bool(score.min() == score.max()),
      'auroc': None,
    }
    if not score.size:
      row['reason'] = 'no frame has a score'
    elif anomalous.all():
      row['reason'] = 'every scored frame is anomalous'
    elif not anomalous.any():
      row['reason'] = 'every scored frame is normal'
    else:
      row['auroc'] = float(sklearn.metrics.roc_auc_score(anomalous, score))
    rows.append(row)
  return rows


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
  """Sums up the rows of `videos`: counts, and names of special videos."""
  return {
    'videos': len(rows),
    'frames': sum(row['frames'] for row in rows),
    'scored_frames': sum(row['scored'] for row in rows),
    'dropped_frames': sum(row['frames'] - row['scored'] for row in rows),
    'macro_videos': sum(row['auroc'] is not None for row in rows),
    'undefined_videos': {
      row['name']: row['reason'] for row in rows if row['auroc'] is None
    },
    'constant_videos': [row['name'] for row in rows if row['constant']],
  }


def spans(index: np.ndarray) -> list[list[int]]:
  """Returns sorted indices [n] as [first, last] ranges."""
  if not len(index):
    return []
  parts = np.split(index, np.flatnonzero(np.diff(index) > 1) + 1)
  return [[int(part[0]), int(part[-1])] for part in parts]
