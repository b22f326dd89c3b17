"""Maps of videos that nobody learned, scored by the rules of frames.

Each gives a map of the scored frame and from it the rules of a network:

  frame_difference  squared change from the frame before
  no_bank           squared speed, as networks see it
"""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from memae_jax import losses
from memae_jax.data import transforms, types
from memae_jax.data.videos import views
from memae_jax.methods import frame_scores

_BLOCK = 64  # Frames whose maps are reduced at once.


def fits(source: types.Source, name: str) -> bool:
  """Returns whether samples have what a map is of.

  Args:
    source: of the samples.
    name: 'frame_difference' or 'no_bank'.
  """
  if source.videos is None:
    return False
  is_seen = isinstance(source.inputs.frames, views.View)
  return name == 'frame_difference' or is_seen


def score(
  source: types.Source,
  transform: types.Transform,
  rows: np.ndarray,
  name: str,
  rules: frame_scores.Rules,
) -> dict[str, np.ndarray]:
  """Returns the scores [n] of samples by name of the rule.

  Args:
    source: of clips or frames.
    transform: raw inputs -> model inputs.
    rows: [n] samples.
    name: see `fits`.
    rules: of frames.
  """
  parts = []
  for squares in _SQUARES[name](source, transform, rows):
    error = np.array([one.mean() for one in squares], np.float32)
    of_cells = rules.of_cells(squares.mean(axis=-1).reshape(len(squares), -1))
    part = {'mse': error, **jax.device_get(of_cells)}
    if rules.form == losses.CLIP:
      part['mse_centre'] = error
    ratio = 'psnr' if rules.form == losses.FRAME else 'psnr_centre'
    part[ratio] = np.asarray(losses.decibels(error))
    parts.append(part)
  return {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}


def _changes(source, transform, rows) -> Iterator[np.ndarray]:
  """Yields squared changes [k, H, W, C] of frames.

  The first frame of a video has the change to the one after it. Where inputs
  are no frames, frames are brought to [-1, 1].
  """
  frames, scale = source.inputs.frames, lambda x: transforms.apply(x, transform)
  if source.pictures is not None:
    frames, scale = source.pictures, lambda x: x.astype(np.float32) / 127.5 - 1
  pairs = _with_neighbours(source, rows)
  for start in range(0, len(pairs), _BLOCK):
    block = scale(frames[pairs[start : start + _BLOCK]])
    yield np.square(block[:, 1] - block[:, 0])


def _with_neighbours(source: types.Source, rows: np.ndarray) -> np.ndarray:
  """Returns [n, 2] indices of frames: what came before, and the scored ones.

  In a clip that is its own frame before the scored one.
  """
  number, videos = source.inputs.number[rows], source.videos
  if number.ndim > 1:
    count = number.shape[1]
    at = count - 1 if source.inputs.scores_last else count // 2
    return number[:, at - 1 : at + 1]
  is_first = videos.frame[rows] == 0
  is_alone = videos.lengths[videos.video[rows]] == 1
  before = np.where(
    is_first, np.where(is_alone, number, number + 1), number - 1
  )
  return np.stack([before, number], axis=1)


def _speeds(source, transform, rows) -> Iterator[np.ndarray]:
  """Yields squares [k, H, W, 1] of speeds of scored frames."""
  del transform
  scored = source.inputs.take(rows).scored
  for start in range(0, len(scored), _BLOCK):
    speeds = source.inputs.frames.speeds(scored[start : start + _BLOCK])
    yield np.square(speeds)


_SQUARES = {'frame_difference': _changes, 'no_bank': _speeds}


def cells(
  source: types.Source, transform: types.Transform, rows: np.ndarray, name: str
) -> np.ndarray:
  """Returns the maps [n, H, W] float32 of the scored frames of samples.

  Args:
    source, transform, rows, name: see `score`.
  """
  maps = np.empty((len(rows), *source.inputs.shape[-3:-1]), np.float32)
  start = 0
  for squares in _SQUARES[name](source, transform, rows):
    maps[start : start + len(squares)] = squares.mean(axis=-1)
    start += len(squares)
  return maps


def chosen(by_rule: dict[str, Any], rule: str) -> str:
  """Returns the rule of the score of a row: that of the networks if it has it.

  Args:
    by_rule: from `score`.
    rule: of the networks.
  """
  return rule if rule in by_rule else 'mse'
