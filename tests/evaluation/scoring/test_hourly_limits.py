"""Thresholds of alarms per hour, as an exported scorer keeps them."""

import numpy as np
import pytest

from memae_jax.evaluation.metrics import events
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.metrics import hourly as hourly_of_runs
from memae_jax.evaluation.scoring import hourly_limits
from memae_jax.exported import hourly
from tests import helpers


def _frames(score, lengths, rates):
  return helpers.frame_scores(score, lengths, rates, dtype=np.float32)


def test_what_is_stored():
  """Counted by hand: 6 alarms at most, of a peak each."""
  score = [1, 9, 1, 1, 8, 1, 1, 7, 1, 1, 6, 1]
  normal = _frames(score, [12], [2.0])
  found = hourly_limits.of_normals(normal, 3600 / 6 * 2, 0.75)
  assert found['limits'] == [9, 8, 7, 6, np.nextafter(1.0, -np.inf)]
  assert found['threshold'] == 7  # Two alarms in six seconds.
  assert (found['gap_frames'], found['gap_seconds']) == (2, 0.75)
  assert found['hours'] == pytest.approx(6 / 3600)
  assert (found['frame_rate'], found['alarms_per_hour']) == (2, 1200)
  assert found['not_guaranteed'] == hourly.NOT_GUARANTEED
  joined = hourly_limits.of_normals(normal, 0.0, 1.5)
  assert joined['limits'] == [9, np.nextafter(1.0, -np.inf)]
  assert joined['threshold'] is None  # No rate was set.


def test_a_rate_that_the_run_had_too_few_normals_for_has_no_threshold():
  stored = hourly_limits.of_normals(_frames([1, 2], [2], [4.0]), 60.0, 1.0)
  assert stored['threshold'] is None and stored['limits'][0] == 2


def test_several_rates_of_one_gap_are_taken():
  """Of 25 frames and of 24.9 a second, a gap of a second is 25 frames."""
  score = np.random.default_rng(0).random(80)
  normal = _frames(score, [40, 40], [25.0, 24.9])
  stored = hourly_limits.of_normals(normal, 0.0, 1.0)
  assert stored['gap_frames'] == 25
  checked = frames_lib.checked(normal)
  assert stored['limits'] == hourly_of_runs.limits(checked, 1.0)


@pytest.mark.slow
def test_a_run_without_a_rate_says_so(scored_run):
  exp, stored, _ = scored_run('clips')
  own = stored[exp.replicas[0].name]
  found = hourly_limits.stored(exp, 0, own.validation_score)
  assert found['refusal'].startswith(events.NO_RATE)
