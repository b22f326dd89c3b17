"""Bootstrap intervals of frame-level metrics over the choice of test videos.

Frames of a video are far from independent, so whole videos are drawn, with
replacement. On the usual test sets the interval spans several points, more
than most published differences. It says how one trained network would do on
other test videos, and nothing about training noise.
"""

from typing import Any

import numpy as np

from memae_jax.evaluation.metrics import frames as frames_lib

METRICS = ('auroc', 'auroc_normalised', 'auroc_macro')


def _won(frames: frames_lib.FrameScores, score: np.ndarray) -> np.ndarray:
  """Counts the pairs that anomalies of each video win of normals of each.

  Args:
    frames: of all V test videos.
    score: [S] of the frames.

  Returns:
    [V, V]: of video i (anomalies) and video j (normals); a tie counts half.
  """
  count, bad = len(frames.names), frames.anomalous
  out = np.zeros((count, count))
  for j in range(count):
    normal = np.sort(score[~bad & (frames.video == j)])
    lower = np.searchsorted(normal, score[bad], 'left')
    upper = np.searchsorted(normal, score[bad], 'right')
    wins = (lower + upper) / 2
    out[:, j] = np.bincount(frames.video[bad], wins, minlength=count)
  return out


def resampled(
  frames: frames_lib.FrameScores, resamples: int, seed: int = 0
) -> dict[str, np.ndarray]:
  """Returns [resamples] values of each of `METRICS`, NaN where undefined.

  The pairs that anomalies of video i win of normals of video j are counted
  once. A resample is then a weighted sum of these counts, which is exact and
  cheap. With the same seed, two networks on the same videos see the same
  draws.

  Args:
    frames: of all test videos.
    resamples: how many.
    seed: of the draws.

  Raises:
    UserError: see `frames.checked`.
  """
  frames = frames_lib.checked(frames)
  count = len(frames.names)
  positives, negatives = (
    np.bincount(frames.video[kind], minlength=count)
    for kind in (frames.anomalous, ~frames.anomalous)
  )
  scored = positives + negatives > 0
  rng = np.random.default_rng(seed)
  drawn = np.zeros((resamples, count))
  if scored.any():
    drawn[:, scored] = rng.multinomial(
      scored.sum(), np.full(scored.sum(), 1 / scored.sum()), resamples
    )
  pairs = (drawn @ positives) * (drawn @ negatives)
  raw = _won(frames, frames.score)
  normalised = _won(frames, frames_lib.normalise(frames.score, frames.video))
  both = positives * negatives
  by_video = np.diag(raw) / np.maximum(both, 1)
  pooled = lambda won: np.einsum(
    'ri,ij,rj->r', drawn, won, drawn, optimize=True
  )
  parts = {
    'auroc': (pooled(raw), pairs),
    'auroc_normalised': (pooled(normalised), pairs),
    'auroc_macro': (drawn @ by_video, drawn @ (both > 0)),
  }
  return {
    name: np.where(under > 0, over / np.where(under > 0, under, 1), np.nan)
    for name, (over, under) in parts.items()
  }


def bootstrap(
  frames: frames_lib.FrameScores, resamples: int = 1000, seed: int = 0
) -> dict[str, dict[str, Any]]:
  """Returns 95 % percentile intervals over resampled videos.

  Resamples that do not define a metric are skipped, and counted.

  Args:
    frames: of all test videos.
    resamples: how many; 0 gives None.
    seed: of the draws.

  Returns:
    For each of `METRICS`: 'ci95' ([low, high], or None with a 'reason'), and
    the counts of 'resamples' that were used and that were 'skipped'.

  Raises:
    UserError: see `frames.checked`.
  """
  scored = len(np.unique(frames_lib.checked(frames).video))
  out = {}
  for name, values in resampled(frames, resamples, seed).items():
    used = np.isfinite(values)
    out[name] = {
      'ci95': None,
      'resamples': int(used.sum()),
      'skipped': int(resamples - used.sum()),
    }
    if scored < 2:
      out[name]['reason'] = 'fewer than two videos have scores'
    elif not used.any():
      out[name]['reason'] = 'no resample defines it'
    else:
      ends = np.quantile(values[used], (0.025, 0.975))
      out[name]['ci95'] = ends.tolist()
  return out
