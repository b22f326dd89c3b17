"""Alarms per hour: against counting for every threshold."""

import numpy as np
import pytest

from memae_jax.evaluation.metrics import events, hourly
from tests import helpers


def _frames(score, anomalous=None, lengths=None, rates=()):
  return helpers.frame_scores(score, lengths, rates, anomalous)


def _count(frames, threshold, gap):
  """Alarms by a plain loop over all frames."""
  found, last = 0, None
  for i in range(len(frames.score)):
    if frames.score[i] > threshold:
      here = int(frames.video[i]), int(frames.frame[i])
      joins = last and last[0] == here[0]
      quiet = here[1] - last[1] - 1 if joins else None
      found += not (joins and (not quiet or quiet < gap * 2.0))
      last = here
  return found


@pytest.mark.parametrize('gap', [0.0, 1.0, 2.5])
@pytest.mark.parametrize('seed', range(8))
def test_the_threshold_is_the_lowest_one_that_keeps_the_rate(seed, gap):
  rng = np.random.default_rng(seed)
  frames = _frames(rng.integers(0, 12, 60), lengths=[25, 35])
  per_hour = 3600 * 2 / 60 * rng.uniform(1, 6)
  limit = hourly.threshold(frames, per_hour, gap)
  allowed = per_hour * 60 / 2 / 3600
  values = np.unique(frames.score)
  counts = {v: _count(frames, v, gap) for v in values}
  for value, count in counts.items():
    spans = hourly.alarms(frames.score > value, frames, gap)
    assert len(spans) == count
    if value >= limit:
      assert count <= allowed
  lower = values[values < limit]
  assert not lower.size or counts[lower.max()] > allowed


def test_short_videos_allow_no_low_rate():
  normal = _frames(range(20))  # Ten seconds.
  test = _frames([0, 30, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0])
  values, reasons = hourly.evaluate(test, normal, 10, 1.0)
  assert set(values.values()) == {None}
  words = 'allow no rate below 3.6e+02 alarms per hour; 10 needs 0.1 hours'
  assert all(why.endswith(words) for why in reasons.values())


def test_events_that_are_found_and_false_alarms():
  normal = _frames([9, 0, 0, 0, 0, 8] + [0] * 14)
  score = [0, 30, 0, 0, 0, 0, 40, 0, 0, 0, 5, 0]
  anomalous = [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1]
  values, reasons = hourly.evaluate(_frames(score, anomalous), normal, 360, 1.0)
  assert not reasons
  assert values['event_recall_at_hourly_rate'] == 0.5
  assert values['false_alarms_at_hourly_rate'] == pytest.approx(600)
  none = _frames(score)
  values, reasons = hourly.evaluate(none, normal, 360, 1.0)
  assert reasons == {'event_recall_at_hourly_rate': events.NO_EVENT}
  unknown = _frames(score, anomalous, rates=[None])
  _, reasons = hourly.evaluate(unknown, normal, 360, 1.0)
  assert set(reasons.values()) == {events.NO_RATE}
