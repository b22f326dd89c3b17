"""Metrics of error maps, where the samples have masks."""

import numpy as np

from memae_jax.data import types
from memae_jax.evaluation.metrics import pixels
from memae_jax.evaluation.scoring import clip_scores

Metrics = tuple[dict[str, float | None], dict[str, str]]


def measure(
  source: types.Source, rows: np.ndarray, maps: np.ndarray
) -> Metrics:
  """Returns metrics of pixels and regions, and why some are undefined.

  Args:
    source: with masks.
    rows: [M] samples whose masks are known.
    maps: [M, H, W] of the same.
  """
  values, reasons = pixels.evaluate(maps, source.masks[rows])
  of_regions, why = clip_scores.find_regions(source, rows, maps)
  return values | of_regions, reasons | why
