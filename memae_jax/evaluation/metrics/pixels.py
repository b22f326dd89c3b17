"""Metrics of pixels: how well error maps separate defects from the rest.

All pixels of all samples with a known mask are taken together; an anomalous
pixel is the positive class. The maps are not smoothed. Up to `EXACT_PIXELS`
pixels are ranked exactly, more by fine quantile bins, since sorting them all
would take gigabytes.
"""

import numpy as np
import scipy.ndimage

from memae_jax.evaluation.metrics import intervals

METRICS = (
  'pixel_auroc',
  'pixel_average_precision',
  'aupro',
  'pixel_base_rate',
)
OF_ANOMALOUS = ('pixel_auroc', 'aupro')  # Also over anomalous samples alone.
EXACT_PIXELS = 10_000_000
BINS = 2**16
FPR_LIMIT = 0.3  # Upper end of AUPRO, as in the papers on MVTec AD.


def method(pixels: int) -> str:
  """Says how a number of pixels is ranked: exactly, or in bins."""
  if pixels <= EXACT_PIXELS:
    return 'exact'
  return f'in {BINS:,} quantile bins; pixels of a bin count as tied'


def _ranks(maps: np.ndarray):
  """Returns an array or an iterable of the ranks of each map, and their count.

  Rank 0 is the highest value; equal values share a rank.
  """
  if maps.size <= EXACT_PIXELS:
    distinct, rank = np.unique(-maps, return_inverse=True)
    return rank.reshape(maps.shape), len(distinct)
  sampled = maps.reshape(-1)[:: -(-maps.size // EXACT_PIXELS)]
  edges = np.quantile(sampled, np.linspace(0, 1, BINS + 1)[1:-1])
  # As float64, they would make a float64 copy of every map.
  edges = edges.astype(maps.dtype)
  return (BINS - 1 - np.searchsorted(edges, values) for values in maps), BINS


def region_shares(mask: np.ndarray) -> tuple[np.ndarray, int]:
  """Returns one over the area of its region for each True, and their count.

  Pixels that touch, also at a corner, are one region.

  Args:
    mask: [H, W] bool.
  """
  labels, count = scipy.ndimage.label(mask, np.ones((3, 3)))
  areas = np.bincount(labels[mask], minlength=count + 1)
  return 1 / areas[labels[mask]], count


def _region_overlap(share, regions, negative) -> float:
  """Returns the mean overlap of the regions over FPR 0 to `FPR_LIMIT`.

  Args:
    share: [K] areas of regions that are found at each rank, as shares of the
      regions, summed over the regions.
    regions: how many there are.
    negative: [K] normal pixels at each rank.

  Returns:
    From 0 to 1.
  """
  overlap = np.r_[0, np.cumsum(share) / regions]
  fpr = np.r_[0, np.cumsum(negative) / negative.sum()]
  inside = fpr <= FPR_LIMIT
  last = np.interp(FPR_LIMIT, fpr, overlap)
  area = np.trapezoid(
    np.r_[overlap[inside], last], np.r_[fpr[inside], FPR_LIMIT]
  )
  return float(min(area / FPR_LIMIT, 1))  # Sums may round to above 1.


def evaluate(
  maps: np.ndarray, masks: np.ndarray, covered: np.ndarray | None = None
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns the metrics of pixels, and why the undefined ones are so.

  `aupro` is the area under the per-region overlap (the share of a connected
  region that is found, mean over the regions) against the share of normal
  pixels that is flagged, up to `FPR_LIMIT`, and divided by it.

  Args:
    maps: [M, H, W] float32 error of each pixel, higher is more anomalous.
    masks: [M, H, W] bool, True where a pixel is anomalous.
    covered: [M, H, W] bool, pixels that count; None: all of them.

  Returns:
    metrics: every name of `METRICS`, None where undefined.
    reasons: one sentence for each undefined metric.
  """
  positives = int(masks.sum())
  size = masks.size if covered is None else int(covered.sum())
  out: dict[str, float | None] = dict.fromkeys(METRICS)
  if size:
    out['pixel_base_rate'] = positives / size
  if positives in (0, size):
    reason = 'no test sample has a mask'
    if size:
      kind = 'anomalous' if positives else 'normal'
      reason = f'every pixel of the {len(masks):,} masks is {kind}'
    return out, {name: reason for name in METRICS if out[name] is None}
  ranks, count = _ranks(maps)
  positive, negative = np.zeros((2, count), np.int64)
  share, regions = np.zeros(count), 0
  normal = ~masks if covered is None else covered & ~masks
  for rank, mask, rest in zip(ranks, masks, normal):
    np.add.at(negative, rank[rest], 1)
    if mask.any():
      shares, count_of_mask = region_shares(mask)
      regions += count_of_mask
      np.add.at(positive, rank[mask], 1)
      np.add.at(share, rank[mask], shares)
  ranked = intervals.from_counts(positive, negative)
  out['pixel_auroc'] = ranked['auroc']
  out['pixel_average_precision'] = ranked['average_precision']
  out['aupro'] = _region_overlap(share, regions, negative)
  return {name: float(value) for name, value in out.items()}, {}


def evaluate_anomalous(
  maps: np.ndarray, masks: np.ndarray, covered: np.ndarray | None = None
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns metrics of pixels over the samples whose mask shows an anomaly.

  What sets normal samples apart as a whole, such as their light, then counts
  for nothing.

  Args:
    maps, masks, covered: see `evaluate`.

  Returns:
    As `evaluate`, names of `OF_ANOMALOUS` with "_anomalous" after them.
  """
  shows = masks.any(axis=(1, 2))
  covered = None if covered is None else covered[shows]
  values, reasons = evaluate(maps[shows], masks[shows], covered)
  named = lambda found: {
    f'{name}_anomalous': found[name] for name in OF_ANOMALOUS if name in found
  }
  return named(values), named(reasons)
