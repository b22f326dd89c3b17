"""Criteria of pixels of frames against loops over all thresholds."""

import time

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.evaluation.metrics import pixel_criteria
from memae_jax.runtime import errors


def _case(seed, ties=False, frames=7):
  """Maps and masks of small frames, of which some are normal."""
  rng = np.random.default_rng(seed)
  masks = rng.random((frames, 4, 5)) < rng.uniform(0.02, 0.5, (frames, 1, 1))
  masks[0, 1, 2] = True
  masks[1] = masks[2] = False
  if rng.random() < 0.2:
    masks[0] = True  # No normal pixel beside them.
  maps = rng.exponential(1, masks.shape) + masks * rng.uniform(-0.5, 2)
  if ties:
    maps = np.round(maps)
  return maps.astype(np.float32), masks


def _rates(maps, masks, threshold):
  """Shares of frames that are found by both criteria, and of false alarms."""
  by_one, by_both, alarms = [], [], []
  for values, mask in zip(maps, masks):
    right = wrong = inside = 0
    for value, is_anomalous in zip(values.ravel(), mask.ravel()):
      inside += is_anomalous
      right += is_anomalous and value >= threshold
      wrong += not is_anomalous and value >= threshold
    if not inside:
      alarms.append(wrong > 0)
      continue
    by_one.append(100 * right >= 40 * inside)
    by_both.append(by_one[-1] and 100 * right >= 10 * (right + wrong))
  return np.mean(by_one), np.mean(by_both), np.mean(alarms)


def _slow(maps, masks):
  """The three metrics, from the rates at each value of a map."""
  one, both, alarms = zip(
    (0.0, 0.0, 0.0),
    *(_rates(maps, masks, value) for value in np.unique(maps)[::-1]),
  )
  best, area, area_of_both, rate = 0.0, 0.0, 0.0, None
  for k in range(1, len(one)):
    width, before = alarms[k] - alarms[k - 1], best
    best = max(best, both[k])
    area += width * (one[k] + one[k - 1]) / 2
    area_of_both += width * (best + before) / 2
    if rate is None and alarms[k] >= 1 - one[k]:
      # Where the line from the last point crosses that of equal errors.
      rise = one[k] - one[k - 1]
      share = (1 - one[k - 1] - alarms[k - 1]) / (width + rise)
      rate = alarms[k - 1] + share * width
  return area, rate, area_of_both


@given(st.integers(0, 10_000), st.booleans())
@settings(deadline=None, max_examples=25)
def test_rates_are_those_of_loops(seed, ties):
  maps, masks = _case(seed, ties)
  metrics, reasons = pixel_criteria.evaluate(maps, masks)
  assert not reasons and list(metrics) == list(pixel_criteria.METRICS)
  expected = _slow(maps, masks)
  assert list(metrics.values()) == pytest.approx(expected, abs=1e-9)


def test_by_hand():
  """Four anomalous pixels: two of them are 40 %, one is not."""
  masks = np.zeros((3, 4, 5), bool)
  masks[0, 0, :4] = True
  maps = np.zeros(masks.shape, np.float32)
  maps[0, 0, :2] = 9, 3
  maps[1, 2, 2], maps[2, 3, 3] = 5, 2  # Normal frames: one is higher.
  metrics, _ = pixel_criteria.evaluate(maps, masks)
  assert metrics['auroc_pixel_criterion'] == 0.5
  assert metrics['auroc_dual_pixel'] == 0.5
  assert metrics['eer_pixel_criterion'] == 0.5
  maps[0, 0, 1] = 6
  metrics, _ = pixel_criteria.evaluate(maps, masks)
  assert list(metrics.values()) == [1, 0, 1]


def test_a_frame_that_is_flagged_as_a_whole_is_not_found_twice():
  masks = np.zeros((2, 10, 10), bool)
  masks[0, 0, :5] = True  # Five in a hundred: less than a tenth.
  maps = np.zeros(masks.shape, np.float32)
  maps[0] = 1
  metrics, _ = pixel_criteria.evaluate(maps, masks)
  assert metrics['auroc_pixel_criterion'] == 1
  assert metrics['auroc_dual_pixel'] == 0
  maps[0, 0, :2] = 2  # First these alone.
  metrics, _ = pixel_criteria.evaluate(maps, masks)
  assert metrics['auroc_dual_pixel'] == 1


def test_a_high_score_in_the_wrong_place_finds_nothing():
  rng = np.random.default_rng(0)
  masks = np.zeros((40, 8, 8), bool)
  masks[:20, :2, :2] = True
  maps = rng.random(masks.shape).astype(np.float32)
  maps[:20, 6:, 6:] += 1
  highest = maps.max(axis=(1, 2))
  of_frames = sklearn.metrics.roc_auc_score(masks.any(axis=(1, 2)), highest)
  metrics, _ = pixel_criteria.evaluate(maps, masks)
  assert of_frames == 1 and metrics['auroc_pixel_criterion'] < 0.05


@pytest.mark.parametrize(
  ('masks', 'reason'),
  [
    (np.zeros((0, 4, 4), bool), 'no test sample has a mask'),
    (np.zeros((2, 4, 4), bool), 'none of the 2 masks has an anomalous pixel'),
    (np.ones((2, 4, 4), bool), 'each of the 2 masks has an anomalous pixel'),
  ],
)
def test_undefined_has_a_reason(masks, reason):
  maps = np.zeros(masks.shape, np.float32)
  metrics, reasons = pixel_criteria.evaluate(maps, masks)
  assert metrics == dict.fromkeys(pixel_criteria.METRICS)
  assert set(reasons) == set(metrics)
  assert all(text.startswith(reason) for text in reasons.values())


def test_bad_input_gives_one_clear_line():
  maps, masks = _case(0)
  with pytest.raises(errors.UserError, match='same frames and size'):
    pixel_criteria.evaluate(maps[:, 1:], masks)
  maps[0, 0, 0] = np.nan
  with pytest.raises(errors.UserError, match='not finite'):
    pixel_criteria.evaluate(maps, masks)


@pytest.mark.slow
def test_as_many_frames_as_ped2_take_seconds():
  rng = np.random.default_rng(0)
  maps = rng.random((1830, 256, 256), np.float32)
  masks = np.zeros(maps.shape, bool)
  masks[:1500, 100:130, 40:60] = True
  begun = time.process_time()
  pixel_criteria.evaluate(maps, masks)
  assert time.process_time() - begun < 30
