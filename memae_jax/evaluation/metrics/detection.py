"""Detection metrics of one set of scores.

Higher scores are more anomalous and the anomaly is the positive class.
Metrics that scikit-learn has are computed by it. A value that the data cannot
define is None, with the reason beside it: never NaN, 0 or 0.5.
"""

import numpy as np
import sklearn.metrics

from memae_jax.runtime import errors

METRICS = (
  'auroc',
  'average_precision',
  'average_precision_normal',
  'eer',
  'precision_at_ratio',
  'recall_at_ratio',
  'f1_at_ratio',
  'f1_at_ratio_tie_span',
  'precision_at_normal_quantile',
  'recall_at_normal_quantile',
  'f1_at_normal_quantile',
  'false_positive_rate_at_normal_quantile',
  'f1_best_oracle',
  'f1_all_positive',
  'base_rate',
)
NO_LABELS = 'the data have no labels'
NO_NORMALS = 'there are no validation normals to set a threshold'


def _vector(values, name: str) -> np.ndarray:
  """Returns `values` as a finite float64 vector."""
  values = np.asarray(values, np.float64)
  if values.ndim != 1:
    raise errors.UserError(
      f'{name} has shape {values.shape}; give one number for each sample'
    )
  bad = np.flatnonzero(~np.isfinite(values))
  if bad.size:
    raise errors.UserError(
      f'{name}: {bad.size} of {values.size} values are not finite, the first'
      f' at index {bad[0]}; the network or its input has NaN or infinity'
    )
  return values


def labelled(score, anomalous) -> tuple[np.ndarray, np.ndarray]:
  """Checks scores and labels of samples, and converts their types.

  Args:
    score: [T] numbers.
    anomalous: [T] bool, or 0 and 1.

  Returns:
    [T] float64 and [T] bool.

  Raises:
    UserError: lengths differ, a score is not finite, or a label is no bool.
  """
  score, anomalous = _vector(score, 'score'), np.asarray(anomalous)
  if anomalous.shape != score.shape:
    raise errors.UserError(
      f'score has {score.size} samples, but anomalous has shape'
      f' {anomalous.shape}; give one label for each sample'
    )
  if anomalous.dtype != bool and not np.isin(anomalous, (0, 1)).all():
    raise errors.UserError(
      'anomalous has values other than True and False; anomalous is True'
    )
  return score, anomalous.astype(bool)


def _counts(flagged: np.ndarray, anomalous: np.ndarray, where: str):
  """Returns precision, recall, F1 and false positive rate, None if 0 / 0.

  Args:
    flagged: [T] bool.
    anomalous: [T] bool.
    where: ends the name of each metric, such as '_at_ratio'.
  """
  hits, wrong = (flagged & anomalous).sum(), (flagged & ~anomalous).sum()
  positives, normals = anomalous.sum(), (~anomalous).sum()
  ratio = lambda a, b: float(a / b) if b else None
  return {
    f'precision{where}': ratio(hits, hits + wrong),
    f'recall{where}': ratio(hits, positives),
    f'f1{where}': ratio(2 * hits, hits + wrong + positives),
    f'false_positive_rate{where}': ratio(wrong, normals),
  }


def _equal_error_rate(score, anomalous) -> float:
  """Returns the rate at which false positives and false negatives are equal."""
  fpr, tpr, _ = sklearn.metrics.roc_curve(anomalous, score)
  gap = fpr + tpr - 1  # Rises from -1 to 1.
  i = int(np.argmax(gap >= 0))
  share = -gap[i - 1] / (gap[i] - gap[i - 1])
  return float(fpr[i - 1] + share * (fpr[i] - fpr[i - 1]))


def _tie_span(score, anomalous, flagged) -> float:
  """Returns best minus worst F1 over the orders of samples tied at the cut."""
  if not flagged.any():
    return 0.0
  tied = score == score[flagged].min()
  room, bad = (tied & flagged).sum(), (tied & ~anomalous).sum()
  good = (tied & anomalous).sum()
  hits = min(room, good) - max(0, room - bad)
  return float(2 * hits / (flagged.sum() + anomalous.sum()))


def threshold(validation_score: np.ndarray, quantile: float) -> float | None:
  """Returns the score above which samples are flagged; it needs no label.

  Args:
    validation_score: [V] scores of validation normals.
    quantile: of these scores.

  Returns:
    None without validation normals.
  """
  if not len(validation_score):
    return None
  return float(np.quantile(validation_score, quantile))


def flag_top(score: np.ndarray, ratio: float) -> np.ndarray:
  """Flags exactly round(ratio * T) samples, those with the highest scores.

  Among samples that tie at the cut, the earlier ones are flagged.

  Args:
    score: [T].
    ratio: share of the samples, in [0, 1].

  Returns:
    [T] bool.
  """
  flagged = np.zeros(score.size, bool)
  count = int(round(ratio * score.size))
  flagged[np.argsort(-score, kind='stable')[:count]] = True
  return flagged


def evaluate(
  score: np.ndarray,
  anomalous: np.ndarray,
  validation_score: np.ndarray,
  flag_ratio: float = 0.0,
  normal_quantile: float = 0.95,
  has_labels: bool = True,
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns every metric of one replica, and why the undefined ones are so.

  Metrics `*_at_ratio` flag the top `flag_ratio` of the test set (`flag_top`);
  they use the known ratio of anomalies in the test set. Metrics
  `*_at_normal_quantile` flag scores strictly above a quantile of the
  validation normals; they use no test label. `f1_best_oracle` chooses the
  threshold on the test labels. `f1_at_ratio_tie_span` is how far the order of
  equal scores can move `f1_at_ratio`.

  Args:
    score: [T] anomaly scores, higher is more anomalous.
    anomalous: [T] bool, all False without labels.
    validation_score: [V] scores of held-out normals; V = 0 is allowed.
    flag_ratio: share that is flagged; 0: the base rate of the test set.
    normal_quantile: in (0, 1].
    has_labels: False makes every metric undefined: all of them need labels.

  Returns:
    metrics: every name of `METRICS`, None where undefined.
    reasons: one sentence for each undefined metric.

  Raises:
    UserError: lengths differ, or a score is not finite.
  """
  score, anomalous = labelled(score, anomalous)
  validation_score = _vector(validation_score, 'validation_score')
  if not has_labels:
    return dict.fromkeys(METRICS), dict.fromkeys(METRICS, NO_LABELS)
  single = single_class(anomalous)
  out: dict[str, float | None] = dict.fromkeys(METRICS)
  if score.size:
    out['base_rate'] = int(anomalous.sum()) / score.size
  if not single:
    out |= _of_both_classes(score, anomalous, flag_ratio or out['base_rate'])
  if validation_score.size and score.size:
    limit = threshold(validation_score, normal_quantile)
    counts = _counts(score > limit, anomalous, '_at_normal_quantile')
    if single:  # One class alone defines one rate, and no precision or F1.
      counts = {
        name: value
        for name, value in counts.items()
        if 'e_rate' in name or 'recall' in name
      }
    out |= counts
  reasons = {
    name: _reason(name, single, validation_score.size > 0)
    for name in METRICS
    if out[name] is None
  }
  return {name: out[name] for name in METRICS}, reasons


def single_class(anomalous: np.ndarray) -> str | None:
  """Returns why there are not both classes among [T] samples, or None."""
  if not anomalous.size:
    return 'the test set is empty'
  positives = int(anomalous.sum())
  if positives not in (0, anomalous.size):
    return None
  kind = 'anomalous' if positives else 'normal (or has no label)'
  return f'every one of the {anomalous.size:,} test samples is {kind}'


def _of_both_classes(
  score: np.ndarray, anomalous: np.ndarray, flag_ratio: float
) -> dict[str, float | None]:
  """Returns the metrics that need normal and anomalous samples."""
  average_precision = sklearn.metrics.average_precision_score
  flagged = flag_top(score, flag_ratio)
  precision, recall, _ = sklearn.metrics.precision_recall_curve(
    anomalous, score
  )
  best = 2 * precision * recall / np.maximum(precision + recall, 1e-30)
  positives = int(anomalous.sum())
  return {
    'auroc': float(sklearn.metrics.roc_auc_score(anomalous, score)),
    'average_precision': float(average_precision(anomalous, score)),
    'average_precision_normal': float(average_precision(~anomalous, -score)),
    'eer': _equal_error_rate(score, anomalous),
    **_counts(flagged, anomalous, '_at_ratio'),
    'f1_at_ratio_tie_span': _tie_span(score, anomalous, flagged),
    'f1_best_oracle': float(best.max()),
    'f1_all_positive': 2 * positives / (score.size + positives),
  }


def _reason(name: str, single: str | None, has_validation: bool) -> str:
  """Returns why a metric is undefined, in one sentence."""
  if single:
    return single
  if name.endswith('_at_normal_quantile') and not has_validation:
    return NO_NORMALS
  return 'no test sample is flagged'
