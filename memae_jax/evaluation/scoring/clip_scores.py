"""Evaluation of clips of videos: score rules, frame scores and regions."""

import numpy as np

from memae_jax.data import transforms, types
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.metrics import regions
from memae_jax.methods import base


def by_rule(
  source: types.Source, scored: base.Prediction, index: int, rows: np.ndarray
) -> dict[str, np.ndarray]:
  """Returns the scores [n] of some samples by every rule.

  Args:
    source: of the samples.
    scored: prediction of the fleet, [R, n or more, ...], on the host.
    index: of the replica.
    rows: [n] samples, in the order of their scores.
  """
  scores = {k: v[index, : len(rows)] for k, v in scored.scores.items()}
  for name, values in scores.items():
    if values.ndim > 1:  # Scores of frames, see `losses.Rule.over_clips`.
      number = source.inputs.number[rows]
      scores[name] = frames_lib.average_clips(values, number)
  return scores


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


def frame_difference(
  source: types.Source, transform: types.Transform, rows: np.ndarray
) -> np.ndarray:
  """Returns [n] mean squared changes from the frame before the scored one.

  The first frame of a video has the change to the one after it.

  Args:
    source: of clips.
    transform: raw inputs -> model inputs; where these are no frames, frames
      are brought to [-1, 1].
    rows: [n] samples.
  """
  frames, scale = source.inputs.frames, lambda x: transforms.apply(x, transform)
  if source.pictures is not None:
    frames, scale = source.pictures, lambda x: x.astype(np.float32) / 127.5 - 1
  out = np.empty(len(rows), np.float32)
  for i, pair in enumerate(_with_neighbours(source, rows)):
    pair = scale(frames[pair])
    out[i] = np.square(pair[1] - pair[0]).mean()
  return out


def _with_neighbours(source: types.Source, rows: np.ndarray) -> np.ndarray:
  """Returns [n, 2] indices of frames: the scored ones, and what came before.

  In a clip that is its own frame before the scored one.
  """
  number, videos = source.inputs.number[rows], source.videos
  if number.ndim > 1:
    count = number.shape[1]
    at = count - 1 if source.inputs.scores_last else count // 2
    return number[:, at - 1 : at + 1]
  is_first = videos.frame[rows] == 0
  is_alone = videos.lengths[videos.video[rows]] == 1
  before = np.where(
    is_first, np.where(is_alone, number, number + 1), number - 1
  )
  return np.stack([before, number], axis=1)
