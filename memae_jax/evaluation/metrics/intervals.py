"""Intervals of metrics: over replicas, over pairs of them, over samples.

Student-t intervals say what another replica could give, bootstrap intervals
what other test samples could give. Neither contains the other.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import scipy.stats

from memae_jax.evaluation.metrics import detection
from memae_jax.runtime import errors

TWO = 'two {}s: no interval'  # The reason, with the name of the unit.


def _describe(values: Sequence[float], unit: str) -> dict:
  """Returns mean, sample deviation and Student-t interval of the mean."""
  n = len(values)
  out = {'mean': None, 'std': None, 'n': n, 'ci95': None}
  if n:
    out['mean'] = float(np.mean(values))
  if n > 1:
    out['std'] = float(np.std(values, ddof=1))
  if n == 2:
    out['ci95_reason'] = TWO.format(unit)
  elif n > 2:
    half = scipy.stats.t.ppf(0.975, n - 1) * out['std'] / np.sqrt(n)
    out['ci95'] = [out['mean'] - float(half), out['mean'] + float(half)]
  return out


def summarise(
  metrics: Sequence[Mapping[str, float | None]], unit: str = 'run'
) -> dict[str, dict]:
  """Summarises replicas: {name: {'mean', 'std', 'n', 'ci95'[, 'undefined']}}.

  `std` is the sample deviation over replicas (n - 1), None for one. `ci95` is
  the Student-t interval of their mean, None for fewer than three: with two it
  would be 13 times as wide as their distance, and say nothing; `ci95_reason`
  then says so. Undefined values are left out: `n` counts the defined values,
  and `undefined` the others if there are any.

  Args:
    metrics: of each replica, as from `detection.evaluate`.
    unit: name of one observation, such as 'run', for the reason.
  """
  out = {}
  for name in dict.fromkeys(name for m in metrics for name in m):
    values = [m[name] for m in metrics if m.get(name) is not None]
    out[name] = _describe(values, unit)
    if len(values) < len(metrics):
      out[name]['undefined'] = len(metrics) - len(values)
  return out


def has_interval(
  summaries: Mapping[str, Mapping], metrics: Iterable[str]
) -> bool:
  """Returns whether any of the summaries has an interval of a metric.

  Args:
    summaries: by method, each by metric.
    metrics: names to look for.
  """
  return any(
    (s.get(m) or {}).get('ci95') for s in summaries.values() for m in metrics
  )


def without_interval(summaries: Iterable[Mapping | None]) -> list[str]:
  """Says why some summaries have no interval: each sentence once."""
  reasons = [(s or {}).get('ci95_reason') for s in summaries]
  return [
    f'{text[0].upper()}{text[1:]}.' for text in dict.fromkeys(reasons) if text
  ]


def paired_difference(
  metrics_a: Sequence[Mapping[str, float | None]],
  metrics_b: Sequence[Mapping[str, float | None]],
) -> dict[str, dict]:
  """Summarises a - b over pairs of replicas (same seed, class and data).

  The interval is that of a paired Student-t test: it excludes 0 exactly where
  the test rejects at 5 %. Two pairs have none. Pairs with an undefined side
  are left out.

  Args:
    metrics_a: of each replica, as from `detection.evaluate`.
    metrics_b: of its partner, in the same place.

  Returns:
    The summary of the differences, see `summarise`.

  Raises:
    UserError: the lengths differ.
  """
  if len(metrics_a) != len(metrics_b):
    raise errors.UserError(
      f'{len(metrics_a)} replicas cannot be paired with {len(metrics_b)};'
      ' compare variants that ran on the same seeds and classes'
    )
  differences = []
  for a, b in zip(metrics_a, metrics_b):
    both = {k: (a[k], b[k]) for k in a if k in b}
    differences.append(
      {k: None if None in ab else ab[0] - ab[1] for k, ab in both.items()}
    )
  return summarise(differences, 'pair')


def from_counts(positive, negative) -> dict[str, float]:
  """Computes metrics from counts of samples at each distinct score.

  Args:
    positive: [K] anomalous samples at each score, highest score first.
    negative: [K] normal samples at each score.

  Returns:
    'auroc' and 'average_precision'.
  """
  hits, wrong = np.cumsum(positive), np.cumsum(negative)
  # Pairs that are ordered wrongly count 1, pairs that tie 1/2; integers.
  lost = positive @ wrong - positive @ negative / 2
  flagged = np.maximum(hits + wrong, 1)  # 0 only where nothing is drawn yet.
  return {
    'auroc': 1 - lost / (int(hits[-1]) * int(wrong[-1])),
    'average_precision': positive @ (hits / flagged) / hits[-1],
  }


def bootstrap(
  score: np.ndarray,
  anomalous: np.ndarray,
  metrics: Sequence[str] = ('auroc', 'average_precision'),
  resamples: int = 200,
  seed: int = 0,
) -> dict[str, list[float] | None]:
  """Returns 95 % percentile intervals over resampled test samples.

  Normals and anomalies are resampled apart (stratified), so the base rate
  stays and no resample lacks a class. The interval says how one trained
  network would do on other test samples, and nothing about training noise.
  Scores are sorted once; each resample is then a draw of counts, which is
  exact and linear in T.

  Args:
    score: [T].
    anomalous: [T] bool.
    metrics: names, out of 'auroc' and 'average_precision'.
    resamples: how many; 0 gives None.
    seed: of the draws.

  Returns:
    [low, high] of each metric, None where it is undefined.

  Raises:
    UserError: another metric is asked for.
  """
  unknown = set(metrics) - {'auroc', 'average_precision'}
  if unknown:
    raise errors.UserError(
      f'bootstrap of "{sorted(unknown)[0]}" is not offered; use "auroc" or'
      ' "average_precision"'
    )
  values = resampled(score, anomalous, metrics, resamples, seed)
  if values is None:
    return dict.fromkeys(metrics)
  low, high = np.quantile(values, (0.025, 0.975), axis=0)
  return {m: [float(a), float(b)] for m, a, b in zip(metrics, low, high)}


def resampled(
  score: np.ndarray,
  anomalous: np.ndarray,
  metrics: Sequence[str],
  resamples: int,
  seed: int = 0,
) -> np.ndarray | None:
  """Returns the metrics [resamples, M] of resampled test samples.

  With the same seed, two networks on the same samples see the same draws, so
  that their rows can be subtracted.

  Args:
    score, anomalous, metrics, resamples, seed: see `bootstrap`.

  Returns:
    None where the metrics are undefined.
  """
  score, anomalous = detection.labelled(score, anomalous)
  if resamples < 1 or anomalous.all() or not anomalous.any():
    return None
  _, rank = np.unique(-score, return_inverse=True)
  groups = int(rank.max()) + 1
  members = rank[anomalous], rank[~anomalous]
  rng = np.random.default_rng(seed)
  values = np.empty((resamples, len(metrics)))
  for row in values:
    draw = [
      np.bincount(rng.choice(m, m.size), minlength=groups) for m in members
    ]
    drawn = from_counts(*draw)
    row[:] = [drawn[name] for name in metrics]
  return values
