"""Alarms of videos at a rate per hour, which normal videos set.

An alarm is a run of frames above a threshold; runs closer than a gap are one
alarm, as whoever answers the first one sees the second. The threshold is the
lowest one from which on upwards the validation videos, all of whose frames are
normal, have at most the stated alarms per hour.

That is what those videos had, and no promise for others: frames come in
clusters, a scene has its own habits, and a few minutes of video say nothing of
a rate below one alarm in these minutes, which is refused.
"""

import bisect

import numpy as np

from memae_jax.evaluation.metrics import events
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.exported.hourly import of_rate, too_short

METRICS = ('event_recall_at_hourly_rate', 'false_alarms_at_hourly_rate')


def alarms(
  flagged: np.ndarray, frames: frames_lib.FrameScores, gap: float
) -> list[events.Span]:
  """Returns the alarms, from their first to their last flagged frame.

  Args:
    flagged: [S] bool.
    frames: checked, with frames per second.
    gap: seconds; runs with fewer unflagged ones between them are one alarm.
  """
  found: list[events.Span] = []
  for span in events.spans(flagged, frames.video, frames.frame):
    before = found[-1] if found else None
    if before and before.video == span.video:
      apart = span.first - before.last - 1
      if apart < gap * frames.rates[span.video]:
        found[-1] = before._replace(last=span.last)
        continue
    found.append(span)
  return found


def hours(frames: frames_lib.FrameScores) -> float | None:
  """Returns the hours of the scored frames; None if a rate is not known."""
  rates = events.rates(frames)
  if rates is None:
    return None
  return float(np.sum(1 / rates[frames.video])) / 3600


def limits(normal: frames_lib.FrameScores, gap: float) -> list[float]:
  """Returns the threshold for 0, 1, 2, ... alarms of all videos together.

  Each is the lowest from which on upwards there are at most so many alarms;
  the last one is below all scores. Flagged are scores above it.

  Args:
    normal: scores of validation normals, checked, with frames per second.
    gap: seconds, see `alarms`.
  """
  found: list[float] = []
  flagged: dict[int, list[int]] = {}
  count = 0
  order = np.argsort(-normal.score, kind='stable')
  score = normal.score[order]
  for same in np.split(order, np.flatnonzero(np.diff(score)) + 1):
    for i in same.tolist():
      count += _joined(flagged, normal, i, gap)
    found += [float(normal.score[same[0]])] * (count - len(found))
  return [*found, float(np.nextafter(normal.score.min(), -np.inf))]


def threshold(
  normal: frames_lib.FrameScores, per_hour: float, gap: float
) -> float:
  """Returns the threshold of a rate, see the module.

  Args:
    normal: scores of validation normals, checked, with frames per second, and
      long enough.
    per_hour: alarms.
    gap: seconds, see `alarms`.
  """
  return of_rate(limits(normal, gap), hours(normal), per_hour)


def _joined(flagged, frames, i: int, gap: float) -> int:
  """Flags a frame; returns how many more alarms there are by it."""
  video, frame = int(frames.video[i]), int(frames.frame[i])
  of_video = flagged.setdefault(video, [])
  at = bisect.bisect_left(of_video, frame)
  near = lambda a, b: b - a == 1 or b - a - 1 < gap * frames.rates[video]
  left = at > 0 and near(of_video[at - 1], frame)
  right = at < len(of_video) and near(frame, of_video[at])
  across = 0 < at < len(of_video) and near(of_video[at - 1], of_video[at])
  of_video.insert(at, frame)
  return 1 - left - right + across


def evaluate(
  frames: frames_lib.FrameScores,
  normal: frames_lib.FrameScores | None,
  per_hour: float,
  gap: float,
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns which events alarms at a rate find, and why it is undefined.

  Args:
    frames: of all test videos.
    normal: of the validation normals, or None.
    per_hour: alarms.
    gap: seconds, see `alarms`.

  Returns:
    metrics: every name of `METRICS`, None where undefined.
    reasons: one sentence for each undefined metric.
  """
  out: dict[str, float | None] = dict.fromkeys(METRICS)
  every = lambda why: (out, dict.fromkeys(METRICS, why))
  frames = frames_lib.checked(frames)
  if normal is None or not len(normal.score):
    return every(events.NO_THRESHOLD)
  normal = frames_lib.checked(normal)
  length, tested = hours(normal), hours(frames)
  if length is None or not tested:
    return every(events.NO_RATE)
  why = too_short(length, per_hour)
  if why:
    return every(why)
  limit = threshold(normal, per_hour, gap)
  found = alarms(frames.score > limit, frames, gap)
  real = events.spans(frames.anomalous, frames.video, frames.frame)
  shares = events.overlaps(found, real)
  false = int((shares.sum(axis=1) == 0).sum())
  out['false_alarms_at_hourly_rate'] = false / tested
  if not real:
    return out, {'event_recall_at_hourly_rate': events.NO_EVENT}
  out['event_recall_at_hourly_rate'] = float((shares > 0).any(axis=0).mean())
  return out, {}
