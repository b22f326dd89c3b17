"""Metrics of error maps: of pixels by their masks, of defects by their area."""

import math
from typing import Any

import numpy as np

from memae_jax.data import types
from memae_jax.evaluation.metrics import defect_area, pixel_criteria, pixels
from memae_jax.evaluation.scoring import clip_scores

Metrics = tuple[dict[str, float | None], dict[str, str]]
ROOM = 2**28  # Most bytes of maps kept, in the order of the fleet.


def measure(
  source: types.Source, rows: np.ndarray, maps: np.ndarray
) -> Metrics:
  """Returns metrics of pixels, and why some are undefined.

  Those of videos include regions, and frames by what is found in them; those
  of pictures include pixels of the anomalous ones alone.

  Args:
    source: with masks.
    rows: [M] samples whose masks are known.
    maps: [M, H, W] of the same.
  """
  masks = source.masks[rows]
  covered = source.covered(rows)
  values, reasons = pixels.evaluate(maps, masks, covered)
  if source.videos is None:
    further = (pixels.evaluate_anomalous(maps, masks, covered),)
  else:
    further = (
      clip_scores.find_regions(source, rows, maps),
      pixel_criteria.evaluate(maps, masks),
    )
  for more, why in further:
    values, reasons = values | more, reasons | why
  return values, reasons


def defect_share(source: types.Source, options: Any) -> float:
  """Returns the area of a defect as a share of a picture.

  Args:
    source: of the samples.
    options: `config.eval`.

  Returns:
    0 where there are no metrics by area: they are of labelled pictures.
  """
  has_them = source.has_images and source.labelled
  return options.defect_area if has_them else 0.0


def kept(source: types.Source, rows: np.ndarray) -> np.ndarray:
  """Returns the places of the samples whose maps are kept.

  Args:
    source: of the samples.
    rows: [T] test samples.

  Returns:
    [M], of those with a known mask; of all where there are no masks.
  """
  if source.masks is None:
    return np.arange(len(rows))
  return np.flatnonzero(source.has_mask[rows])


def stored(
  source: types.Source, split: types.Split, maps: np.ndarray, room: float
) -> np.ndarray | None:
  """Returns the maps [M, H, W] float16 that are kept, see `kept`.

  Args:
    source: of the samples.
    split: of these samples.
    maps: [T or more, H, W] of the test samples, padded at the end.
    room: bytes that they may take; None if they are more.
  """
  places = kept(source, split.test)
  if 2 * len(places) * math.prod(maps.shape[1:]) > room:
    return None
  limit = np.finfo(np.float16).max
  return np.minimum(maps[places], limit).astype(np.float16)


def of_split(
  source: types.Source,
  split: types.Split,
  maps: np.ndarray,
  normals: np.ndarray | None,
  options: Any,
  method: str,
) -> Metrics | None:
  """Returns all metrics of the maps of a method, and why some are undefined.

  Args:
    source: of the samples.
    split: of these samples.
    maps: [T or more, H, W] of the test samples, padded at the end.
    normals: [V or more, H, W] of the validation normals; None where
      `defect_share` is 0.
    options: `config.eval`.
    method: name of the method, for messages.

  Returns:
    None where there are neither masks nor areas.

  Raises:
    UserError: a map has a value that is not finite.
  """
  share = defect_share(source, options)
  if source.masks is None and not share:
    return None
  values, reasons, masks = {}, {}, {}
  if source.masks is not None:
    (known,) = np.nonzero(source.has_mask[split.test])
    values, reasons = measure(source, split.test[known], maps[known])
    masks = dict(zip(known.tolist(), source.masks[split.test[known]]))
  if share:
    more, why = defect_area.evaluate(
      normals[: len(split.validation)],
      maps[: len(split.test)],
      split.anomalous,
      masks,
      share,
      method,
    )
    values, reasons = values | more, reasons | why
  return values, reasons
