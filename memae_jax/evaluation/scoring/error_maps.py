"""Metrics of error maps, where the samples have masks."""

import numpy as np

from memae_jax.data import types
from memae_jax.evaluation.metrics import pixel_criteria, pixels
from memae_jax.evaluation.scoring import clip_scores

Metrics = tuple[dict[str, float | None], dict[str, str]]


def measure(
  source: types.Source, rows: np.ndarray, maps: np.ndarray
) -> Metrics:
  """Returns metrics of pixels, and why some are undefined.

  Those of videos include regions, and frames by what is found in them.

  Args:
    source: with masks.
    rows: [M] samples whose masks are known.
    maps: [M, H, W] of the same.
  """
  masks = source.masks[rows]
  values, reasons = pixels.evaluate(maps, masks)
  if source.videos is None:
    return values, reasons
  for more, why in (
    clip_scores.find_regions(source, rows, maps),
    pixel_criteria.evaluate(maps, masks),
  ):
    values, reasons = values | more, reasons | why
  return values, reasons
