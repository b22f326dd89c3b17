"""Metrics of the maps of samples with masks."""

import numpy as np
import pytest

from memae_jax import config as config_lib
from memae_jax.data import types
from memae_jax.evaluation.metrics import (
  defect_area,
  pixel_criteria,
  pixels,
  regions,
)
from memae_jax.evaluation.scoring import error_maps
from memae_jax.runtime import errors
from tests.evaluation import stand_ins


def test_maps_are_compared_with_the_masks_of_their_samples():
  masks = np.zeros((4, 6, 5), bool)
  masks[1, 2:4, 2:4] = True
  source = types.Source(
    'x', np.zeros((4, 6, 5, 1), np.uint8), np.zeros(4, int), ('a',), masks=masks
  )
  rows = np.array([3, 1])
  values, reasons = error_maps.measure(source, rows, masks[rows].astype(float))
  assert values['pixel_auroc'] == 1 and not reasons
  values, reasons = error_maps.measure(source, rows[:1], np.zeros((1, 6, 5)))
  assert values['pixel_auroc'] is None and 'is normal' in reasons['pixel_auroc']
  of_anomalous = {f'{name}_anomalous' for name in pixels.OF_ANOMALOUS}
  # No regions without videos.
  assert set(values) == {*pixels.METRICS, *of_anomalous}


def test_regions_and_places_are_found_in_videos():
  masks = np.zeros((6, 8, 8), bool)
  masks[2:4, 2:6, 2:6] = True
  videos = types.Videos(('v',), np.array([9]), np.zeros(6, int), np.arange(6))
  source = types.Source(
    'x', np.zeros((6, 8, 8, 1), np.uint8), np.zeros(6, int), ('a',),
    masks=masks, videos=videos,
  )  # fmt: skip
  values, _ = error_maps.measure(source, np.arange(6), masks.astype(float))
  metrics = pixels.METRICS, regions.METRICS, pixel_criteria.METRICS
  assert list(values) == [name for group in metrics for name in group]
  assert values['auroc_pixel_criterion'] == values['auroc_dual_pixel'] == 1
  quiet = np.array([0, 5])
  values, reasons = error_maps.measure(source, quiet, 0.0 * masks[quiet])
  for name in pixel_criteria.METRICS:
    assert values[name] is None and 'has an anomalous pixel' in reasons[name]


def _options(area):
  config = stand_ins.CONFIG | {'eval': {'defect_area': area}}
  return config_lib.resolve(config).eval


def test_maps_of_a_split_are_measured_where_masks_or_areas_are_known():
  rng = np.random.default_rng(0)
  masks = np.zeros((6, 4, 5), bool)
  masks[[1, 2, 4], 1:3, 1:3] = True
  exp = stand_ins.experiment_of_images(masks)
  split, known = exp.splits[0], np.array([1, 2, 4, 5])  # 3 has no mask.
  maps, normals = rng.random((7, 4, 5)), rng.random((3, 4, 5))  # With padding.
  of_split = lambda source, area: error_maps.of_split(
    source, split, maps, normals, _options(area), 'ae'
  )
  values, _ = of_split(exp.source, 0)
  places = [0, 1, 3, 4]
  shown = maps[places], masks[known]
  of_anomalous, _ = pixels.evaluate_anomalous(*shown)
  assert values == pixels.evaluate(*shown)[0] | of_anomalous
  more, _ = of_split(exp.source, 0.2)
  of_tests = dict(zip(places, masks[known]))
  by_area = lambda masks: defect_area.evaluate(
    normals[:1], maps[:5], split.anomalous, masks, 0.2, 'ae'
  )[0]
  assert more == values | by_area(of_tests)
  stored = error_maps.stored(exp.source, split, maps, room=4 * 20 * 2)
  np.testing.assert_allclose(stored, maps[places], rtol=1e-3)
  assert error_maps.stored(exp.source, split, maps, room=4 * 20 * 2 - 1) is None
  plain = stand_ins.experiment_of_images().source
  assert of_split(plain, 0) is None
  assert of_split(plain, 0.2)[0] == by_area({})
  stored = error_maps.stored(plain, split, maps, room=1e9)
  np.testing.assert_allclose(stored, maps[:5], rtol=1e-3)  # Without masks, all.
  maps[0, 0, 0] = np.nan
  with pytest.raises(errors.UserError, match='maps of "ae" .* not finite'):
    of_split(plain, 0.2)


def test_areas_are_of_labelled_pictures():
  source, options = stand_ins.experiment_of_images().source, _options(0.2)
  share = lambda source: error_maps.defect_share(source, options)
  assert share(source) == 0.2 and share(source._replace(labelled=False)) == 0
  assert share(source._replace(inputs=np.zeros((6, 3)))) == 0
