"""Reasons for scores and content of memories, as estimators give them."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from memae_jax.data import host_stage, transforms

_NEAR = 3  # Training samples that are named for each slot.


class Explanation(NamedTuple):
  """Parts of the scores of n samples.

  Attributes:
    score: [n] anomaly scores.
    reconstruction: [n, D] or [n, H, W, C], in the units of X; of other scalings
      than a factor and an offset in those of the model input. Of a bank of raw
      samples the nearest slot; None of other banks.
    errors: [n, D] of each column or [n, H, W] of each pixel, in squared units
      of the model input, unless `eval.score` names another rule; their mean is
      the score. Of a bank what columns add to the distance, or the distances of
      positions; None where samples are compared as a whole.
    slots: [n, k] indices of the slots most similar to the encoding, the most
      similar first; [n, P, k] where each of P positions has a query. None
      without a memory.
    weights: addressing weights of these slots, 0 where one did not survive;
      None of a bank, whose slots are not weighed.
    samples: [n, k, m] or [n, P, k, m] rows of X in `fit` whose encodings are
      most similar to these slots; None where that is not known, as of a run. A
      slot that is a sample itself has this one first.
    columns: [D] names of the columns of a table that has names, or None.
  """

  score: np.ndarray
  reconstruction: np.ndarray | None
  errors: np.ndarray | None
  slots: np.ndarray | None = None
  weights: np.ndarray | None = None
  samples: np.ndarray | None = None
  columns: list[str] | None = None

  def __repr__(self) -> str:
    """Says which parts there are, by their shapes."""
    return _shapes(self)


class Memory(NamedTuple):
  """Slots of a memory of N, and what they stand for.

  Attributes:
    slots: [N, C] float32, which queries are compared with; of a bank of several
      kinds of features those of the first.
    decoded: [N, D] or [N, H, W, C] in the units of
      `Explanation.reconstruction`: each slot through the decoder; of a bank of
      raw samples as it is. None where a slot is a part of a sample, as with a
      query at each position, or other features of it.
    samples: [N, m] rows of X in `fit`, see `Explanation.samples`, or None.
  """

  slots: np.ndarray
  decoded: np.ndarray | None
  samples: np.ndarray | None

  def __repr__(self) -> str:
    """Says which parts there are, by their shapes."""
    return _shapes(self)


def _shapes(parts: Any) -> str:
  """Returns a tuple of arrays as one line, with shapes in place of values."""
  words = []
  for name, value in parts._asdict().items():
    if isinstance(value, np.ndarray):
      value = f'{list(value.shape)} {value.dtype}'
    elif isinstance(value, list):
      value = f'{len(value)} names'
    words.append(f'{name}: {value}')
  return f'{type(parts).__name__}({", ".join(words)})'


def batches(
  prepared: np.ndarray, transform: Any, size: int
) -> Iterator[tuple[slice, np.ndarray]]:
  """Yields places of samples, and model inputs [size, ...] of these.

  Args:
    prepared: [n, ...] samples after the host stage.
    transform: of the replica.
    size: of a batch; the last one has zeros behind its samples.
  """
  for start in range(0, len(prepared), size):
    place = slice(start, min(start + size, len(prepared)))
    raw = prepared[place]
    padding = [(0, size - len(raw))] + [(0, 0)] * (raw.ndim - 1)
    yield place, np.pad(transforms.apply(raw, transform), padding)


def nearest_rows(
  parts: Iterable[tuple[np.ndarray, np.ndarray]], slots: int
) -> np.ndarray:
  """Returns [N, m] the rows nearest to each slot, the nearest first.

  Args:
    parts: rows [B], and their distances [N, B] to the slots, part by part.
    slots: their number N.
  """
  best: np.ndarray = np.zeros((slots, 0))
  rows: np.ndarray = np.zeros((slots, 0), np.int64)
  for at, far in parts:
    best = np.concatenate([best, far], axis=1)
    rows = np.concatenate([rows, np.broadcast_to(at, far.shape)], axis=1)
    order = np.argsort(best, axis=1, kind='stable')[:, :_NEAR]
    best, rows = (np.take_along_axis(x, order, axis=1) for x in (best, rows))
  return rows


def in_units(exp: Any, output: np.ndarray) -> np.ndarray:
  """Returns model outputs [n, ...] in the units of raw samples, float64."""
  transform, host = exp.splits[0].transform, exp.source.host
  if transform.least_contrast is not None or transform.least_norm is not None:
    return output
  scale = np.where(transform.scale == 0, 1, transform.scale).astype(np.float64)
  values = (output - transform.shift.astype(np.float64)) / scale
  if host is None:
    return values
  return host_stage.undone(values, host)
