"""Alarms of an exported scorer of videos at a rate per hour.

meta.json has under `hourly` what `evaluation.scoring.hourly_limits` stores: a
threshold for each number of alarms that the normal videos of the validation
may have in all, their hours, and the gap between two alarms; or why there is
none. What an alarm is, and what no such rate promises, is in
`evaluation.metrics.hourly`.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.runtime import errors

KEY = 'hourly'  # Of meta.json.
NOT_GUARANTEED = (
  'the normal videos of the validation have at most so many alarms per hour;'
  ' that is no promise for others, as frames come in clusters and each scene'
  ' has its own habits'
)


def allowed(length: float, per_hour: float) -> int:
  """Returns how many alarms a rate allows in `length` hours of video."""
  return int(per_hour * length * (1 + 1e-12))


def of_rate(limits: Sequence[float], length: float, per_hour: float) -> float:
  """Returns the threshold of a rate.

  Args:
    limits: for 0, 1, 2, ... alarms in all; the last one for any more.
    length: hours of video that these are of.
    per_hour: alarms.
  """
  return limits[min(allowed(length, per_hour), len(limits) - 1)]


def too_short(length: float, per_hour: float) -> str | None:
  """Returns why hours of video do not allow a rate, or None where they do."""
  if length * per_hour >= 1:
    return None
  least = 1 / length if length else np.inf
  return (
    f'{length:.2g} hours of validation videos allow no rate below {least:.2g}'
    f' alarms per hour; {per_hour:g} needs {1 / per_hour:.2g} hours'
  )


def check(meta: Mapping[str, Any]) -> None:
  """Raises ValueError where meta.json has something else in their place."""
  found = meta.get(KEY, {'refusal': ''})  # Earlier exports lack it.
  is_number = lambda x: type(x) in (int, float) and math.isfinite(x)
  is_line = lambda text: isinstance(text, str) and text.isprintable()
  if isinstance(found, dict) and set(found) == {'refusal'}:
    is_sound = is_line(found['refusal'])
  else:
    numbers = 'alarms_per_hour', 'gap_seconds', 'frame_rate', 'hours'
    is_sound = (
      isinstance(found, dict)
      and all(is_number(found.get(k)) and found[k] >= 0 for k in numbers)
      and type(found.get('gap_frames')) is int
      and found['gap_frames'] >= 0
      and (found.get('threshold') is None or is_number(found['threshold']))
      and isinstance(found.get('limits'), list)
      and bool(found['limits'])
      and all(is_number(limit) for limit in found['limits'])
      and found['limits'] == sorted(found['limits'], reverse=True)
      and is_line(found.get('not_guaranteed'))
    )
  if not is_sound:
    raise ValueError(f'its "{KEY}" is no alarms per hour')


def limit(meta: Mapping[str, Any], per_hour: float) -> tuple[float, int]:
  """Returns the threshold of a rate, and the gap between alarms in frames.

  Args:
    meta: of the scorer.
    per_hour: alarms.

  Raises:
    UserError: the scorer is of no videos, an earlier version wrote it, its run
      had no frame rate, or too few normal videos for such a rate.
  """
  if not (math.isfinite(per_hour) and per_hour > 0):
    raise errors.UserError(
      f'alarms_per_hour is {per_hour:g}; give a number above 0'
    )
  kind = meta['input']['kind']
  if kind != 'clips':
    raise errors.UserError(
      'alarms_per_hour is a rate of videos, but the scorer is of'
      f' {"a table" if kind == "table" else kind}; use false_alarm'
    )
  if KEY not in meta:
    raise errors.UserError(
      'an earlier version wrote this scorer, without alarms per hour; export'
      ' the run again'
    )
  found = meta[KEY]
  if 'refusal' in found:
    raise errors.UserError(f'no alarms per hour: {found["refusal"]}')
  why = too_short(found['hours'], per_hour)
  if why:
    raise errors.UserError(why)
  limit = of_rate(found['limits'], found['hours'], per_hour)
  return limit, found['gap_frames']


class Alarms:
  """Alarms of the frames of one video, one frame after another.

  An alarm begins with a flagged frame before which as many frames as the gap,
  and at least one, were not flagged.
  """

  def __init__(self, gap: int):
    """Begins a video.

    Args:
      gap: frames.
    """
    self._apart = max(gap, 1)
    self._last: int | None = None

  def begins(self, frame: int, flagged: bool) -> bool:
    """Returns whether an alarm begins at a frame; they come in order."""
    if not flagged:
      return False
    last, self._last = self._last, frame
    return last is None or frame - last - 1 >= self._apart


def first_frames(flagged: Any, frames: Any, gap: int) -> np.ndarray:
  """Returns at which frames of a video an alarm begins, [S] bool.

  Args:
    flagged: [S] bool.
    frames: [S] int, ascending, the number of each.
    gap: frames, see `Alarms`.
  """
  alarms = Alarms(gap)
  pairs = zip(np.asarray(frames).tolist(), np.asarray(flagged).tolist())
  return np.array([alarms.begins(i, f) for i, f in pairs], bool)
