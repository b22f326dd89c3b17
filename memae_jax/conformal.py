"""Alarms at a rate that is stated beforehand: conformal p-values.

A score s of which n validation normals have as high a one or a higher one k
times has the p-value (1 + k) / (n + 1). For a new normal sample that could as
well have been one of the validation normals, it is at most a with a chance of
at most a, whatever the detector is; ties make it larger, never smaller. No
anomaly is needed, and the normals must not have trained the detector.

That is a mean over draws of the validation normals: for one set of them the
share of false alarms follows a beta-binomial law around it. Frames of a video
come in clusters, which are not exchangeable: there nothing is promised.

After Vovk, Gammerman and Shafer 2005, and Bates et al. 2023, "Testing for
outliers with conformal p-values".
"""

import numbers

import numpy as np

from memae_jax.runtime import errors

RATE = 0.01  # Of false alarms, where nobody says another.


def p_values(score: np.ndarray, normal: np.ndarray) -> np.ndarray:
  """Returns the conformal p-values [T] of scores.

  Args:
    score: [T], higher is more anomalous.
    normal: [n] scores of validation normals.
  """
  normal = np.sort(normal)
  as_high = len(normal) - np.searchsorted(normal, score, 'left')
  return (1 + as_high) / (len(normal) + 1)


def count_above(count: int, rate: float) -> int:
  """Returns how many of n validation normals and one more may be flagged.

  Args:
    count: n.
    rate: of false alarms.
  """
  return int(np.floor(rate * (count + 1) * (1 + 1e-12)))


def too_few(count: int, rate: float) -> str | None:
  """Returns why n normals do not allow a rate, or None where they do.

  Args:
    count: n.
    rate: of false alarms.
  """
  if count_above(count, rate) >= 1:
    return None
  if not count:
    return 'there are no validation normals, which a rate of alarms needs'
  needed = int(np.ceil(1 / rate - 1e-9)) - 1
  return (
    f'{count:,} validation normals allow no rate of false alarms below'
    f' {1 / (count + 1):.2g}; {rate:g} needs {needed:,} of them'
  )


def check_rate(name: str, rate: float) -> None:
  """Raises UserError unless a number of some name is a rate."""
  if not (isinstance(rate, numbers.Real) and 0 < rate < 1):
    raise errors.UserError(f'{name} is {rate!r}; give a rate above 0, below 1')


def threshold(normal: np.ndarray, rate: float) -> float:
  """Returns the score above which p-values are at most a rate.

  Args:
    normal: [n] scores of validation normals.
    rate: of false alarms, in (0, 1).

  Raises:
    UserError: n is too small for it.
  """
  why = too_few(len(normal), rate)
  if why:
    raise errors.UserError(
      f'{why}: raise data.validation_fraction and train again, or choose a'
      ' higher rate'
    )
  above = count_above(len(normal), rate)
  return float(np.sort(normal)[-above])


def discoveries(p: np.ndarray, rate: float) -> np.ndarray:
  """Flags samples so that about a share of the flagged are normal, at most.

  By Benjamini and Hochberg 1995: conformal p-values of one set of normals are
  positively dependent, so that its bound holds for them (Bates et al. 2023).

  Args:
    p: [T] p-values.
    rate: of false discoveries, in (0, 1).

  Returns:
    [T] bool.
  """
  order = np.sort(p)
  limits = rate * np.arange(1, len(p) + 1) / max(len(p), 1)
  (below,) = np.nonzero(order <= limits * (1 + 1e-12))
  if not len(below):
    return np.zeros(len(p), bool)
  return p <= order[below[-1]]


def flags(
  score: np.ndarray,
  normal: np.ndarray,
  false_alarm: float | None = None,
  fdr: float | None = None,
) -> np.ndarray:
  """Returns which samples raise an alarm, [T] bool.

  Args:
    score: [T].
    normal: [n] scores of validation normals.
    false_alarm: rate of alarms among normals; `RATE` if neither is given.
    fdr: in its place, rate of false discoveries among what is flagged.

  Raises:
    UserError: both are given, one is no rate, or n is too small for it.
  """
  if false_alarm is not None and fdr is not None:
    raise errors.UserError('give false_alarm or fdr, not both')
  name, rate = ('false_alarm', false_alarm) if fdr is None else ('fdr', fdr)
  rate = RATE if rate is None else rate
  check_rate(name, rate)
  if fdr is not None:
    return discoveries(p_values(score, normal), fdr)
  return np.asarray(score) > threshold(normal, rate)
