"""Evaluation of clips of videos: score rules, frame scores and regions."""

import numpy as np
import scipy.ndimage

from memae_jax import losses
from memae_jax.data import types
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.metrics import regions
from memae_jax.methods import base

_REACH = 4  # Deviations at which the Gaussian of `smoothed` ends.


def by_rule(
  source: types.Source,
  scored: base.Prediction,
  index: int,
  rows: np.ndarray,
  deviation: float = 0.0,
) -> dict[str, np.ndarray]:
  """Returns the scores [n] of some samples by every rule.

  Args:
    source: of the samples.
    scored: prediction of the fleet, [R, n or more, ...], on the host.
    index: of the replica.
    rows: [n] samples, in the order of their scores.
    deviation: see `smoothed`.
  """
  scores = {k: v[index, : len(rows)] for k, v in scored.scores.items()}
  for name, values in scores.items():
    if values.ndim > 1:  # Scores of frames, see `losses.Rule.over_clips`.
      number = losses.around_scored(source.inputs.number[rows], values.shape[1])
      scores[name] = frames_lib.average_clips(values, number)
  return {
    name: smoothed(source, rows, values, deviation)
    for name, values in scores.items()
  }


def smoothed(
  source: types.Source, rows: np.ndarray, score: np.ndarray, deviation: float
) -> np.ndarray:
  """Returns scores smoothed over the frames of each video by a Gaussian.

  Weights of frames without a score, and beyond the ends, go to the others.

  Args:
    source: of the samples.
    rows: [n] samples.
    score: [n].
    deviation: of the Gaussian, in frames; 0, or samples that are no videos:
      the scores stay as they are.

  Returns:
    [n] of the type of `score`.
  """
  if not deviation or source.videos is None:
    return score
  out, blur = (
    np.empty_like(score),
    lambda x: scipy.ndimage.gaussian_filter1d(
      x, deviation, mode='constant', truncate=_REACH
    ),
  )
  of_video, frame = source.videos.video[rows], source.videos.frame[rows]
  for video in np.unique(of_video):
    inside = np.flatnonzero(of_video == video)
    first = frame[inside].min()
    length = frame[inside].max() - first + 1
    at = frame[inside] - first
    total, known = np.zeros(length), np.zeros(length)
    np.add.at(total, at, score[inside].astype(np.float64))
    np.add.at(known, at, 1.0)
    out[inside] = blur(total)[at] / blur(known)[at]
  return out


def smoothing_reach(deviation: float) -> int:
  """Returns how many later frames `smoothed` takes for the score of one."""
  return int(_REACH * deviation + 0.5)


def frames(
  source: types.Source,
  rows: np.ndarray,
  score: np.ndarray,
  anomalous: np.ndarray,
  frame_rate: float = 0.0,
) -> frames_lib.FrameScores | None:
  """Returns the scores of clips as scores of frames; None without videos.

  Args:
    source: of the samples.
    rows: [n] samples.
    score: [n].
    anomalous: [n] bool.
    frame_rate: `eval.frame_rate`, of videos that state none; 0: not known.
  """
  if source.videos is None:
    return None
  which, video = np.unique(source.videos.video[rows], return_inverse=True)
  stated = [footage.rate for footage in source.videos.footage]
  rates = stated or [None] * len(source.videos.names)
  return frames_lib.FrameScores(
    score=score,
    anomalous=anomalous,
    video=video,
    frame=source.videos.frame[rows],
    names=[source.videos.names[i] for i in which],
    lengths=source.videos.lengths[which],
    rates=[rates[i] or frame_rate or None for i in which],
  )


def of_split(
  source: types.Source,
  split: types.Split,
  score: np.ndarray,
  validation_score: np.ndarray,
  frame_rate: float,
) -> dict[str, frames_lib.FrameScores | None]:
  """Returns `frames` of the test set and `normal_frames` of the validation.

  Args:
    source: of the samples.
    split: of them.
    score: [T] of the test samples.
    validation_score: [V] of the validation normals.
    frame_rate: see `frames`.
  """
  normal = np.zeros(len(split.validation), bool)
  return {
    'frames': frames(source, split.test, score, split.anomalous, frame_rate),
    'normal_frames': frames(
      source, split.validation, validation_score, normal, frame_rate
    ),
  }


def find_regions(
  source: types.Source, rows: np.ndarray, maps: np.ndarray
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns the metrics of `regions`; none where there are no videos.

  Args:
    source: of the samples, with masks.
    rows: [M] samples.
    maps: [M, H, W] error maps of these samples.

  Returns:
    Metrics by name, and the reasons of the undefined ones.
  """
  if source.videos is None:
    return {}, {}
  order = np.lexsort((source.videos.frame[rows], source.videos.video[rows]))
  rows = rows[order]
  return regions.evaluate(
    maps[order], source.masks[rows], source.videos.video[rows]
  )
