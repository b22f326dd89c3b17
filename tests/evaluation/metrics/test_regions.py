import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memae_jax.evaluation.metrics import regions
from memae_jax.runtime import errors


def _video(frames=10, size=20):
  """A square that moves right through all frames, and maps of zeros."""
  masks = np.zeros((frames, size, size), bool)
  for t in range(frames):
    masks[t, 5:9, t : t + 4] = True
  return np.zeros(masks.shape, np.float32), masks, np.zeros(frames, int)


def test_perfect_maps_reach_one():
  maps, masks, video = _video()
  metrics, reasons = regions.evaluate(masks.astype(np.float32), masks, video)
  assert metrics == {'rbdc': 1, 'tbdc': 1} and not reasons


def test_flat_maps_flag_whole_frames_and_reach_nothing():
  maps, masks, video = _video()
  metrics, _ = regions.evaluate(maps, masks, video)
  assert metrics == {'rbdc': 0, 'tbdc': 0}  # 16 of 400 pixels: under 0.1.


def test_found_in_three_of_ten_frames():
  maps, masks, video = _video()
  maps[:3][masks[:3]] = 1
  metrics, _ = regions.evaluate(maps, masks, video)
  assert metrics['rbdc'] == pytest.approx(0.3)
  assert metrics['tbdc'] == 1  # A tenth of the regions is enough.


def test_false_regions_before_the_true_ones():
  maps, masks, video = _video()
  maps[masks] = 1
  maps[:5, 15:17, 15:17] = 2  # Half a false region per frame, and higher.
  rates = regions.curve(maps, masks, video)
  assert rates.threshold.tolist() == [2, 1, 0]
  assert rates.false_positives.tolist() == [0.5, 0.5, 1]
  assert rates.regions.tolist() == [0, 1, 0]
  metrics, _ = regions.evaluate(maps, masks, video)
  assert metrics == {'rbdc': 0.5, 'tbdc': 0.5}


def test_more_than_one_false_region_per_frame_counts_nothing():
  maps, masks, video = _video()
  maps[masks] = 1
  maps[:, 15, ::4] = 2
  metrics, _ = regions.evaluate(maps, masks, video)
  assert metrics == {'rbdc': 0, 'tbdc': 0}


@pytest.mark.parametrize('wide,detected', [(40, True), (41, False)])
def test_overlap_of_a_tenth_is_enough(wide, detected):
  masks = np.zeros((1, 8, 50), bool)
  maps = np.zeros(masks.shape, np.float32)
  masks[0, 2, :4] = True
  maps[0, 2, :wide] = 1
  curve = regions.curve(maps, masks, np.zeros(1, int))
  assert curve.regions[0] == detected
  assert curve.false_positives[0] == (not detected)


def test_one_region_may_detect_two_and_touching_corners_are_one():
  masks = np.zeros((1, 9, 9), bool)
  masks[0, 1:3, 1:4] = masks[0, 1:3, 5:8] = True
  maps = np.zeros(masks.shape, np.float32)
  maps[0, 1:3, 1:8] = 1
  curve = regions.curve(maps, masks, np.zeros(1, int))
  assert (curve.regions[0], curve.false_positives[0]) == (1, 0)
  maps[:] = 0
  maps[0, 5, 5] = maps[0, 6, 6] = 1
  curve = regions.curve(maps, masks, np.zeros(1, int))
  assert (curve.regions[0], curve.false_positives[0]) == (0, 1)


def test_tracks_by_number_cross_and_by_connection_do_not():
  masks = np.zeros((2, 6, 12), np.uint8)
  masks[:, 1:4, 1:4], masks[:, 1:4, 4:7] = 1, 2  # Side by side.
  maps = np.zeros(masks.shape, np.float32)
  maps[:, 1:4, 4:7] = 1
  video = np.zeros(2, int)
  by_number = regions.curve(maps, masks, video)
  assert by_number.regions[0] == by_number.tracks[0] == 0.5
  by_connection = regions.curve(maps, masks > 0, video)
  assert by_connection.regions[0] == by_connection.tracks[0] == 1


def test_a_part_of_a_numbered_track_is_no_region_of_its_own():
  masks = np.zeros((1, 6, 12), np.uint8)
  masks[0, 1:4, 1:4] = masks[0, 1:4, 6:9] = 7  # Behind a pole.
  maps = np.zeros(masks.shape, np.float32)
  maps[0, 1:4, 6:9] = 1
  curve = regions.curve(maps, masks, np.zeros(1, int))
  assert curve.regions[0] == 1


def test_videos_do_not_share_tracks():
  maps, masks, _ = _video()
  maps[:5][masks[:5]] = 1
  curve = regions.curve(maps, masks, np.repeat([0, 1], 5))
  assert curve.tracks[0] == 0.5
  quiet = np.zeros((3, *masks.shape[1:]), bool)  # No anomaly: frames count.
  maps, masks = np.concatenate([maps, 0.0 * quiet]), np.r_[masks, quiet]
  maps[-1, 0, 0] = 1
  curve = regions.curve(maps, masks, np.repeat([0, 1, 2], (5, 5, 3)))
  assert curve.tracks[0] == 0.5
  assert curve.false_positives[0] == pytest.approx(1 / 13)


def _slow(maps, masks, cut):
  """Rates by sets of pixels, from the definitions; one video."""

  def components(flags, near):
    left, regions = set(zip(*np.nonzero(flags))), []
    while left:
      region, edge = set(), [left.pop()]
      while edge:
        at = edge.pop()
        region.add(at)
        for step in near:
          other = tuple(np.add(at, step).tolist())
          if other in left:
            left.remove(other)
            edge.append(other)
      regions.append(region)
    return regions

  space = [(0, i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
  time = [(t, *s[1:]) for t in (-1, 0, 1) for s in space]
  true, tracks = components(masks, space), components(masks, time)
  wrong, hit = 0, [False] * len(true)
  for p in components(maps >= cut, space):
    over = [len(p & g) / len(p | g) >= 0.1 for g in true]
    hit = [a or b for a, b in zip(hit, over)]
    wrong += not any(over)
  shares = [
    np.mean([h for g, h in zip(true, hit) if g <= track]) for track in tracks
  ]
  return wrong / len(maps), np.mean(hit), np.mean([s >= 0.1 for s in shares])


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=25)
def test_rates_match_sets_of_pixels(seed):
  rng = np.random.default_rng(seed)
  masks = rng.random((4, 6, 7)) < 0.25
  masks[0, 0, 0] = True
  maps = np.round(rng.random(masks.shape) + masks * rng.random(), 1)
  curve = regions.curve(maps, masks, np.zeros(4, int))
  for k, cut in enumerate(curve.threshold):
    expected = _slow(maps, masks, cut)
    got = curve.false_positives[k], curve.regions[k], curve.tracks[k]
    assert got == pytest.approx(expected)


def test_thresholds_fall_and_are_few():
  rng = np.random.default_rng(0)
  cuts = regions.thresholds(rng.random((5, 40, 40)))
  assert np.all(np.diff(cuts) < 0) and len(cuts) <= regions.THRESHOLDS
  assert cuts[0] > 0.999 and np.mean(cuts > 0.9) > 0.5


def test_area_takes_the_best_within_the_budget():
  rate = np.array([0.2, 0.9, 0.4, 1.0])
  assert regions.area(np.array([0.0, 0.5, 0.75, 3.0]), rate) == pytest.approx(
    0.2 * 0.5 + 0.9 * 0.5
  )
  assert regions.area(np.array([2.0]), np.array([1.0])) == 0


def test_undefined_has_a_reason_and_bad_input_one_clear_line():
  maps, masks, video = _video()
  metrics, reasons = regions.evaluate(maps, masks & False, video)
  assert metrics == {'rbdc': None, 'tbdc': None}
  assert set(reasons.values()) == {
    'none of the 10 masks has an anomalous pixel'
  }
  with pytest.raises(errors.UserError, match='give maps and masks'):
    regions.evaluate(maps[:, 1:], masks, video)
  maps[0, 0, 0] = np.nan
  with pytest.raises(errors.UserError, match='not finite'):
    regions.evaluate(maps, masks, video)
