"""Detection of the anomalous regions of videos, and of their tracks.

The region-based and track-based detection criteria (RBDC, TBDC) of Ramachandra
and Jones, "Street Scene" (WACV 2020). Frame-level metrics ignore where in the
picture the error is. Here, in maps that are thresholded at a value,

- a predicted region is a connected component of a frame;
- a true region is detected if the intersection over union with some predicted
  region of its frame is at least `OVERLAP`;
- a track (a true region over time) is detected if at least `SHARE` of its
  regions are;
- a predicted region that overlaps no true region of its frame by as much is a
  false positive, also in a frame that has an anomaly.

Each criterion is an area: the share of detected regions, or tracks, over the
number of false positive regions per frame, from 0 to 1.

Differences from others: regions are sets of pixels, and not their bounding
boxes, which a detector would give and the code of Georgescu et al. (2021)
compares. Without track numbers a track is a connected component of the masks
over space and time, so objects that touch are one. A lower threshold merges
regions, so that both rates may fall again: the curve takes, for each rate of
false positives, the most that any threshold with at most that rate detects,
in steps and without interpolation.
"""

from typing import NamedTuple

import numpy as np
import scipy.ndimage

from memae_jax.runtime import errors

METRICS = ('rbdc', 'tbdc')
OVERLAP = 0.1  # Beta of the paper.
SHARE = 0.1  # Alpha of the paper.
THRESHOLDS = 100
_SAMPLED = 10_000_000  # Most pixels from which thresholds are chosen.
_IN_FRAME = np.zeros((3, 3, 3), bool)  # Touching, also at a corner.
_IN_FRAME[1] = True


class Curve(NamedTuple):
  """Rates [K] at falling thresholds [K].

  false_positives: false predicted regions per frame.
  regions: share of the true regions that is detected.
  tracks: share of the true tracks that is detected.
  """

  threshold: np.ndarray
  false_positives: np.ndarray
  regions: np.ndarray
  tracks: np.ndarray


class _Truth(NamedTuple):
  """The G true regions of a video.

  labels: [F, H, W], 0 or one plus the index of the region.
  area: [G] pixels of each region.
  track: [G] number of the track of each region.
  """

  labels: np.ndarray
  area: np.ndarray
  track: np.ndarray


def _truth(masks: np.ndarray) -> _Truth:
  """Finds the true regions of a video, and the track of each.

  Args:
    masks: [F, H, W] bool, or int: 0 or the number of a track.
  """
  if masks.dtype == bool:
    labels, _ = scipy.ndimage.label(masks, _IN_FRAME)
    tracks, _ = scipy.ndimage.label(masks, np.ones((3, 3, 3)))
  else:  # All pixels of a track in one frame are one region.
    tracks = masks
    number = np.arange(len(masks))[:, None, None] * (int(masks.max()) + 1)
    labels = np.zeros(masks.shape, np.int64)
    inside = masks > 0
    region = np.unique((masks + number)[inside], return_inverse=True)[1]
    labels[inside] = region + 1
  inside = labels > 0
  _, first, area = np.unique(
    labels[inside], return_index=True, return_counts=True
  )
  return _Truth(labels, area, tracks[inside][first])


def _matched(flagged: np.ndarray, truth: _Truth) -> tuple[np.ndarray, int]:
  """Returns which true regions are detected, and counts the false positives.

  Args:
    flagged: [F, H, W] bool, pixels above a threshold.
    truth: the true regions of the same frames.

  Returns:
    [G] bool, and the number of false predicted regions.
  """
  busy = flagged.any(axis=(1, 2))  # High thresholds leave few frames to label.
  labels, count = scipy.ndimage.label(flagged[busy], _IN_FRAME)
  true = truth.labels[busy]
  both = (labels > 0) & (true > 0)
  count_of_true = len(truth.area)
  pairs, shared = np.unique(
    labels[both] * (count_of_true + 1) + true[both], return_counts=True
  )
  predicted, region = np.divmod(pairs, count_of_true + 1)
  area = np.bincount(labels.ravel())[predicted] + truth.area[region - 1]
  good = shared / (area - shared) >= OVERLAP
  detected = np.zeros(count_of_true, bool)
  detected[region[good] - 1] = True
  return detected, count - len(np.unique(predicted[good]))


def thresholds(maps: np.ndarray) -> np.ndarray:
  """Returns falling thresholds, closer together the higher they are.

  They are all distinct values if these are few, else `THRESHOLDS` or fewer.

  Args:
    maps: [S, H, W].
  """
  sampled = np.sort(maps.reshape(-1)[:: -(-maps.size // _SAMPLED)])[::-1]
  distinct = np.unique(sampled)[::-1]
  if len(distinct) <= THRESHOLDS:
    return distinct
  ranks = np.geomspace(1, sampled.size, THRESHOLDS).round().astype(int) - 1
  return np.unique(sampled[ranks])[::-1]


def curve(maps: np.ndarray, masks: np.ndarray, video: np.ndarray) -> Curve:
  """Returns the rates at each threshold; some mask must have an anomaly.

  Each frame is labelled `THRESHOLDS` times: about 100 s for the 2,010 frames
  of UCSD Ped2 at 256 x 256.

  Args:
    maps: [S, H, W] error of each pixel, higher is more anomalous.
    masks: [S, H, W] bool, or int: 0 or the number of a track in its video.
    video: [S] int, the video of each frame; frames are in their order.

  Raises:
    UserError: the shapes differ, or a value is not finite.
  """
  if maps.shape != masks.shape or video.shape != maps.shape[:1]:
    raise errors.UserError(
      f'maps have shape {maps.shape}, masks {masks.shape} and video'
      f' {video.shape}; give maps and masks of the same frames and size'
    )
  if not np.isfinite(maps).all():
    raise errors.UserError('maps have values that are not finite')
  cuts = thresholds(maps)
  false, regions, tracks = np.zeros((3, len(cuts)))
  known_regions = known_tracks = 0
  for number in np.unique(video):
    rows = np.flatnonzero(video == number)
    truth, maps_of_video = _truth(masks[rows]), maps[rows]
    _, of_track, size = np.unique(
      truth.track, return_inverse=True, return_counts=True
    )
    known_regions += len(of_track)
    known_tracks += len(size)
    for k, cut in enumerate(cuts):
      detected, wrong = _matched(maps_of_video >= cut, truth)
      false[k] += wrong
      regions[k] += detected.sum()
      hits = np.bincount(of_track, detected, minlength=len(size))
      tracks[k] += np.sum(hits / size >= SHARE)
  return Curve(
    cuts, false / len(maps), regions / known_regions, tracks / known_tracks
  )


def area(false_positives: np.ndarray, rate: np.ndarray) -> float:
  """Returns the area under the best rate of detection, a share from 0 to 1.

  The best rate is taken over the thresholds with at most so many false
  positives, and the area goes from 0 to 1 false positive per frame.

  Args:
    false_positives: [K] per frame, in any order.
    rate: [K] of detection, at the same thresholds.
  """
  order = np.argsort(false_positives, kind='stable')
  edges = np.minimum(np.r_[false_positives[order], 1], 1)
  best = np.maximum.accumulate(rate[order])
  return float(np.sum(best * np.diff(edges)))


def evaluate(
  maps: np.ndarray, masks: np.ndarray, video: np.ndarray
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns RBDC and TBDC, and why they are undefined where they are.

  Args:
    maps, masks, video: see `curve`.

  Returns:
    metrics: every name of `METRICS`, None where undefined.
    reasons: one sentence for each undefined metric.

  Raises:
    UserError: see `curve`.
  """
  if not masks.any():
    reason = f'none of the {len(masks):,} masks has an anomalous pixel'
    return dict.fromkeys(METRICS), dict.fromkeys(METRICS, reason)
  rates = curve(maps, masks, video)
  by_metric = zip(METRICS, (rates.regions, rates.tracks))
  return {k: area(rates.false_positives, rate) for k, rate in by_metric}, {}
