"""From scores to the part of `results.json` that they decide."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.evaluation import intervals, metrics, scores

_PAIRS = (('memae', 'ae'), ('memae', 'nonspar'), ('nonspar', 'ae'))


def _by_variant(
  replicas: Sequence[scores.ReplicaScores], values: Sequence[Any]
) -> dict[str, list[Any]]:
  out: dict[str, list[Any]] = {}
  for replica, value in zip(replicas, values):
    out.setdefault(replica.fields['variant'], []).append(value)
  return out


def _summaries(replicas, measured) -> dict[str, dict]:
  """{variant or baseline: summary of its metrics}."""
  groups = _by_variant(replicas, [values for values, _ in measured])
  return {name: intervals.summarise(group) for name, group in groups.items()}


def _differences(replicas, measured) -> dict[str, Any]:
  """Paired differences between variants that share seed, class and sweep."""
  named: dict[str, dict[str, Any]] = {}
  for replica, (values, _) in zip(replicas, measured):
    variant, _, rest = replica.name.partition('/')
    named.setdefault(variant, {})[rest] = values
  out = {}
  for a, b in _PAIRS:
    shared = [rest for rest in named.get(a, ()) if rest in named.get(b, ())]
    if shared:
      out[f'{a} - {b}'] = intervals.paired_difference(
        [named[a][rest] for rest in shared],
        [named[b][rest] for rest in shared],
      )
  return out


def measure(
  networks: Sequence[scores.ReplicaScores],
  baselines: Sequence[scores.ReplicaScores],
  memory: Mapping[str, Mapping[str, float]],
  config: Any,
) -> dict[str, Any]:
  """Returns the metrics of everything that was scored.

  Args:
    networks: the scores of each replica; the first one's variant is the
      headline.
    baselines: their scores; `fields['variant']` is the baseline's name.
    memory: statistics by replica name.
    config: `config.eval`.

  Returns:
    headline, metrics (of the headline), variants, differences, replicas,
    baselines, baseline_reasons and memory, as in `results.json`.
  """
  measure_one = lambda r: metrics.evaluate(
    r.score,
    r.anomalous,
    r.validation_score,
    config.flag_ratio,
    config.normal_quantile,
  )
  measured = [measure_one(r) for r in networks]
  rivals = [measure_one(r) for r in baselines]
  variants = _summaries(networks, measured)
  headline = networks[0].fields['variant']
  groups = _by_variant(networks, networks)
  # The interval over replicas serves fleets; one replica has only its samples.
  alone = {group[0].name for group in groups.values() if len(group) == 1}
  reasons: dict[str, dict[str, str]] = {}
  for replica, (_, why) in zip(baselines, rivals):
    if why:
      reasons.setdefault(replica.fields['variant'], {}).update(why)
  with_memory = [r for r in networks if r.name in memory]
  memories = _by_variant(with_memory, [memory[r.name] for r in with_memory])
  return {
    'headline': headline,
    'metrics': variants[headline],
    'variants': variants,
    'differences': _differences(networks, measured),
    'replicas': [
      {
        'name': r.name,
        'fields': r.fields,
        'metrics': values,
        'reasons': why,
        'interval': intervals.bootstrap(
          r.score, r.anomalous, resamples=config.bootstrap
        )
        if r.name in alone
        else {},
        'memory': memory.get(r.name),
        'step': r.step,
      }
      for r, (values, why) in zip(networks, measured)
    ],
    'baselines': _summaries(baselines, rivals),
    'baseline_reasons': reasons,
    'memory': {
      variant: {
        key: float(np.mean([found[key] for found in group])) for key in group[0]
      }
      for variant, group in memories.items()
    },
  }
