"""Alarms per hour of videos, as an exported scorer keeps them."""

import math
from typing import Any

import numpy as np

from memae_jax.evaluation.metrics import events, hourly
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.scoring import clip_scores
from memae_jax.exported import hourly as exported_hourly
from memae_jax.training import experiment

_MOST = 20_000  # Thresholds in a file, for so many alarms and fewer.


def stored(
  exp: experiment.Experiment, index: int, score: np.ndarray
) -> dict[str, Any]:
  """Returns the alarms per hour of a replica for meta.json.

  Args:
    exp: the experiment, of videos.
    index: of the replica.
    score: [V] of its validation normals.

  Returns:
    The entry `hourly`, see `exported.hourly`, in which the threshold of
    `eval.alarms_per_hour` stands; or `refusal`, why there is none.
  """
  rows, config = exp.splits[index].validation, exp.config.eval
  if not len(rows):
    return {'refusal': events.NO_THRESHOLD}
  normal = clip_scores.frames(
    *(exp.source, rows, score, np.zeros(len(rows), bool)), config.frame_rate
  )
  return of_normals(normal, config.alarms_per_hour, config.alarm_gap)


def of_normals(
  normal: frames_lib.FrameScores, per_hour: float, gap: float
) -> dict[str, Any]:
  """Returns `stored` of scored normal frames.

  Args:
    normal: of the validation, one or more.
    per_hour: alarms that the run is set to; 0: none.
    gap: seconds, see `hourly.alarms`.
  """
  normal = frames_lib.checked(normal)
  rates, length = events.rates(normal), hourly.hours(normal)
  if rates is None or length is None:
    return {'refusal': f'{events.NO_RATE}, and export the run again'}
  scored = rates[np.unique(normal.video)]
  gaps = {math.ceil(gap * rate) for rate in scored.tolist()}
  if len(gaps) > 1:
    return {
      'refusal': 'the validation videos have several frame rates, so that'
      f' {gap:g} seconds are {min(gaps)} to {max(gaps)} frames; train on videos'
      ' of one rate, or set eval.alarm_gap to 0'
    }
  limits = hourly.limits(normal, gap)
  is_set = per_hour and not hourly.too_short(length, per_hour)
  return {
    'alarms_per_hour': per_hour,
    'threshold': exported_hourly.of_rate(limits, length, per_hour)
    if is_set
    else None,
    'gap_seconds': gap,
    'gap_frames': gaps.pop(),
    'frame_rate': float(np.median(scored)),
    'hours': length,
    'limits': limits[:_MOST],
    'not_guaranteed': exported_hourly.NOT_GUARANTEED,
  }
