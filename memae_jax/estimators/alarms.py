"""Alarms of an estimator at a stated rate, by samples that trained nothing."""

from typing import Any

import numpy as np

from memae_jax import conformal
from memae_jax.estimators import calls


class Alarms:
  """Estimators with `anomaly_score`, and scores of held-out normals.

  Attributes:
    validation_scores_: [v] anomaly scores of samples that trained nothing.
    verbose: see `detector.Detector`.
  """

  validation_scores_: np.ndarray
  verbose: int

  def anomaly_score(self, X: Any) -> np.ndarray:
    """Returns the anomaly scores [n] float64; higher is more anomalous."""
    raise NotImplementedError

  def p_value(self, X: Any) -> np.ndarray:
    """Returns conformal p-values [n]: how odd samples are among normal ones.

    Of a new normal sample, like those of `fit`, it is at most a with a chance
    of at most a. None is below 1 / (v + 1) for v `validation_scores_`.

    Args:
      X: [n, D], [n, H, W] or [n, H, W, C], as `fit` had them.

    Raises:
      ValueError: the samples do not fit.
    """
    return conformal.p_values(self.anomaly_score(X), self.validation_scores_)

  def flag(
    self,
    X: Any,
    false_alarm: float | None = None,
    fdr: float | None = None,
  ) -> np.ndarray:
    """Returns whether samples raise an alarm, [n] bool, at a stated rate.

    Args:
      X: [n, D], [n, H, W] or [n, H, W, C], as `fit` had them.
      false_alarm: rate of alarms among new normal samples; 0.01 if neither rate
        is given.
      fdr: in its place, the largest mean share of normal samples among those of
        X that are flagged, by Benjamini and Hochberg.

    Raises:
      ValueError: the samples do not fit, both rates are given, one is not
        between 0 and 1, or there are too few validation samples for it.
    """
    with calls.guarded(self.verbose):
      return conformal.flags(
        self.anomaly_score(X), self.validation_scores_, false_alarm, fdr
      )
