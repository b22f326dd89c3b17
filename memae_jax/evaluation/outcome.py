"""From scores to the part of `results.json` that they decide."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from memae_jax.evaluation import intervals, metrics, scores

_PAIRS = (('memae', 'ae'), ('memae', 'nonspar'), ('nonspar', 'ae'))
_SHARED = ('seed', 'normal_class', 'learning_rate')
_SWEPT = ('slots', 'threshold', 'alpha', 'learning_rate')


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
  """Paired differences between variants, by fields and not by name.

  Two replicas pair if they share seed, normal class and learning rate, and
  slots where both have a memory. A variant that was swept is compared once
  for each of its settings, which its label then names.
  """
  found: dict[str, list[tuple[Any, Any]]] = {}
  for replica, (values, _) in zip(replicas, measured):
    found.setdefault(replica.fields['variant'], []).append(
      (replica.fields, values)
    )
  out = {}
  for a, b in _PAIRS:
    shared = (*_SHARED, 'slots') if b != 'ae' else _SHARED
    key = lambda fields, shared=shared: tuple(map(fields.get, shared))
    partner = {key(fields): values for fields, values in found.get(b, ())}
    pairs: dict[str, list[tuple[Any, Any]]] = {}
    swept = _swept([fields for fields, _ in found.get(a, ())])
    for fields, values in found.get(a, ()):
      if key(fields) in partner:
        setting = ', '.join(f'{name}={fields.get(name)}' for name in swept)
        label = f'{a} ({setting})' if setting else a
        pairs.setdefault(f'{label} - {b}', []).append(
          (values, partner[key(fields)])
        )
    for name, both in pairs.items():
      out[name] = intervals.paired_difference(*zip(*both))
  return out


def _swept(fields: Sequence[Mapping[str, Any]]) -> list[str]:
  """The fields that take several values within one variant."""
  return [name for name in _SWEPT if len({f.get(name) for f in fields}) > 1]


def measure(
  networks: Sequence[scores.ReplicaScores],
  baselines: Sequence[scores.ReplicaScores],
  memory: Mapping[str, Mapping[str, float]],
  config: Any,
  has_labels: bool = True,
) -> dict[str, Any]:
  """Returns the metrics of everything that was scored.

  Args:
    networks: the scores of each replica; the first one's variant is the
      headline.
    baselines: their scores; `fields['variant']` is the baseline's name.
    memory: statistics by replica name.
    config: `config.eval`.
    has_labels: False where the data have none: every metric is undefined.

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
    has_labels,
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
