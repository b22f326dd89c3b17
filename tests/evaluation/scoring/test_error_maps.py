"""Metrics of the maps of samples with masks."""

import numpy as np

from memae_jax.data import types
from memae_jax.evaluation.metrics import pixel_criteria, pixels, regions
from memae_jax.evaluation.scoring import error_maps


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
  assert set(values) == set(pixels.METRICS)  # No regions without videos.


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
