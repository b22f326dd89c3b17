"""Thresholds by the area of defects, against brute force and plain loops."""

import numpy as np
import pytest
import scipy.ndimage

from memae_jax.evaluation.metrics import defect_area
from memae_jax.runtime import errors

SHAPE = 12, 15
AREAS = 1, 2, 5, 9, 40, 150


def _maps(count, seed=0, levels=0):
  """Random maps with planted blobs; `levels`: values repeat, as few levels."""
  rng = np.random.default_rng(seed)
  maps = rng.uniform(0, 1, (count, *SHAPE))
  for one in maps:
    for _ in range(2):
      top, left = rng.integers(0, 9), rng.integers(0, 12)
      height, width = rng.integers(1, 4, 2)
      one[top : top + height, left : left + width] += rng.uniform(0, 1)
  maps = np.round(maps * levels) / levels if levels else maps
  return maps.astype(np.float32)


def _largest(flagged):
  """Pixels of the largest region, by a search from pixel to pixel."""
  left, most = set(zip(*np.nonzero(flagged))), 0
  while left:
    waiting, size = [left.pop()], 0
    while waiting:
      row, column = waiting.pop()
      size += 1
      near = {(row + i, column + j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
      waiting += near & left
      left -= near
    most = max(most, size)
  return most


@pytest.mark.parametrize('levels', [0, 6])
def test_bisection_finds_the_least_of_all_distinct_values(levels):
  maps, previous = _maps(2, levels=levels)[:, :10], np.inf
  sizes = {
    value: max(_largest(one > value) for one in maps)
    for value in np.unique(maps)
  }
  for area in AREAS:
    threshold = defect_area.threshold_by_area(maps, area)
    assert threshold == min(v for v, size in sizes.items() if size < area)
    assert threshold <= previous  # A larger area never raises it.
    previous = threshold
  assert defect_area.threshold_by_area(maps, 1) == maps.max()


def test_pixels_that_touch_at_a_corner_are_one_region():
  maps = np.zeros((1, 4, 4), np.float32)
  maps[0, [0, 1, 2], [0, 1, 2]] = 3, 1, 2
  found = [defect_area.threshold_by_area(maps, n) for n in (1, 2, 3, 4, 16)]
  assert found == [3, 1, 1, 0, 0]


def test_areas_are_a_quarter_and_four_times_of_a_share():
  of = {'_quarter': 8, '': 33, '_fourfold': 131}
  assert defect_area.areas((256, 256), 0.0005) == of
  assert set(defect_area.areas((8, 8), 0.0005).values()) == {1}  # At least.
  whole = defect_area.areas((8, 8), 0.25)['_fourfold']
  assert whole == 64 and defect_area.threshold_by_area(_maps(1), 180) > 0


def _sample(tests=10):
  """Maps of normals and tests, which are anomalous, and masks of some."""
  rng = np.random.default_rng(4)
  anomalous = np.arange(tests) % 2 == 1
  maps, masks = _maps(tests, 1), {}
  for i in range(tests):
    mask = np.zeros(SHAPE, bool)
    if anomalous[i]:
      mask[1:4, 1:4] = mask[8:10, 9:14] = True
      maps[i] += mask * rng.uniform(0, 3) * rng.uniform(0, 1, SHAPE)
    if i % 3:
      masks[i] = mask
  return _maps(4, 2), maps, anomalous, masks


def _plain(normals, maps, anomalous, masks, area):
  """The same metrics by loops."""
  corners = np.ones((3, 3))
  threshold = defect_area.threshold_by_area(normals, area)
  right = {False: [], True: []}
  for one, bad in zip(maps, anomalous):
    right[bool(bad)].append((_largest(one > threshold) >= area) == bad)
  shares = []
  for i, mask in masks.items():
    regions, count = scipy.ndimage.label(mask, corners)
    for number in range(1, count + 1):
      inside = maps[i][regions == number]
      shares.append(np.count_nonzero(inside > threshold) / inside.size)
  good, bad = np.mean(right[False]), np.mean(right[True])
  return threshold, good, bad, (good + bad) / 2, np.mean(shares)


def test_rates_and_overlap_are_those_of_plain_loops():
  sample, share = _sample(), 6 / 180
  values, reasons = defect_area.evaluate(*sample, share, 'ae')
  assert set(values) == set(defect_area.METRICS) and not reasons
  for end, area in defect_area.areas(SHAPE, share).items():
    names = defect_area.THRESHOLD, *defect_area.RATES, defect_area.OVERLAP
    found = [values[name + end] for name in names]
    assert found == pytest.approx(_plain(*sample, area))
    assert 0 < found[2] and 0 < found[4] < 1


def test_only_normals_move_the_threshold():
  normals, maps, anomalous, _ = _sample()
  order = np.random.default_rng(0).permutation(len(maps))
  one, _ = defect_area.evaluate(normals, maps, anomalous, {}, 0.03, 'ae')
  other, _ = defect_area.evaluate(
    normals[::-1], maps[order], anomalous[order], {}, 0.03, 'ae'
  )
  assert one == other
  other, _ = defect_area.evaluate(normals, 9 * maps, anomalous, {}, 0.03, 'ae')
  assert one['defect_threshold'] == other['defect_threshold']
  assert one['accuracy_good'] > other['accuracy_good'] == 0


def test_constant_maps_flag_what_exceeds_them():
  flat = np.ones((3, *SHAPE), np.float32)
  tests = flat * np.float32([0.5, 1, 2])[:, None, None]
  bad = np.array([False, False, True])
  values, reasons = defect_area.evaluate(flat, tests, bad, {}, 0.03, 'ae')
  assert values['defect_threshold'] == values['defect_threshold_quarter'] == 1
  assert values['accuracy_mean_fourfold'] == values['accuracy_good'] == 1
  assert values['region_overlap'] is None
  assert reasons['region_overlap'] == 'no test sample has a mask'


def test_what_is_undefined_has_a_reason():
  normals, maps, anomalous, masks = _sample()
  good = np.zeros_like(anomalous)
  clean = {i: np.zeros(SHAPE, bool) for i in masks}
  values, reasons = defect_area.evaluate(normals, maps, good, clean, 0.03, 'ae')
  assert values['accuracy_good'] is not None
  for name in ('accuracy_anomalous', 'accuracy_mean'):
    assert values[name] is None and 'every one of the 10' in reasons[name]
  assert (
    reasons['region_overlap'] == 'none of the 6 masks has an anomalous pixel'
  )
  values, reasons = defect_area.evaluate(
    normals[:0], maps, anomalous, masks, 0.03, 'ae'
  )
  assert set(values.values()) == {None} and set(reasons) == set(values)
  assert 'no validation normals' in reasons['defect_threshold']


@pytest.mark.parametrize('part', [0, 1])
@pytest.mark.parametrize('value', [np.nan, np.inf])
def test_maps_that_are_not_finite_name_the_method(part, value):
  sample = _sample()
  sample[part][1, 2, 3] = value
  with pytest.raises(errors.UserError, match='maps of "ae/seed=0" .* finite'):
    defect_area.evaluate(*sample, 0.03, 'ae/seed=0')
