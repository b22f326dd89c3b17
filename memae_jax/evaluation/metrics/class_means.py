"""Means over the classes of one-class fleets, and their units.

The number in the paper is a mean over the classes. Another seed gives another
such mean, so with several seeds the unit of deviations and intervals is the
mean over the classes of one seed; the classes themselves are no random sample.
With one seed there is only one mean, and the unit is the run.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from memae_jax.evaluation.metrics import intervals, registry

Metrics = Mapping[str, float | None]
Row = tuple[Mapping[str, Any], Metrics]  # Fields and metrics of a run.


def averaged(fields: Sequence[Mapping[str, Any]]) -> int:
  """Returns the number of classes that a unit is the mean of; 0: it is a run.

  Args:
    fields: of all runs.
  """
  count = lambda key: len({f.get(key) for f in fields})
  classes = count('normal_class')
  return classes if classes > 1 and count('seed') > 1 else 0


def units(rows: Sequence[Row]) -> list[Row]:
  """Returns the single observations: runs, or means over classes.

  A mean over classes has no `normal_class`; a metric that is undefined for a
  class has no mean.

  Args:
    rows: fields and metrics of all runs to be compared.
  """
  if not averaged([fields for fields, _ in rows]):
    return list(rows)
  groups: dict[tuple, list[Row]] = {}
  for fields, values in rows:
    rest = {k: v for k, v in fields.items() if k != 'normal_class'}
    groups.setdefault(tuple(rest.items()), []).append((rest, values))
  return [
    (group[0][0], _mean([values for _, values in group]))
    for group in groups.values()
  ]


def _mean(metrics: Sequence[Metrics]) -> dict[str, float | None]:
  out = {}
  for name in dict.fromkeys(name for of_run in metrics for name in of_run):
    values = [of_run.get(name) for of_run in metrics]
    out[name] = None if None in values else sum(values) / len(values)
  return out


def by_class(
  rows: Sequence[Row], names: Sequence[str] = ()
) -> dict[str, dict[str, Any]]:
  """Summarises each class over its seeds: {class: {method: summary}}.

  Args:
    rows: fields and metrics of networks and baselines; the field `variant`
      names the method.
    names: of the classes; without them, classes are called by their index.

  Returns:
    {} unless there are several classes.
  """
  classes = {fields.get('normal_class') for fields, _ in rows} - {None}
  if len(classes) < 2:
    return {}
  out = {}
  for kind in sorted(classes):
    groups: dict[str, list[Metrics]] = {}
    for fields, values in rows:
      if fields.get('normal_class') == kind:
        of_class = {
          name: values[name]
          for name in registry.names('of_class')
          if name in values
        }
        groups.setdefault(fields['variant'], []).append(of_class)
    out[names[kind] if names else str(kind)] = {
      method: intervals.summarise(group, 'seed')
      for method, group in groups.items()
    }
  return out
