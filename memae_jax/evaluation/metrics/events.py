"""Event-level metrics of videos: what somebody who answers alarms sees.

An event is a run of anomalous frames, an alarm a run of frames whose scores are
above the threshold that validation normals set. A frame without a score ends
both. No test label sets anything.

- `event_f1_K`: harmonic mean of precision and recall of alarms, where an alarm
  is right if it shares at least K % of its union with an event (temporal
  intersection over union). An event has one right alarm at most, and they are
  paired so that most are right. `event_f1` is the mean over 10 to 50 %.
- `event_recall`: share of events within which any frame is flagged.
- `detection_delay`: frames from the start of such an event to its first flagged
  frame, mean over them; also in seconds. Missed events have none, so that it
  stands beside the recall.
- `false_alarms`: alarms that touch no event, per 1,000 scored frames; also per
  hour of video. Fewer scored frames than that make it a large extrapolation.
- `latency_aware_ap`: area under precision of frames over a recall that counts
  of each event the share that is still to come when it is first flagged. The
  idea is that of Liu et al. 2025 (arXiv 2505.19022); this linear loss over the
  length of the event is our choice, so it is no number of theirs.
- `event_f1_all_positive`: `event_f1` if every frame were flagged.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.optimize

from memae_jax.evaluation.metrics import frames as frames_lib

OVERLAPS = (10, 20, 30, 40, 50)  # Percent of the union.
METRICS = (
  'event_f1',
  *(f'event_f1_{percent}' for percent in OVERLAPS),
  'event_recall',
  'detection_delay',
  'detection_delay_seconds',
  'false_alarms',
  'false_alarms_per_hour',
  'latency_aware_ap',
  'event_f1_all_positive',
)
NO_THRESHOLD = 'there are no validation normals to set a threshold'
NO_EVENT = 'no scored frame is anomalous'
NO_RATE = 'the frames per second of a video are not known; set eval.frame_rate'


class Span(NamedTuple):
  """Frames of a video, from `first` to `last`, both included."""

  video: int
  first: int
  last: int


def spans(
  flagged: np.ndarray, video: np.ndarray, frame: np.ndarray
) -> list[Span]:
  """Returns the runs of flagged frames.

  Args:
    flagged: [S] bool.
    video: [S] int, the video of each frame.
    frame: [S] int, its index there; sorted by video and frame.
  """
  (index,) = np.nonzero(flagged)
  apart = (np.diff(video[index]) != 0) | (np.diff(frame[index]) != 1)
  runs = np.split(index, np.flatnonzero(apart) + 1) if len(index) else []
  return [
    Span(int(video[run[0]]), int(frame[run[0]]), int(frame[run[-1]]))
    for run in runs
  ]


def overlaps(alarms: Sequence[Span], events: Sequence[Span]) -> np.ndarray:
  """Returns [A, E] intersections over unions, in frames."""
  one, other = (
    np.asarray(part, np.int64).reshape(-1, 3) for part in (alarms, events)
  )
  one, other = one[:, None], other[None]
  first, last = np.maximum(one, other)[..., 1], np.minimum(one, other)[..., 2]
  shared = np.maximum(last - first + 1, 0) * (one[..., 0] == other[..., 0])
  length = lambda part: part[..., 2] - part[..., 1] + 1
  return shared / np.maximum(length(one) + length(other) - shared, 1)


def f1(shares: np.ndarray, least: float) -> float:
  """Returns the F1 of A alarms for E events.

  Args:
    shares: [A, E] from `overlaps`, E > 0.
    least: share at which an alarm is right.
  """
  right = shares >= least - 1e-12
  pairs = scipy.optimize.linear_sum_assignment(right, maximize=True)
  return 2 * float(right[pairs].sum()) / sum(shares.shape)


def latency_aware_ap(frames: frames_lib.FrameScores) -> float:
  """Returns `latency_aware_ap` of checked frames with an event."""
  events = spans(frames.anomalous, frames.video, frames.frame)
  thresholds, gains = [], []
  for event in events:
    inside = (frames.video == event.video) & (frames.frame >= event.first)
    score = frames.score[inside & (frames.frame <= event.last)]
    # First flagged at a frame that is higher than all before it.
    highest = np.maximum.accumulate(score)
    (record,) = np.nonzero(np.diff(highest, prepend=-np.inf) > 0)
    left = 1 - record / len(score)
    thresholds += list(score[record])
    gains += list(left - np.append(left[1:], 0))
  order = np.argsort(thresholds)[::-1]
  thresholds, gains = np.array(thresholds)[order], np.array(gains)[order]
  descending = np.argsort(-frames.score, kind='stable')
  found = np.cumsum(frames.anomalous[descending])
  flagged = np.searchsorted(-frames.score[descending], -thresholds, 'right')
  precision = found[flagged - 1] / flagged
  return float(np.sum(precision * gains) / len(events))


def evaluate(
  frames: frames_lib.FrameScores, threshold: float | None
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns every metric, and why the undefined ones are so.

  Args:
    frames: of all test videos.
    threshold: frames whose scores are higher are flagged; None: there is none.

  Returns:
    metrics: every name of `METRICS`, None where undefined.
    reasons: one sentence for each undefined metric.

  Raises:
    UserError: see `frames.checked`.
  """
  frames = frames_lib.checked(frames)
  events = spans(frames.anomalous, frames.video, frames.frame)
  whole = np.ones(len(frames.score), bool)
  out: dict[str, float] = {}
  reasons = dict.fromkeys(METRICS, NO_EVENT if not events else NO_THRESHOLD)
  if events:
    out['latency_aware_ap'] = latency_aware_ap(frames)
    of_all = overlaps(spans(whole, frames.video, frames.frame), events)
    out['event_f1_all_positive'] = _mean_f1(of_all)
  if threshold is not None and len(whole):
    flagged = frames.score > threshold
    alarms = spans(flagged, frames.video, frames.frame)
    _add_false_alarms(out, reasons, frames, overlaps(alarms, events))
    if events:
      shares = overlaps(alarms, events)
      out['event_f1'] = _mean_f1(shares)
      for percent in OVERLAPS:
        out[f'event_f1_{percent}'] = f1(shares, percent / 100)
      _add_delays(out, reasons, frames, flagged, events)
  return (
    {name: out.get(name) for name in METRICS},
    {name: reasons[name] for name in METRICS if name not in out},
  )


def _mean_f1(shares: np.ndarray) -> float:
  return float(np.mean([f1(shares, percent / 100) for percent in OVERLAPS]))


def rates(frames: frames_lib.FrameScores) -> np.ndarray | None:
  """Returns [V] frames per second; None if a scored video lacks it."""
  known = np.array([rate or np.nan for rate in frames.rates], float)
  if len(known) != len(frames.names):
    return None
  return None if np.isnan(known[np.unique(frames.video)]).any() else known


def _add_false_alarms(out, reasons, frames, shares) -> None:
  """Adds how many alarms touch no event, for [A, E] shares."""
  false = int((shares.sum(axis=1) == 0).sum())
  out['false_alarms'] = 1000 * false / len(frames.score)
  per_second = rates(frames)
  if per_second is None:
    reasons['false_alarms_per_hour'] = NO_RATE
  else:
    seconds = np.sum(1 / per_second[frames.video])
    out['false_alarms_per_hour'] = float(3600 * false / seconds)


def _add_delays(out, reasons, frames, flagged, events) -> None:
  """Adds the recall of events, and the delays of those that are found."""
  delays, per_second = [], rates(frames)
  for event in events:
    inside = (frames.video == event.video) & (frames.frame >= event.first)
    inside &= frames.frame <= event.last
    when = frames.frame[inside & flagged]
    if len(when):
      delays.append((event.video, int(when[0]) - event.first))
  out['event_recall'] = len(delays) / len(events)
  if not delays:
    for name in ('detection_delay', 'detection_delay_seconds'):
      reasons[name] = 'no event is found'
    return
  video, delay = np.array(delays).T
  out['detection_delay'] = float(delay.mean())
  if per_second is None:
    reasons['detection_delay_seconds'] = NO_RATE
  else:
    out['detection_delay_seconds'] = float(np.mean(delay / per_second[video]))
