"""Detection of the anomalous frames of videos in the right place.

A frame may have a high score for something that is not the anomaly. In maps
whose pixels are flagged where they reach a threshold, these criteria ask where:

- pixel criterion (Mahadevan et al., CVPR 2010; Li et al., PAMI 2014): an
  anomalous frame is found if at least `SHARE` percent of its anomalous pixels
  are flagged. A frame without any is a false alarm if any pixel is flagged.
- dual pixel criterion (after Sabokrou et al., 2015): to be found, at least
  `PRECISE` percent of the flagged pixels of the frame must be anomalous, too.
  So it does not help to flag the whole frame.

Each gives a ROC curve of frames over all thresholds: the area under it, and by
the first criterion the equal error rate; one minus that is what is called the
rate of detection. Flagged pixels outside of the anomaly of an anomalous frame
count for nothing in the first. By the second, fewer frames may be found at a
lower threshold: the curve takes, for each rate of false alarms, the most that
any threshold with at most that rate finds, as that of `regions` does.

No threshold is tried on the pixels. For each frame it is known at which ones it
is found: by the first criterion up to a quantile of its anomalous pixels, by
the second in some intervals. A normal frame is a false alarm up to its maximum.
"""

from typing import NamedTuple

import numpy as np

from memae_jax.evaluation.metrics import detection
from memae_jax.runtime import errors

METRICS = 'auroc_pixel_criterion', 'eer_pixel_criterion', 'auroc_dual_pixel'
SHARE = 40  # Percent of the anomalous pixels that must be flagged.
PRECISE = 10  # Percent of the flagged pixels that must be anomalous.


class _Found(NamedTuple):
  """Thresholds at which a frame is found by the dual criterion.

  They are those above `low` [K], and up to `high` [K] in the same place.
  """

  low: np.ndarray
  high: np.ndarray


def _descending(values: np.ndarray, most: int) -> np.ndarray:
  """Returns the highest values, at most so many, and -inf behind them."""
  if most < len(values):
    values = np.partition(values, len(values) - most)[-most:]
  return np.append(np.sort(values)[::-1], -np.inf)


def _found(anomalous: np.ndarray, normal: np.ndarray) -> _Found:
  """Returns where a frame is found by the dual criterion.

  Args:
    anomalous: values of its anomalous pixels, at least one.
    normal: values of its other pixels.
  """
  count = len(anomalous)
  flagged = np.arange(-(-SHARE * count // 100), count + 1)  # Anomalous pixels.
  beside = flagged * (100 - PRECISE) // PRECISE  # Most of the other ones.
  of_anomaly = _descending(anomalous, count)
  of_rest = _descending(normal, int(beside[-1]) + 1)
  # From each number of anomalous pixels to the next, or to one pixel too many.
  too_many = of_rest[np.minimum(beside, len(of_rest) - 1)]
  low = np.maximum(of_anomaly[flagged], too_many)
  high = of_anomaly[flagged - 1]
  some = low < high
  return _Found(low[some], high[some])


def _area(low: np.ndarray, high: np.ndarray, count: int, alarms: np.ndarray):
  """Returns the area under the best rate of detection, from 0 to 1.

  Args:
    low, high: [K] of the intervals of all frames, see `_Found`.
    count: of anomalous frames.
    alarms: [N] up to where each normal frame is a false alarm.
  """
  cuts = np.unique(np.r_[high, alarms])[::-1]
  reached = lambda ends: len(ends) - np.searchsorted(np.sort(ends), cuts)
  best = np.maximum.accumulate((reached(high) - reached(low)) / count)
  false = reached(alarms) / len(alarms)
  return float(np.trapezoid(np.r_[0, best], np.r_[0, false]))


def _undefined(anomalous: np.ndarray) -> str | None:
  """Returns why frames, [M] bool, define no rate; None if they do."""
  if not anomalous.size:
    return 'no test sample has a mask'
  if not anomalous.any():
    return f'none of the {len(anomalous):,} masks has an anomalous pixel'
  if anomalous.all():
    return (
      f'each of the {len(anomalous):,} masks has an anomalous pixel: no frame'
      ' could be a false alarm'
    )
  return None


def evaluate(
  maps: np.ndarray, masks: np.ndarray
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns the metrics of frames, and why the undefined ones are so.

  Args:
    maps: [M, H, W] error of each pixel, higher is more anomalous.
    masks: [M, H, W] bool, True where a pixel is anomalous.

  Returns:
    metrics: every name of `METRICS`, None where undefined.
    reasons: one sentence for each undefined metric.

  Raises:
    UserError: the shapes differ, or a value is not finite.
  """
  if maps.shape != masks.shape:
    raise errors.UserError(
      f'maps have shape {maps.shape} and masks {masks.shape}; give maps and'
      ' masks of the same frames and size'
    )
  if not np.isfinite(maps).all():
    raise errors.UserError('maps have values that are not finite')
  anomalous = masks.any(axis=(1, 2))
  if reason := _undefined(anomalous):
    return dict.fromkeys(METRICS), dict.fromkeys(METRICS, reason)
  alarms = maps[~anomalous].max(axis=(1, 2))
  quantiles, found = [], []
  for values, mask in zip(maps[anomalous], masks[anomalous]):
    inside = np.sort(values[mask])[::-1]
    quantiles.append(inside[-(-SHARE * len(inside) // 100) - 1])
    found.append(_found(inside, values[~mask]))
  score = np.r_[np.array(quantiles), alarms]
  is_found = np.arange(len(score)) < len(quantiles)
  ranked, _ = detection.evaluate(score, is_found, np.zeros(0))
  ends = _Found(*map(np.concatenate, zip(*found)))
  area = _area(*ends, len(found), alarms)
  return dict(zip(METRICS, (ranked['auroc'], ranked['eer'], area))), {}
