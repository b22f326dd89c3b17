"""Detection of defects that have at least an area: the protocol of MVTec AD.

Bergmann et al. (CVPR 2019), sections 4.2 and 4.3. The threshold of a method is
the least one above which no connected region of its maps of validation normals
reaches an area. A picture is then called anomalous if a region of its map does;
the paper says so of regions, and its rates of pictures follow from that. It
does not state its areas: here a quarter of an area and four times it are tried
beside it. The overlap says which share of a true region is above the threshold,
and charges nothing for what is flagged elsewhere.

Pixels that touch, also at a corner, are one region, as in `pixels`.
"""

import bisect
import math
from collections.abc import Mapping, Sequence

import numpy as np
import scipy.ndimage

from memae_jax.evaluation.metrics import detection, pixels
from memae_jax.runtime import errors

THRESHOLD, OVERLAP = 'defect_threshold', 'region_overlap'
RATES = 'accuracy_good', 'accuracy_anomalous', 'accuracy_mean'
# Ends of the names of metrics, and the area that they are for as a multiple.
FACTORS = {'_quarter': 0.25, '': 1.0, '_fourfold': 4.0}
_NAMES = THRESHOLD, *RATES, OVERLAP
METRICS = tuple(name + end for end in FACTORS for name in _NAMES)
_CORNERS = np.ones((3, 3))


def areas(shape: Sequence[int], share: float) -> dict[str, int]:
  """Returns the areas in pixels by the end of the names in `METRICS`.

  Args:
    shape: (H, W) of a picture.
    share: of the picture that the area is, at most a quarter.
  """
  whole = math.prod(shape)
  return {
    end: max(1, round(factor * share * whole))
    for end, factor in FACTORS.items()
  }


def _reaches(flagged: np.ndarray, area: int) -> bool:
  """Returns whether a connected region of [H, W] bool has that many pixels."""
  if np.count_nonzero(flagged) < area:
    return False
  labels, _ = scipy.ndimage.label(flagged, _CORNERS)
  return bool(np.bincount(labels.ravel())[1:].max() >= area)


def threshold_by_area(maps: np.ndarray, area: int) -> float:
  """Returns the least threshold above which no region reaches an area.

  It is exact: a value of the maps, found by bisection of the distinct values of
  each map that has a region of that area above the threshold so far.

  Args:
    maps: [n, H, W] finite errors of validation normals, n at least 1.
    area: in pixels, at most H * W.
  """
  threshold = -math.inf
  for one in maps:
    if _reaches(one > threshold, area):
      values = np.unique(one)
      least = bisect.bisect_left(
        values, True, key=lambda value, one=one: not _reaches(one > value, area)
      )
      threshold = float(values[least])
  return threshold


def evaluate(
  normals: np.ndarray,
  maps: np.ndarray,
  anomalous: np.ndarray,
  masks: Mapping[int, np.ndarray],
  share: float,
  method: str,
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns the metrics by area, and why the undefined ones are so.

  Args:
    normals: [V, H, W] maps of validation normals, higher is more anomalous.
    maps: [T, H, W] of test samples.
    anomalous: [T] bool.
    masks: [H, W] bool of the test samples whose masks are known, by their
      places in `maps`; True where a pixel is anomalous.
    share: of a picture that the area is.
    method: name of the method, for messages.

  Returns:
    metrics: every name of `METRICS`, None where undefined.
    reasons: one sentence for each undefined metric.

  Raises:
    UserError: a value of the maps is not finite.
  """
  if not (np.isfinite(normals).all() and np.isfinite(maps).all()):
    raise errors.UserError(
      f'the maps of "{method}" have values that are not finite, so no'
      ' threshold fits eval.defect_area; train it again with a lower'
      ' train.learning_rate, or set eval.defect_area=0'
    )
  if not len(normals):
    return dict.fromkeys(METRICS), dict.fromkeys(METRICS, detection.NO_NORMALS)
  regions = [
    (place, mask, *pixels.region_shares(mask)) for place, mask in masks.items()
  ]
  out: dict[str, float | None] = {}
  for end, area in areas(maps.shape[1:], share).items():
    limit = threshold_by_area(normals, area)
    found = np.array([_reaches(one > limit, area) for one in maps], bool)
    of_area = limit, *_rates(found, anomalous), _overlap(maps, regions, limit)
    out |= dict(zip((f'{name}{end}' for name in _NAMES), of_area))
  single = detection.single_class(anomalous)
  reasons = {
    name: _no_regions(masks) if name.startswith(OVERLAP) else single
    for name, value in out.items()
    if value is None
  }
  return out, reasons


def _rates(found: np.ndarray, anomalous: np.ndarray) -> list[float | None]:
  """Returns the values of `RATES`.

  Args:
    found: [T] bool, True for pictures that are called anomalous.
    anomalous: [T] bool, True for pictures that are.
  """
  good, bad = (
    float(right.mean()) if right.size else None
    for right in (~found[~anomalous], found[anomalous])
  )
  return [good, bad, None if None in (good, bad) else (good + bad) / 2]


def _overlap(maps, regions, threshold: float) -> float | None:
  """Returns the share of a region that is flagged, mean over the regions.

  Args:
    maps: [T, H, W].
    regions: of each mask its place in `maps`, the mask, and its
      `pixels.region_shares`.
    threshold: pixels above it are flagged.
  """
  count = sum(count for *_, count in regions)
  if not count:
    return None
  covered = sum(
    shares[maps[place][mask] > threshold].sum()
    for place, mask, shares, _ in regions
  )
  return float(min(covered / count, 1))  # Sums may round to above 1.


def _no_regions(masks: Mapping[int, np.ndarray]) -> str:
  """Returns why there is no region that could be covered."""
  if not masks:
    return 'no test sample has a mask'
  return f'none of the {len(masks):,} masks has an anomalous pixel'
