"""The results in plain sentences, unflattering ones included."""

from collections.abc import Mapping, Sequence
from typing import Any

from memae_jax.evaluation.metrics import alarms, registry
from memae_jax.evaluation.report import money_table, tables, wording
from memae_jax.evaluation.results import describe

_FEW_STEPS = 200  # A rule of thumb.
_LITTLE_EXPLAINED = 0.25
_STATISTICS = ('brightness', 'contrast', 'local_deviation_3')
_SEPARATES = 0.97  # AUROC from which a statistic is enough.
_ROUNDING = 1e-5  # Error of a share of variance.


def first_metric(results: Mapping[str, Any]) -> str:
  """Returns the metric that the results are summed up by."""
  if 'f1_at_ratio' in (results['paper'] or {}).get('metrics', ()):
    return 'f1_at_ratio'
  return tables.columns(results)[0]


def rivals(results: Mapping[str, Any], metric: str) -> dict[str, float]:
  """Returns the metric of each baseline and reference that has a value."""
  means = {
    name: (summary.get(metric) or {}).get('mean')
    for name, summary in tables.methods(results).items()
    if name != results['headline']
  }
  return {
    name: mean
    for name, mean in means.items()
    if mean is not None
    and (name in results['baselines'] or wording.is_reference(name))
  }


def sentences(results: Mapping[str, Any]) -> list[str]:
  """Says how the headline variant did, against the paper and its rivals."""
  headline = results['headline']
  name, paper = wording.label(headline), results['paper'] or {}
  metric = first_metric(results)
  title, digits = wording.title(metric), tables.digits(results)
  ours = (results['methods'][headline].get(metric) or {}).get('mean')
  if ours is None:
    reasons = (r['reasons'].get(metric) for r in results['replicas'])
    why = next(filter(None, reasons), 'it is undefined for a class')
    return [f'{title} of {name} is undefined: {why}.']
  out = [f'{name} reaches {title} {wording.number(ours, digits)}.']
  if metric == 'auroc':
    worse = ', less often than a coin would' if ours < 0.5 else ''
    out[0] = (
      f'{out[0][:-1]}: it scores an anomalous sample above a normal one'
      f' {wording.share(ours)} of the time{worse}.'
    )
  if metric == 'average_precision':
    rate = results['methods'][headline]['base_rate']['mean']
    out[0] = f'{out[0][:-1]}; guessing has {wording.format_value(rate)}.'
  if results['averaged_classes']:
    seeds = results['methods'][headline][metric]['n']
    out.append(
      f'That is the mean over {results["averaged_classes"]} classes and'
      f' {seeds} seeds.'
    )
  published = paper.get('variants', {}).get(headline, {}).get(metric)
  if published is not None:
    gap = wording.number(ours - published, digits, sign=True)
    out.append(f'The paper reports {published:.4f} (difference {gap}).')
  if others := rivals(results, metric):
    out.append(_against_baselines(name, ours, others, digits))
  difference = results['differences'].get(f'{headline} - ae', {}).get(metric)
  if difference and difference['mean'] is not None:
    out.append(_against_ae(difference, digits))
  return out + _alarms(results) + money_table.sentences(results)


def _alarms(results: Mapping[str, Any]) -> list[str]:
  """Says what alarms of the headline variant at a stated rate catch."""
  headline = results['headline']
  summary = results['methods'][headline]
  caught, false = (
    (summary.get(name) or {}).get('mean')
    for name in ('recall_at_false_alarm', 'false_alarm_rate')
  )
  rate = results['config']['eval'].get('false_alarm')  # Earlier runs lack it.
  if rate is None or 'recall_at_false_alarm' not in summary:
    return []
  stated = describe.percent(rate)
  if caught is None or false is None:
    reasons = (r['reasons'] for r in results['replicas'])
    why = next(r[n] for r in reasons for n in alarms.METRICS[:2] if n in r)
    return [f'What alarms at {stated} false alarms catch is undefined: {why}.']
  out = (
    f'Alarms at {stated} false alarms, which validation normals alone set,'
    f' catch {wording.share(caught)} of the anomalous samples; they flag'
    f' {wording.share(false)} of the test normals.'
  )
  if 'auroc_normalised' in summary:  # Of frames.
    out += ' Frames of videos come in clusters, so that no rate is promised.'
  return [out]


def _against_baselines(
  name: str, ours: float, rivals: Mapping[str, float], digits: int
) -> str:
  """Says which baselines are better than the headline variant.

  Args:
    name: label of the variant.
    ours: its metric.
    rivals: the metric of each baseline.
    digits: to write.
  """
  ranked = sorted(rivals, key=rivals.get, reverse=True)
  unbeaten = [rival for rival in ranked if rivals[rival] >= ours]
  tail = f'which {name} does not beat' if unbeaten else 'which is lower'
  out = (
    f'The best baseline on the same samples is {wording.label(ranked[0])} with'
    f' {wording.number(rivals[ranked[0]], digits)}, {tail}.'
  )
  if unbeaten[1:]:
    others = ', '.join(
      f'{wording.label(rival)} ({wording.number(rivals[rival], digits)})'
      for rival in unbeaten[1:]
    )
    out += f' Nor does it beat: {others}.'
  return out


def _against_ae(difference: Mapping[str, Any], digits: int) -> str:
  """Says how the headline variant differs from the autoencoder."""
  number = lambda value: wording.number(value, digits, sign=True)
  interval = difference.get('ci95_reason', 'one pair: no interval')
  if difference['ci95']:
    low, high = difference['ci95']
    interval = f'95% interval {number(low)} to {number(high)}, ' + (
      'so these runs cannot tell it from zero'
      if low <= 0 <= high
      else 'which excludes zero'
    )
  return (
    f'Against {wording.label("ae")} on the same data and seeds the difference'
    f' is {number(difference["mean"])} ({interval}).'
  )


def _reasons(
  results: Mapping[str, Any], metrics: Sequence[str]
) -> dict[str, tuple[list[str], int]]:
  """Groups undefined metrics by reason: {reason: (titles, count of runs)}."""
  titles: dict[str, dict[str, None]] = {}
  runs: dict[str, set[str]] = {}
  for replica in results['replicas']:
    for metric, reason in replica['reasons'].items():
      if metric not in metrics:
        continue
      titles.setdefault(reason, {})[wording.title(metric)] = None
      runs.setdefault(reason, set()).add(replica['name'])
  return {reason: (list(t), len(runs[reason])) for reason, t in titles.items()}


def undefined(results: Mapping[str, Any], metrics: Sequence[str]) -> list[str]:
  """Says why some of the metrics are undefined: one line for each reason.

  Args:
    results: the content of `results.json`.
    metrics: names of the metrics that matter.
  """
  total = len(results['replicas'])
  return [
    f'undefined in {count} of {total} runs, because {reason}: '
    + ', '.join(titles)
    for reason, (titles, count) in _reasons(results, metrics).items()
  ]


def footnotes(results: Mapping[str, Any]) -> list[str]:
  """Returns the notes below the headline table, on its columns and rows."""
  columns = tables.columns(results)
  reasons = _reasons(results, columns)
  out = undefined(results, columns)
  for baseline, by_metric in results['baseline_reasons'].items():
    by_metric = {m: why for m, why in by_metric.items() if m in columns}
    for reason in dict.fromkeys(by_metric.values()):
      titles = [
        wording.title(m) for m, why in by_metric.items() if why == reason
      ]
      if titles != reasons.get(reason, ((),))[0]:
        out.append(
          f'undefined in some runs of {wording.label(baseline)}, because'
          f' {reason}: {", ".join(titles)}'
        )
  for field, meaning in wording.SWEPT.items():
    for variant, aurocs in tables.by_field(results, field).items():
      if len(aurocs) > 1:
        out.append(
          f'the row of {wording.label(variant)} is over all values of {meaning}'
          f' ({wording.format_value(sorted(aurocs))}); its spread is not that'
          ' of seeds'
        )
  return out


def _reconstruction(variant: str, explained: Sequence[float]) -> list[str]:
  """Says what is wrong with the reconstructions of a variant's runs.

  Args:
    variant: its name.
    explained: share of variance explained by each run.
  """
  worse = [value for value in explained if value < -_ROUNDING]
  rest = [value for value in explained if value >= -_ROUNDING]
  of_runs = f' in {len(worse)} of {len(explained)} runs' if rest else ''
  out, name = [], wording.label(variant)
  if worse:
    ends = 'down to ' if len(worse) > 1 else ''
    out.append(
      f'{name} reconstructs worse than the mean training sample{of_runs}'
      f' (variance explained {ends}{wording.format_value(min(worse))}): train'
      ' longer, or lower train.learning_rate.'
    )
  mean = sum(rest) / len(rest) if rest else _LITTLE_EXPLAINED
  if mean < _LITTLE_EXPLAINED:
    others = ' in the other runs' if worse else ''
    out.append(
      f'{name} reconstructs little{others}: {wording.share(mean, 0)} of the'
      ' variance of validation normals. Its score is close to the distance to'
      ' the mean training sample (baseline "mean").'
    )
  return out


def separable(results: Mapping[str, Any]) -> list[str]:
  """Returns the sentences on statistics that tell the anomalies all alone."""
  out = []
  for name in _STATISTICS:
    summary = results['baselines'].get(name, {}).get('auroc') or {}
    auroc = summary.get('mean')
    if auroc is None or max(auroc, 1 - auroc) < _SEPARATES:
      continue
    turned = ' with the sign turned' if auroc < 0.5 else ''
    out.append(
      f'{wording.label(name)} separates these test samples, without any'
      f' learning: AUROC'
      f' {wording.number(max(auroc, 1 - auroc))}{turned}. High numbers of'
      ' other methods say little here.'
    )
  return out


def warnings(results: Mapping[str, Any]) -> list[str]:
  """Returns the sentences that a reader must know before any number.

  Args:
    results: the content of `results.json` but the warnings.
  """
  out = list(results['dataset']['warnings'])
  step, steps = (results['checkpoint'][k] for k in ('step', 'of_steps'))
  if step < steps:
    out.append(f'Training is not finished: step {step:,} of {steps:,}.')
  taken = results['checkpoint'].get('gradient_steps', steps)
  if 0 < taken < _FEW_STEPS:
    count = f'{taken:,} step{"" if taken == 1 else "s"}'
    out.append(
      f'Only {count} of training: the networks may hardly have learned; raise'
      ' train.epochs or lower train.batch_size.'
    )
  if results['dataset']['trained_on']:
    out.append(
      'These are not the data of the training: see the protocol below.'
    )
  if results['checkpoint']['rule'] == 'oracle':
    out.append('The weights were chosen on the test labels (oracle).')
  out += separable(results)
  for variant, by_metric in tables.values(results).items():
    out += _reconstruction(variant, by_metric.get('variance_explained', ()))
  rates = {
    r['name']: r['memory']['dead_read_rate']
    for r in results['replicas']
    if r['memory']
  }
  dead = [name for name, rate in rates.items() if rate > 0.5]
  if dead:
    most = wording.share(max(rates.values()), 0)
    out.append(
      f'{len(dead)} of {len(rates)} memories mostly return zeros: up to'
      f' {most} of the reads are dead (no slot survives the'
      f' shrinkage threshold), first in "{dead[0]}". Lower'
      ' model.memory.threshold or the temperature.'
    )
  total = len(results['replicas'])
  if not results['dataset']['labelled']:
    out.append('The data have no labels: scores only, no metrics.')
  else:
    for reason, (_, count) in _reasons(results, registry.names()).items():
      if 'every one of' in reason:
        out.append(
          f'In {count} of {total} runs {reason}: detection metrics are'
          ' undefined there and left out of the means.'
        )
  for variant, by_metric in tables.values(results).items():
    span = max(by_metric.get('f1_at_ratio_tie_span', ()), default=0.0)
    if span > 0.01:
      out.append(
        f'{wording.label(variant)}: many samples have the same score. Their'
        f' order alone could move F1 at the ratio by up to {span:.2f}.'
      )
  return out
