"""Metrics of scores, with their summaries: the main part of `results.json`."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import sklearn.metrics

from memae_jax.data import types
from memae_jax.evaluation.metrics import (
  alarms,
  class_means,
  detection,
  events,
  hourly,
  intervals,
  money,
  video_intervals,
)
from memae_jax.evaluation.metrics import frames as frames_lib
from memae_jax.evaluation.metrics import registry as metric_registry
from memae_jax.evaluation.results import chosen, over_rows
from memae_jax.evaluation.scoring import contrast, pseudo_anomalies, scores
from memae_jax.methods import registry

_SHARED = ('seed', 'normal_class', 'learning_rate')
_SWEPT = ('slots', 'threshold', 'alpha', 'learning_rate')


def _by_variant(rows: Sequence[tuple[Mapping, Any]]) -> dict[str, list[Any]]:
  """Groups values by variant or baseline, from pairs of fields and a value."""
  out: dict[str, list[Any]] = {}
  for fields, value in rows:
    out.setdefault(fields['variant'], []).append(value)
  return out


def _summaries(rows: Sequence[class_means.Row]) -> dict[str, dict]:
  """Summarises the metrics of each variant or baseline over its units."""
  groups = _by_variant(class_means.units(rows))
  unit = (
    'seed' if class_means.averaged([fields for fields, _ in rows]) else 'run'
  )
  return {
    name: intervals.summarise(group, unit) for name, group in groups.items()
  }


def _differences(rows: Sequence[class_means.Row]) -> dict[str, Any]:
  """Summarises the paired differences between variants.

  Two of `class_means.units` pair if they share seed, normal class and learning
  rate, and the number of slots where both have a memory. A variant that was
  swept is compared once for each of its settings, which its label then names.

  Args:
    rows: fields and metrics of all runs.

  Returns:
    {'A - B': summary of each metric}.
  """
  units = _by_variant([(row[0], row) for row in class_means.units(rows)])
  out = {}
  for a, b in _pairs(list(units)):
    both = _has_memory(a) and _has_memory(b)
    shared = (*_SHARED, 'slots') if both else _SHARED
    key = lambda fields, shared=shared: tuple(map(fields.get, shared))
    partner = {key(fields): values for fields, values in units.get(b, ())}
    pairs: dict[str, list[tuple[Any, Any]]] = {}
    swept = _swept([fields for fields, _ in units.get(a, ())])
    for fields, values in units.get(a, ()):
      if key(fields) in partner:
        setting = ', '.join(f'{name}={fields.get(name)}' for name in swept)
        label = f'{a} ({setting})' if setting else a
        pairs.setdefault(f'{label} - {b}', []).append(
          (values, partner[key(fields)])
        )
    for name, values in pairs.items():
      out[name] = intervals.paired_difference(*zip(*values))
  return out


def _has_memory(name: str) -> bool:
  """Returns whether a name is that of a method with a memory."""
  method = registry.get(name)
  return method is not None and method.memories


def _pairs(names: Sequence[str]) -> list[tuple[str, str]]:
  """Returns which methods are compared: rivals, and the first with all others.

  Args:
    names: of the methods, the headline first.
  """
  methods = [name for name in registry.names() if name in names]
  pairs = [
    (a, b) for a in methods for b in registry.find(a).rivals if b in names
  ]
  first = [(names[0], b) for b in names[1:]]
  return pairs + [
    (a, b) for a, b in first if (a, b) not in pairs and (b, a) not in pairs
  ]


def _swept(fields: Sequence[Mapping[str, Any]]) -> list[str]:
  """Returns the fields that take several values within one variant."""
  return [name for name in _SWEPT if len({f.get(name) for f in fields}) > 1]


def _auroc(anomalous, score) -> float | None:
  """Returns the AUROC; None of one class alone."""
  if detection.single_class(anomalous):
    return None
  return float(sklearn.metrics.roc_auc_score(anomalous, score))


def _of_frames(replica: scores.ReplicaScores, config: Any):
  """Returns metrics of frames, events and alarms, and why some are undefined.

  Args:
    replica: its scores, of videos.
    config: `config.eval`.
  """
  limit = replica.threshold(config.normal_quantile)
  parts = [frames_lib.evaluate(replica.frames)]
  parts.append(events.evaluate(replica.frames, limit))
  if config.alarms_per_hour:
    rate = config.alarms_per_hour, config.alarm_gap
    parts.append(hourly.evaluate(replica.frames, replica.normal_frames, *rate))
  values, reasons = {}, {}
  for of_part, why in parts:
    values, reasons = values | of_part, reasons | why
  return values, reasons


def _measure(
  replica: scores.ReplicaScores,
  config: Any,
  has_labels: bool,
  payments: types.Payments | None = None,
) -> tuple[dict[str, float | None], dict[str, str]]:
  """Returns every metric of one run, and why the undefined ones are so.

  Args:
    replica: its scores.
    config: `config.eval`.
    has_labels, payments: see `measure`.
  """
  values, reasons = detection.evaluate(
    replica.score,
    replica.anomalous,
    replica.validation_score,
    config.flag_ratio,
    config.normal_quantile,
    has_labels,
  )
  if has_labels:
    of_alarms, why = alarms.evaluate(
      replica.score,
      replica.anomalous,
      replica.validation_score,
      config.false_alarm,
      config.fdr,
    )
    values, reasons = values | of_alarms, reasons | why
  if replica.beyond_contrast is not None:
    values[contrast.METRIC] = _auroc(replica.anomalous, replica.beyond_contrast)
    if values[contrast.METRIC] is None:
      reasons[contrast.METRIC] = reasons['auroc']
  if replica.mean_error:
    unexplained = float(np.mean(replica.validation_score)) / replica.mean_error
    values['variance_explained'] = 1 - unexplained
  if replica.frames is not None and has_labels:
    of_frames, why = _of_frames(replica, config)
    values, reasons = values | of_frames, reasons | why
  if payments is not None and has_labels:
    of_money, why = money.evaluate(
      replica.score,
      replica.anomalous,
      replica.validation_score,
      money.tested(payments, replica.sample),
      config.alarms_per_day,
      config.normal_quantile,
    )
    values, reasons = values | of_money, reasons | why
  if replica.pixels is not None:
    values, reasons = values | replica.pixels[0], reasons | replica.pixels[1]
  for metric in map(metric_registry.find, metric_registry.names('compute')):
    if has_labels or not metric.needs_labels:
      values[metric.name] = metric.compute(replica, config)
  pseudo = pseudo_anomalies.METRIC
  if replica.pseudo:
    values[pseudo] = float(np.mean(list(replica.pseudo.values())))
  elif replica.pseudo is not None:
    values[pseudo], reasons[pseudo] = None, pseudo_anomalies.TOO_FEW
  return values, reasons


def measure(
  networks: Sequence[scores.ReplicaScores],
  baselines: Sequence[scores.ReplicaScores],
  memory: Mapping[str, Mapping[str, float]],
  config: Any,
  has_labels: bool = True,
  label_names: Sequence[str] = (),
  payments: types.Payments | None = None,
) -> dict[str, Any]:
  """Returns the metrics of everything that was scored.

  Args:
    networks: the scores of each replica; the first one's variant is the
      headline.
    baselines: the scores of each baseline and split; `fields['variant']` is
      the baseline's name.
    memory: statistics by replica name.
    config: `config.eval`.
    has_labels: False where the data have none: metrics that need labels are
      undefined.
    label_names: names of the normal classes.
    payments: of all samples of the source, or None.

  Returns:
    headline, metrics (of the headline), variants, averaged_classes (see
    `class_means.averaged`), differences, classes, replicas, baselines,
    baseline_reasons, memory, pseudo, rules, chosen, over_rows and videos, as in
    `results.json`.
  """
  shared = config, has_labels, payments
  measured = [_measure(r, *shared) for r in networks]
  rivals = [_measure(r, *shared) for r in baselines]
  rows = [(r.fields, values) for r, (values, _) in zip(networks, measured)]
  rival_rows = [(r.fields, values) for r, (values, _) in zip(baselines, rivals)]
  methods = _summaries(rows)
  headline = networks[0].fields['variant']
  reasons: dict[str, dict[str, str]] = {}
  for replica, (_, why) in zip(baselines, rivals):
    if why:
      reasons.setdefault(replica.fields['variant'], {}).update(why)
  memories = [(r.fields, memory[r.name]) for r in networks if r.name in memory]
  pseudo = [(r.fields, r.pseudo) for r in networks if r.pseudo]
  frames = networks[0].frames
  return {
    'headline': headline,
    'metrics': methods[headline],
    'methods': methods,
    'averaged_classes': class_means.averaged([r.fields for r in networks]),
    'differences': _differences(rows),
    'classes': class_means.by_class([*rows, *rival_rows], label_names),
    'replicas': _replicas(networks, measured, memory, config.bootstrap),
    'baselines': _summaries(rival_rows),
    'baseline_reasons': reasons,
    'memory': _means(_by_variant(memories)),
    'pseudo': _means(_by_variant(pseudo)),
    'rules': (
      _rules([*networks, *baselines], config.bootstrap) if has_labels else {}
    ),
    'chosen': chosen.summary(networks) if has_labels else {},
    'over_rows': (
      over_rows.summary(
        [(r, values) for r, (values, _) in zip(networks, measured)],
        [(r, values) for r, (values, _) in zip(baselines, rivals)],
        config.bootstrap,
      )
      if has_labels
      else {}
    ),
    'videos': frames_lib.summary(frames_lib.videos(frames)) if frames else None,
  }


def _replicas(
  networks: Sequence[scores.ReplicaScores],
  measured: Sequence[tuple[dict, dict]],
  memory: Mapping[str, Mapping[str, float]],
  resamples: int,
) -> list[dict[str, Any]]:
  """Returns the entry of each replica in `results.json`."""
  groups = _by_variant([(r.fields, r.name) for r in networks])
  # A lone run of a variant has no interval over runs, but one over samples.
  alone = {names[0] for names in groups.values() if len(names) == 1}
  return [
    {
      'name': r.name,
      'fields': r.fields,
      'metrics': values,
      'reasons': why,
      'interval': _interval(r, resamples) if r.name in alone else {},
      'memory': memory.get(r.name),
      'pseudo': r.pseudo,
      'videos': frames_lib.videos(r.frames) if r.frames else [],
      'step': r.step,
    }
    for r, (values, why) in zip(networks, measured)
  ]


def _interval(replica: scores.ReplicaScores, resamples: int) -> dict[str, Any]:
  """Returns bootstrap intervals of one run over its test samples or videos.

  Args:
    replica: its scores.
    resamples: how many; 0: no intervals.

  Returns:
    {metric: [low, high] or None}. Frames are not drawn: whole videos are.
  """
  if replica.frames is None:
    return intervals.bootstrap(
      replica.score, replica.anomalous, resamples=resamples
    )
  by_metric = video_intervals.bootstrap(replica.frames, resamples)
  return {name: value['ci95'] for name, value in by_metric.items()}


def _rules(
  scored: Sequence[scores.ReplicaScores], resamples: int
) -> dict[str, Any]:
  """{method: {rule: summary of metrics}}, of those with several rules.

  For clips the metrics of frames, for images AUROC and average precision; if a
  method has one run alone, with `interval`, by a bootstrap over its samples.

  Args:
    scored: networks and baselines.
    resamples: of the bootstrap; 0: no intervals.
  """
  rows: dict[str, list[class_means.Row]] = {}
  for r in scored:
    for rule, score in (r.rules or {}).items():
      if r.frames is None:
        values = detection.evaluate(score, r.anomalous, np.zeros(0))[0]
        values = {name: values[name] for name in chosen.METRICS}
      else:
        values = frames_lib.evaluate(r.frames._replace(score=score))[0]
      rows.setdefault(rule, []).append((r.fields, values))
  out: dict[str, Any] = {}
  for rule, of_rule in rows.items():
    for method, summary in _summaries(of_rule).items():
      out.setdefault(method, {})[rule] = summary
  for variant, runs in _by_variant([(r.fields, r) for r in scored]).items():
    (first, *others), rules = runs, out.get(variant, {})
    if others or len(rules) < 2 or first.frames is not None:
      continue
    for rule, summary in rules.items():
      of_rule = first._replace(score=first.rules[rule])
      for metric, ends in _interval(of_rule, resamples).items():
        summary[metric]['interval'] = ends
  return out


def _means(groups: Mapping[str, Sequence[Mapping[str, float]]]) -> dict:
  """Averages over runs: {variant: {key: mean, None if a run has no value}}."""

  def mean(values):
    return None if None in values else float(np.mean(values))

  return {
    variant: {key: mean([run[key] for run in group]) for key in group[0]}
    for variant, group in groups.items()
  }
