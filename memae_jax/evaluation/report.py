"""One page that a stranger can read: what was done, what came out, with what.

`render` makes a self-contained page: no script, no outside file. Values are
those of `results.json`; what is undefined is a dash with its reason. Intervals
of a share are cut to [0, 1].
"""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jinja2
import matplotlib
import matplotlib.figure
import numpy as np

from memae_jax import config as config_lib
from memae_jax.data import types
from memae_jax.evaluation import plots, scores

# Name of each metric: title, and what it says.
METRICS = {
  'auroc': (
    'AUROC',
    'chance that an anomalous sample scores above a normal one;'
    ' 0.5 is guessing',
  ),
  'average_precision': (
    'Average precision',
    'area under precision and recall; the base rate is guessing',
  ),
  'average_precision_normal': (
    'Average precision of normals',
    'the same with the normal samples as the class to be found',
  ),
  'eer': (
    'Equal error rate',
    'where as large a share of normals is flagged as of anomalies is'
    ' missed; lower is better',
  ),
  'precision_at_ratio': (
    'Precision at the ratio',
    'share of the flagged that is anomalous, when the top samples are'
    ' flagged; uses the known test ratio',
  ),
  'recall_at_ratio': (
    'Recall at the ratio',
    'share of the anomalies that is flagged; uses the known test ratio',
  ),
  'f1_at_ratio': (
    'F1 at the ratio',
    'of that precision and recall; uses the known test ratio. Samples'
    ' that tie at the cut are taken in their order',
  ),
  'f1_at_ratio_tie_span': (
    'Tie span of F1 at the ratio',
    'how far another order of the tied samples could move it',
  ),
  'precision_at_normal_quantile': (
    'Precision at the quantile',
    'samples above a quantile of the validation normals are flagged; uses'
    ' no test label',
  ),
  'recall_at_normal_quantile': ('Recall at the quantile', 'the same'),
  'f1_at_normal_quantile': ('F1 at the quantile', 'the same'),
  'false_positive_rate_at_normal_quantile': (
    'False alarms at the quantile',
    'share of the test normals that is flagged; one minus the quantile'
    ' is expected; lower is better',
  ),
  'f1_best_oracle': (
    'Best F1 (oracle)',
    'with the threshold chosen on the test labels: a bound, no result',
  ),
  'f1_all_positive': (
    'F1 of flagging all',
    'for perspective: no model is needed for it',
  ),
  'base_rate': ('Base rate', 'share of the test samples that is anomalous'),
}
_LOWER_IS_BETTER = ('eer', 'false_positive_rate_at_normal_quantile')
_HEADLINE = (
  'auroc',
  'average_precision',
  'f1_at_ratio',
  'eer',
  'f1_at_normal_quantile',
)
# Panel: title, split (empty: validation where logged, else training), names
# it may have in an event.
CURVES = {
  'loss': ('Training loss', 'train', ('loss',)),
  'validation_error': (
    'Reconstruction error, validation',
    'validation',
    ('reconstruction_error', 'reconstruction', 'error', 'loss'),
  ),
  'dead_read_rate': ('Dead reads (share)', '', ('dead_read_rate',)),
  'mean_kept': ('Slots kept a read', '', ('mean_kept',)),
  'slots_used': ('Slots used', '', ('slots_used',)),
}
SWEPT = {
  'slots': 'the number of slots',
  'threshold': 'the shrinkage threshold in multiples of 1/N',
  'alpha': 'the weight of the entropy loss',
  'learning_rate': 'the learning rate',
}
_RULES = {
  'last': 'the weights at the end of training; nothing was chosen',
  'validation': 'the weights with the lowest error on validation normals',
  'oracle': 'CHOSEN ON THE TEST LABELS: an upper bound, not a result',
}


class Exhibit(NamedTuple):
  """A figure with its words. `vector`: stored as SVG, else as PNG."""

  name: str
  section: str
  title: str
  caption: str
  figure: matplotlib.figure.Figure
  vector: bool = True


def _variant(replica: scores.ReplicaScores) -> str:
  return str(replica.fields.get('variant', 'model'))


def _first(replicas) -> dict[str, scores.ReplicaScores]:
  """The first replica by name of each variant, in the order of variants."""
  chosen: dict[str, scores.ReplicaScores] = {}
  for replica in replicas:
    key = _variant(replica)
    if key not in chosen or replica.name < chosen[key].name:
      chosen[key] = replica
  return chosen


def _values(results, field=None) -> dict[str, dict]:
  """{variant: {metric or field value: [value of each replica]}}."""
  out: dict[str, dict] = {}
  for replica in results.get('replicas', ()):
    group = out.setdefault(str(replica['fields'].get('variant', 'model')), {})
    if field:
      value = replica['metrics'].get('auroc')
      if value is not None and field in replica['fields']:
        group.setdefault(replica['fields'][field], []).append(value)
      continue
    for metric, value in replica['metrics'].items():
      if value is not None:
        group.setdefault(metric, []).append(value)
  return out


def curves_of(
  events: Sequence[Mapping[str, Any]],
  replicas: Sequence[scores.ReplicaScores],
) -> dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]:
  """Collects `CURVES` from log events.

  A value of an event may be a list (one entry a replica, in the order of
  `replicas`), a mapping from the replica's name, or a number: that of the
  replica named in the event's `replica`, or of the run.

  Returns:
    {panel: {variant: (steps [S], values [S, R])}}, NaN where a replica has
    none. Panels without any value are left out.
  """
  names = [replica.name for replica in replicas]
  variants = {replica.name: _variant(replica) for replica in replicas}
  found: dict[str, dict[str, dict[tuple, float]]] = {}
  held_out = [e for e in events if e.get('split') == 'validation']
  for panel, (_, split, keys) in CURVES.items():
    if not split and any(k in e for e in held_out for k in keys):
      split = 'validation'  # One curve, not a mixture of two.
    for event in events:
      key = next((k for k in keys if k in event), None)
      if key is None or (split and event.get('split', split) != split):
        continue
      value = event[key]
      if isinstance(value, (list, tuple)):
        value = dict(zip(names, value))
      elif not isinstance(value, Mapping):
        name = event.get('replica', names[0] if len(names) == 1 else 'all')
        value = {names[name] if isinstance(name, int) else name: value}
      for name, number in value.items():
        if isinstance(number, (int, float)) and np.isfinite(number):
          cells = found.setdefault(panel, {})
          cells = cells.setdefault(variants.get(name, str(name)), {})
          cells[event['step'], name] = number
  out: dict[str, dict] = {}
  for panel in CURVES:
    for variant, cells in found.get(panel, {}).items():
      steps = sorted({step for step, _ in cells})
      steps = steps[:: -(-len(steps) // 400)]
      members = list(dict.fromkeys(name for _, name in cells))
      table = [[cells.get((s, m), np.nan) for m in members] for s in steps]
      curve = np.array(steps), np.array(table, np.float64)
      out.setdefault(panel, {})[variant] = curve
  return out


def _metric_exhibits(results, replicas, baseline_scores):
  """How good, and how sure: dots, classes, sweeps, curves, distributions."""
  title = lambda metric: METRICS[metric][0]
  summaries = {**results['variants'], **results.get('baselines', {})}
  summaries.pop('random', None)  # It would squeeze all others into a corner.
  shown = [m for m in _HEADLINE if _defined(summaries, m)][:4]
  if shown:
    yield Exhibit(
      'replicas',
      'results',
      'How much do the runs differ?',
      'A pale dot is one run, the large mark their mean, and the bar its 95%'
      ' interval. Where two bars overlap widely, the order of the means says'
      ' little: paired differences say more. Random scores are left'
      ' out.',
      plots.metric_dots(
        _values(results), summaries, {m: title(m) for m in shown}
      ),
    )
  by_class = {
    variant: {str(k): v for k, v in sorted(classes.items())}
    for variant, classes in _values(results, 'normal_class').items()
    if classes
  }
  if len({k for v in by_class.values() for k in v}) > 1:
    yield Exhibit(
      'classes',
      'results',
      'Which normal class is hard?',
      'One row for each class that was taken as normal; all other classes'
      ' are anomalous there. A dot is one run. A mean over classes hides'
      ' this spread.',
      plots.class_dots(by_class, title('auroc')),
    )
  for field, words in SWEPT.items():
    points = {
      variant: [(x, y) for x, ys in values.items() for y in ys]
      for variant, values in _values(results, field).items()
      if len(values) > 1
    }
    if points:
      yield Exhibit(
        f'sweep_{field}',
        'results',
        f'How much does {words} matter?',
        f'AUROC against {words}. A dot is one run, the line joins the means.',
        plots.sweep(points, words.removeprefix('the '), title('auroc')),
      )
  groups: dict[str, list] = {}
  for replica in (*replicas, *baseline_scores):
    if replica.anomalous.any() and not replica.anomalous.all():
      groups.setdefault(_variant(replica), []).append(replica)
  if groups:
    rates = [r.anomalous.mean() for group in groups.values() for r in group]
    yield Exhibit(
      'curves',
      'results',
      'What does catching more anomalies cost?',
      'Each curve is the mean over the runs of that method. Left: the share'
      ' of normals that raise a false alarm (towards the upper left is'
      ' better; the diagonal is guessing). Right: the share of alarms that'
      ' are right (towards the upper right is better; the level line is'
      ' guessing).',
      plots.detection_curves(groups, float(np.mean(rates))),
    )
  first = [r for r in _first(replicas).values() if r.score.size]
  if first:
    quantile = results['config'].get('eval', {}).get('normal_quantile', 0.95)
    yield Exhibit(
      'distributions',
      'results',
      'Do normal and anomalous scores separate?',
      'One run of each variant: the first by name, not the best. Heights are'
      ' shares of their own kind, so rare anomalies stay visible. The dashed'
      ' line is a threshold that could be set without any label.',
      plots.score_distributions(first, quantile),
    )


def _memory_exhibits(replicas, columns):
  """What the memory holds, and what it does to a sample."""
  chosen = _first(replicas)
  for variant, replica in chosen.items():
    if replica.gallery is not None and len(replica.gallery.score):
      yield Exhibit(
        f'gallery_{variant}',
        'pictures',
        f'What does {plots.label(variant)} make of a sample?',
        f'Run {replica.name}, the first by name. A good model rebuilds'
        ' normal samples and fails on anomalous ones: the error, in squared'
        ' units of the [0, 1] range, is bright where they differ.',
        plots.reconstruction_gallery(replica.gallery),
        vector=False,
      )
  usages = {v: r.usage for v, r in chosen.items() if r.usage is not None}
  for variant, usage in usages.items():
    decoded = chosen[variant].decoded_slots
    if decoded is None:
      continue
    count = min(50, len(decoded))
    which = (
      f'All {count}' if count == len(decoded) else f'The {count} most used'
    )
    common = (
      f'Run {chosen[variant].name}, the first by name. {which} slots, each'
      ' passed through the decoder, with the share of the addressing weight'
      ' of the test set that falls on it, most used first.'
    )
    if decoded.ndim == 4:
      figure = plots.slot_images(decoded, usage)
      words = ' They should look like the normal class, and differ.'
    else:
      table = np.reshape(decoded, (len(decoded), -1))
      figure = plots.slot_table(table, usage, columns)
      words = (
        ' A column is one input; numeric inputs are coloured between their'
        ' lowest and highest value over the slots (the middle colour: the'
        ' same in every slot), categories from 0 to 1, between white lines.'
        ' Rows that look alike are slots that the model does not need.'
      )
    yield Exhibit(
      f'slots_{variant}',
      'pictures',
      f'What do the slots of {plots.label(variant)} hold?',
      common + words,
      figure,
      vector=False,
    )
  if usages:
    yield Exhibit(
      'usage',
      'memory',
      'Is the memory used?',
      'Share of the addressing weight of the test set that falls on each'
      ' slot, for the first run by name of each variant. The dashed line is'
      ' equal use; red marks slots that no read touches. A few tall bars'
      ' mean that a smaller memory would do.',
      plots.slot_usage(usages),
    )


def exhibits(
  results: Mapping[str, Any],
  replicas: Sequence[scores.ReplicaScores],
  events: Sequence[Mapping[str, Any]] = (),
  source_columns: Sequence[types.Column] = (),
  baseline_scores: Sequence[scores.ReplicaScores] = (),
) -> list[Exhibit]:
  """Returns the figures that these results can fill, in reading order.

  Args:
    results: as `results.json`.
    replicas: the scores of each network.
    events: of `metrics.jsonl`, see `curves_of`.
    source_columns: of a table, else empty.
    baseline_scores: scores of baselines on the same samples, whose
      `fields['variant']` is the baseline's name; they join the curves.
  """
  out = list(_metric_exhibits(results, replicas, baseline_scores))
  out += _memory_exhibits(replicas, source_columns)
  curves = curves_of(events, replicas)
  if curves:
    out.append(
      Exhibit(
        'training',
        'training',
        'Did training settle?',
        'Line: mean over the runs of a variant; band: their range. A dead'
        ' read is one that no slot survives for; above one half (dashed)'
        ' the memory mostly returns zeros.',
        plots.training_curves(
          curves, {k: title for k, (title, _, _) in CURVES.items()}
        ),
      )
    )
  return out


def figures(*args, **kwargs) -> dict[str, matplotlib.figure.Figure]:
  """Returns {name: figure} of `exhibits`, to be saved as files."""
  return {shown.name: shown.figure for shown in exhibits(*args, **kwargs)}


def _data_uri(shown: Exhibit) -> str:
  """The figure as an address that holds it; the same bytes every time."""
  stream, kind = io.BytesIO(), 'svg' if shown.vector else 'png'
  metadata = {'Date': None} if shown.vector else {'Software': None}
  with matplotlib.rc_context({'svg.hashsalt': shown.name}):
    shown.figure.savefig(stream, format=kind, dpi=150, metadata=metadata)
  mime = 'image/svg+xml' if shown.vector else 'image/png'
  return f'data:{mime};base64,' + base64.b64encode(stream.getvalue()).decode()


def _defined(summaries: Mapping[str, Mapping], metric: str) -> bool:
  return any(
    (s.get(metric) or {}).get('mean') is not None for s in summaries.values()
  )


def columns_of(results: Mapping[str, Any]) -> list[str]:
  """The metrics of the headline table: those of the paper come first."""
  paper = results.get('paper') or {}
  return list(dict.fromkeys((*paper.get('metrics', ()), *_HEADLINE)))[:5]


def _number(value: float | None, digits: int = 3, sign: bool = False) -> str:
  if value is None:
    return '—'
  value = round(value, digits) or 0.0  # No "-0.000".
  text = f'{value:+.{digits}f}' if sign and value else f'{value:.{digits}f}'
  return text.replace('-', '−')


def _cell(summary, digits, sign=False, interval=None) -> dict[str, Any]:
  """Texts of one cell; `interval` stands in where there is one run.

  A difference (`sign`) shows no deviation: its interval says what matters.
  """
  summary = summary or {}
  mean, ci = summary.get('mean'), summary.get('ci95') or interval
  cell = {'mean': _number(mean, digits, sign), 'undefined': mean is None}
  if mean is not None and summary.get('std') is not None and not sign:
    cell['std'] = _number(summary['std'], digits)
  if mean is not None and ci:
    ends = ci if sign else np.clip(ci, 0, 1)
    low, high = (_number(float(v), digits, sign) for v in ends)
    cell['ci'] = f'[{low}, {high}]'
    cell['clear'] = ci[0] > 0 or ci[1] < 0
  if summary.get('undefined'):
    cell['undefined_count'] = summary['undefined']
  return cell


def _rows(results, columns, digits) -> list[dict[str, Any]]:
  """Rows of the headline table: variants, each above the paper's, baselines."""
  paper = results.get('paper') or {}
  rows = []

  def published(name, values):
    cells = [
      {'mean': _number(values[c], 4) if c in values else ''} for c in columns
    ]
    rows.append({'kind': 'paper', 'name': name, 'cells': cells, 'n': None})

  for kind in ('variants', 'baselines'):
    for name, summary in results.get(kind, {}).items():
      own = [
        r
        for r in results['replicas']
        if kind == 'variants' and r['fields'].get('variant') == name
      ]
      interval = own[0].get('interval') or {} if len(own) == 1 else {}
      cells = [
        _cell(summary.get(c), digits, interval=interval.get(c)) for c in columns
      ]
      rows.append(
        {
          'kind': kind,
          'name': plots.label(name),
          'headline': name == results.get('headline'),
          'note': results.get('baseline_notes', {}).get(name, ''),
          'n': max((s['n'] for s in summary.values()), default=0),
          'cells': cells,
        }
      )
      if kind == 'variants' and name in paper.get('variants', {}):
        published('as published', paper['variants'][name])
  for name, values in paper.get('others', {}).items():
    published(f'{name}, as published', values)
  return rows


def _reasons(results) -> dict[str, tuple[list[str], int]]:
  """Why values are undefined: {reason: (titles of metrics, count of runs)}."""
  metrics: dict[str, dict[str, None]] = {}
  runs: dict[str, set[str]] = {}
  for replica in results['replicas']:
    for metric, reason in replica.get('reasons', {}).items():
      metrics.setdefault(reason, {})[METRICS.get(metric, (metric,))[0]] = None
      runs.setdefault(reason, set()).add(replica['name'])
  return {reason: (list(m), len(runs[reason])) for reason, m in metrics.items()}


def _footnotes(results) -> list[str]:
  total = len(results['replicas'])
  out = [
    f'undefined in {count} of {total} runs, because {reason}: '
    + ', '.join(titles)
    for reason, (titles, count) in _reasons(results).items()
  ]
  for field, words in SWEPT.items():
    for variant, found in _values(results, field).items():
      if len(found) > 1:
        out.append(
          f'the row of {plots.label(variant)} is over all values of {words}'
          f' ({_plain(sorted(found))}); its spread is not that of seeds'
        )
  quantile = 'f1_at_normal_quantile'
  shown = quantile in columns_of(results)
  if (
    shown
    and _defined(results['variants'], quantile)
    and any(
      quantile in s and s[quantile]['mean'] is None
      for s in results.get('baselines', {}).values()
    )
  ):
    out.append(
      'baselines at the quantile: they have no scores of validation normals'
    )
  return out


def warnings(results: Mapping[str, Any]) -> list[str]:
  """Returns what a reader must know before reading any number."""
  out = list(results.get('warnings', ()))
  said = ' '.join(out)
  if results.get('checkpoint', {}).get('rule') == 'oracle':
    out.append('The weights were chosen on the test labels (oracle).')
  for variant, memory in results.get('memory', {}).items():
    rate = _scalar((memory or {}).get('dead_read_rate'))
    if rate is not None and rate > 0.5 and 'dead' not in said:
      out.append(
        f'{plots.label(variant)}: {rate:.0%} of the reads are dead (no slot'
        ' survives the shrinkage threshold). The memory mostly returns zeros;'
        ' lower model.memory.threshold.'
      )
  total = len(results['replicas'])
  for reason, (_, count) in _reasons(results).items():
    if 'every one of' in reason and 'every one of' not in said:
      out.append(
        f'In {count} of {total} runs {reason}: detection metrics are undefined'
        ' there and left out of the means.'
      )
  spans = _values(results)
  for variant, values in spans.items():
    span = max(values.get('f1_at_ratio_tie_span', ()), default=0.0)
    if span > 0.01:
      out.append(
        f'{plots.label(variant)}: many samples have the same score. Their'
        f' order alone could move F1 at the ratio by up to {span:.2f}.'
      )
  return out


def _scalar(value) -> float | None:
  """A number as it is, or the mean of a summary."""
  return value.get('mean') if isinstance(value, Mapping) else value


def verdict(results: Mapping[str, Any]) -> list[str]:
  """Returns the outcome in plain sentences, the unflattering ones too."""
  headline = results['headline']
  name, paper = plots.label(headline), results.get('paper') or {}
  metric = columns_of(results)[0]
  if 'f1_at_ratio' in paper.get('metrics', ()):
    metric = 'f1_at_ratio'
  title = METRICS[metric][0]
  digits = 4 if paper else 3
  mean = lambda s: (s.get(metric) or {}).get('mean')
  ours = mean(results['variants'].get(headline, {}))
  if ours is None:
    return [f'{title} of {name} is undefined; the reason is below the table.']
  out = [f'{name} reaches {title} {_number(ours, digits)}.']
  if metric == 'auroc':
    out[0] = (
      f'{out[0][:-1]}: it scores an anomalous sample above a normal one'
      f' {ours:.1%} of the time.'
    )
  published = paper.get('variants', {}).get(headline, {}).get(metric)
  if published is not None:
    gap = _number(ours - published, digits, sign=True)
    out.append(f'The paper reports {published:.4f} (difference {gap}).')
  rivals = {
    k: mean(v)
    for k, v in results.get('baselines', {}).items()
    if mean(v) is not None
  }
  if rivals:
    best = max(rivals, key=rivals.get)
    beaten = rivals[best] < ours
    tail = 'which is lower' if beaten else f'which {name} does not beat'
    out.append(
      f'The best baseline on the same samples is {plots.label(best)} with'
      f' {_number(rivals[best], digits)}, {tail}.'
    )
  for pair, summary in results.get('differences', {}).items():
    a, _, b = pair.partition(' - ')
    ci = (summary.get(metric) or {}).get('ci95')
    if a == headline and b == 'ae' and ci:
      gain = _number(summary[metric]['mean'], digits, sign=True)
      low, high = (_number(v, digits, sign=True) for v in ci)
      words = (
        'these runs cannot tell it from zero'
        if ci[0] <= 0 <= ci[1]
        else 'which excludes zero'
      )
      out.append(
        f'Against {plots.label(b)} on the same data and seeds the difference'
        f' is {gain} (95% interval {low} to {high}; {words}).'
      )
  return out


def _plain(value) -> str:
  if isinstance(value, bool) or value is None:
    return {True: 'yes', False: 'no', None: '—'}[value]
  if isinstance(value, float):
    return f'{value:,.0f}' if abs(value) >= 1000 else f'{value:.4g}'
  if isinstance(value, int):
    return f'{value:,}'
  if isinstance(value, Mapping) and 'mean' in value:
    spread = value.get('std')
    tail = f' ± {_plain(spread)}' if spread is not None else ''
    return _plain(value['mean']) + tail
  if isinstance(value, (list, tuple)):
    return ', '.join(_plain(v) for v in value) or '—'
  return str(value)


def _facts(group: Mapping[str, Any] | None) -> list[tuple[str, str]]:
  flat = config_lib.flatten(group or {})
  return [(k.replace('_', ' '), _plain(v)) for k, v in flat.items()]


def _span(values: Sequence[float], show) -> str:
  low, high = min(values), max(values)
  return show(low) if low == high else f'{show(low)} to {show(high)}'


def _summary(results, replicas) -> dict[str, Any]:
  """What was done, for the head of the page."""
  counts: dict[str, int] = {}
  for replica in replicas:
    counts[_variant(replica)] = counts.get(_variant(replica), 0) + 1
  sizes = [len(r.score) for r in replicas] or [0]
  rates = [float(r.anomalous.mean()) for r in replicas if r.anomalous.size]
  classes = {r.fields.get('normal_class') for r in replicas} - {None}
  return {
    'networks': len(replicas),
    'variants': ', '.join(f'{n} {plots.label(v)}' for v, n in counts.items()),
    'samples': _span(sizes, lambda n: f'{n:,}'),
    'base_rate': _span(rates, lambda r: f'{r:.1%}') if any(rates) else '',
    'classes': len(classes),
    'rule': _RULES.get(results.get('checkpoint', {}).get('rule'), ''),
    'one_run': bool(counts) and max(counts.values()) == 1,
  }


def _memory_rows(results) -> list[tuple[str, list[str]]]:
  keys = (
    'slots',
    'used',
    'dead_read_rate',
    'mean_kept',
    'usage_perplexity',
    'duplicate_slots',
  )

  def show(memory, key):
    rate = _scalar(memory.get(key))
    if key == 'dead_read_rate' and rate is not None:
      return f'{rate:.1%}'
    return _plain(memory.get(key))

  return [
    (plots.label(variant), [show(memory, k) for k in keys])
    for variant, memory in results.get('memory', {}).items()
    if memory
  ]


def _full_table(results, digits) -> list[tuple[str, list[dict]]]:
  """All metrics (rows) of all variants and baselines (columns)."""
  groups = {**results['variants'], **results.get('baselines', {})}
  return [
    (title, [_cell(g.get(metric), digits) for g in groups.values()])
    for metric, (title, _) in METRICS.items()
  ]


def render(
  results: Mapping[str, Any],
  replicas: Sequence[scores.ReplicaScores],
  events: Sequence[Mapping[str, Any]] = (),
  source_columns: Sequence[types.Column] = (),
  baseline_scores: Sequence[scores.ReplicaScores] = (),
  shown: Sequence[Exhibit] | None = None,
) -> str:
  """Returns the page. Arguments as of `exhibits`.

  Args:
    results: as `results.json`.
    replicas: the scores of each network.
    events: of `metrics.jsonl`.
    source_columns: of a table, else empty.
    baseline_scores: scores of baselines, for the curves.
    shown: the exhibits, if the caller has them already.
  """
  if shown is None:
    shown = exhibits(results, replicas, events, source_columns, baseline_scores)
  columns = columns_of(results)
  digits = 4 if results.get('paper') else 3
  groups = {**results['variants'], **results.get('baselines', {})}
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader('memae_jax.evaluation', ''),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
  )
  return environment.get_template('report.html.j2').render(
    results=results,
    summary=_summary(results, replicas),
    verdict=verdict(results),
    warnings=warnings(results),
    columns=[(c, *METRICS[c], c in _LOWER_IS_BETTER) for c in columns],
    rows=_rows(results, columns, digits),
    differences=[
      (
        ' − '.join(plots.label(v) for v in pair.split(' - ')),
        max((s['n'] for s in summary.values()), default=0),
        [_cell(summary.get(c), digits, sign=True) for c in columns],
      )
      for pair, summary in results.get('differences', {}).items()
    ],
    footnotes=_footnotes(results),
    exhibits=[
      {**e._asdict(), 'uri': _data_uri(e), 'figure': None} for e in shown
    ],
    memory=_memory_rows(results),
    metrics=METRICS,
    groups=[plots.label(g) for g in groups],
    full=_full_table(results, digits),
    replica_rows=[
      (
        r['name'],
        r.get('step'),
        [
          _cell(
            {'mean': r['metrics'].get(c)},
            digits,
            interval=(r.get('interval') or {}).get(c),
          )
          for c in columns
        ],
      )
      for r in results['replicas']
    ],
    facts=_facts,
    plain=_plain,
    config=json.dumps(results.get('config', {}), indent=2, default=str),
  )
