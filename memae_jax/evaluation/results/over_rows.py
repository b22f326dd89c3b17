"""Differences between methods and rows of videos that learn nothing.

Both are scored on the same frames, so a difference is paired: whole videos are
drawn with replacement, the same ones for both. How many videos a method wins
says whether one of them decides.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.metrics import video_intervals
from memae_jax.evaluation.scoring import scores

ROWS = ('frame_difference', 'no_bank')
METRIC = 'auroc_normalised'
Measured = tuple[scores.ReplicaScores, Mapping[str, Any]]


def summary(
  networks: Sequence[Measured], baselines: Sequence[Measured], resamples: int
) -> dict[str, Any]:
  """Returns the entry `over_rows` of `results.json`.

  Args:
    networks: the scores of each replica, and its metrics.
    baselines: those of each baseline and split.
    resamples: of the videos; 0: no intervals.

  Returns:
    {method: {row: ...}} with the difference of the AUROC normalised in each
    video (None: it is undefined), its `ci95` over videos (None: there is none),
    and of the `videos` that have both kinds of frames those that are `won` and
    `lost`, by the mean AUROC of the video. All are of means over the replicas
    of a method. Empty where samples are no videos.
  """
  by_name: dict[str, list[Measured]] = {}
  for replica, values in (*networks, *baselines):
    if replica.frames is not None:
      of_name = by_name.setdefault(replica.fields['variant'], [])
      of_name.append((replica, values))
  rows = [name for name in ROWS if name in by_name]
  methods = dict.fromkeys(r.fields['variant'] for r, _ in networks)
  if not rows:
    return {}
  found = {name: _means(by_name[name], resamples) for name in (*methods, *rows)}
  return {
    method: {row: _difference(found[method], found[row]) for row in rows}
    for method in methods
  }


def _means(group: Sequence[Measured], resamples: int) -> dict[str, Any]:
  """Returns means over replicas: of the metric, its resamples and videos."""
  values = [values[METRIC] for _, values in group]
  drawn = [
    video_intervals.resampled(r.frames, resamples)[METRIC] for r, _ in group
  ]
  videos = [
    [np.nan if v['auroc'] is None else v['auroc'] for v in of_replica]
    for of_replica in (frames_lib.videos(r.frames) for r, _ in group)
  ]
  return {
    'value': None if None in values else float(np.mean(values)),
    'drawn': np.mean(drawn, axis=0),
    'videos': np.mean(videos, axis=0),
  }


def _difference(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict:
  gaps = one['drawn'] - other['drawn']
  gaps = gaps[np.isfinite(gaps)]
  by_video = one['videos'] - other['videos']
  by_video = by_video[np.isfinite(by_video)]
  defined = None not in (one['value'], other['value'])
  several = len(gaps) and len(one['videos']) > 1
  return {
    'difference': one['value'] - other['value'] if defined else None,
    'ci95': np.quantile(gaps, (0.025, 0.975)).tolist() if several else None,
    'videos': len(by_video),
    'won': int(np.sum(by_video > 0)),
    'lost': int(np.sum(by_video < 0)),
  }
