"""Alarms of an exported scorer at a stated rate: see `metrics.conformal`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from memae_jax import conformal
from memae_jax.exported import hourly
from memae_jax.runtime import errors

KEY = 'normal_scores'  # Of meta.json.
_MOST = 20_000  # Scores in a file; so many allow rates down to 1 / 20,001.


def stored(normal: np.ndarray, seed: int) -> list[float]:
  """Returns scores of validation normals for meta.json, in ascending order.

  Args:
    normal: [V] float32; of more than 20,000 so many are drawn.
    seed: of the draw.
  """
  normal = np.asarray(normal, np.float32)
  if len(normal) > _MOST:
    normal = np.random.default_rng(seed).choice(normal, _MOST, replace=False)
  return np.sort(normal).tolist()


def check(meta: Mapping[str, Any]) -> None:
  """Raises ValueError where meta.json has something else in their place."""
  scores = meta.get(KEY, [])  # Earlier exports lack them.
  if not (
    isinstance(scores, list)
    and all(type(score) in (int, float) for score in scores)
    and np.isfinite(scores).all()
  ):
    raise ValueError(f'its "{KEY}" are no scores')


def normals(meta: Mapping[str, Any]) -> np.ndarray:
  """Returns the scores [V] of validation normals.

  Raises:
    UserError: the file has none.
  """
  scores = meta.get(KEY)
  if not scores:
    raise errors.UserError(
      'this scorer has no scores of validation normals, which p-values and'
      ' alarms at a rate need; export it again, from a run that has some'
    )
  return np.asarray(scores, np.float32)


def limit(meta: Mapping[str, Any], false_alarm: float | None) -> float:
  """Returns the score above which samples are flagged.

  Args:
    meta: of the scorer.
    false_alarm: rate of alarms among new normals; None: the threshold that the
      run had.

  Raises:
    UserError: see `normals` and `conformal.flags`.
  """
  if false_alarm is None:
    return meta['threshold']
  conformal.check_rate('false_alarm', false_alarm)
  return conformal.threshold(normals(meta), false_alarm)


def of_stream(
  meta: Mapping[str, Any],
  false_alarm: float | None,
  alarms_per_hour: float | None,
) -> tuple[float, int | None]:
  """Returns the score above which a stream flags, and the gap of its alarms.

  Args:
    meta: of the scorer.
    false_alarm: see `limit`.
    alarms_per_hour: in its place, see `hourly.limit`; None: no gap.

  Raises:
    UserError: both are given; see `limit` and `hourly.limit`.
  """
  if alarms_per_hour is None:
    return limit(meta, false_alarm), None
  if false_alarm is not None:
    raise errors.UserError('give false_alarm or alarms_per_hour, not both')
  return hourly.limit(meta, alarms_per_hour)


def flags(
  meta: Mapping[str, Any],
  score: np.ndarray,
  false_alarm: float | None,
  fdr: float | None,
) -> np.ndarray:
  """Returns which samples raise an alarm, [B] bool.

  Args:
    meta: of the scorer.
    score: [B].
    false_alarm: see `limit`.
    fdr: in its place, rate of normals among what is flagged.

  Raises:
    UserError: see `normals` and `conformal.flags`.
  """
  if fdr is None:
    return score > limit(meta, false_alarm)
  return conformal.flags(score, normals(meta), false_alarm, fdr)
