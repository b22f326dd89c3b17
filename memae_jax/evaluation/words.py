"""The words of the report: names, meanings, and how numbers are written."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from memae_jax.methods import registry

BASELINES = {  # That are no methods, which say their names themselves.
  'random': 'Random scores',
  'untrained': 'Untrained network',
  'frame_difference': 'Frame difference',
}
# Name of each metric: title, and what it says.
METRICS = {
  'auroc': (
    'AUROC',
    'chance that an anomalous sample scores above a normal one;'
    ' 0.5 is guessing',
  ),
  'auroc_normalised': (
    'AUROC, normalised',
    'of frames whose scores were scaled to [0, 1] in each video, as most papers'
    ' do; uses the whole video, and takes for granted that it has an anomaly',
  ),
  'auroc_macro': (
    'AUROC, mean of videos',
    'mean of the AUROC of each video, over those with normal and anomalous'
    ' frames; the others are left out, and named below',
  ),
  'average_precision': (
    'Average precision',
    'area under precision and recall; the base rate is guessing',
  ),
  'average_precision_normalised': (
    'Average precision, normalised',
    'of the scores scaled in each video',
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
  'eer_normalised': (
    'Equal error rate, normalised',
    'of the scores scaled in each video; lower is better',
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
    'share of the flagged that is anomalous, when samples above a quantile'
    ' of the validation normals are flagged; uses no test label',
  ),
  'recall_at_normal_quantile': (
    'Recall at the quantile',
    'share of the anomalies that is flagged so',
  ),
  'f1_at_normal_quantile': (
    'F1 at the quantile',
    'of that precision and recall; uses no test label',
  ),
  'false_positive_rate_at_normal_quantile': (
    'False alarms at the quantile',
    'share of the test normals that is flagged so; one minus the quantile'
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
  'pixel_auroc': (
    'Pixel AUROC',
    'chance that an anomalous pixel has a larger error than a normal one, over'
    ' all pixels of the test samples with a known mask',
  ),
  'pixel_average_precision': (
    'Pixel average precision',
    'the same for pixels; the base rate of pixels is guessing',
  ),
  'aupro': (
    'AUPRO',
    'share of an anomalous region that is found, mean over the regions, and'
    ' over shares of flagged normal pixels up to 30%; 0.15 is guessing',
  ),
  'rbdc': (
    'RBDC',
    'region-based detection criterion: share of the anomalous regions that a'
    ' flagged region overlaps, over up to one false region a frame',
  ),
  'tbdc': (
    'TBDC',
    'track-based detection criterion: the same of anomalies over time',
  ),
  'pixel_base_rate': (
    'Base rate of pixels',
    'share of the pixels of those samples that is anomalous',
  ),
  'auroc_contrast': (
    'AUROC beyond contrast',
    'of the error that the contrast of an image does not explain, by a line'
    ' fitted on validation normals; a second score, beside the headline',
  ),
  'variance_explained': (
    'Variance explained',
    'share of the spread of validation normals that their reconstructions'
    ' give back: 0 is no better than the mean training sample',
  ),
  'pseudo_auroc': (
    'Pseudo-AUROC',
    'chance that a changed validation normal scores above an unchanged one,'
    ' mean over fixed kinds of change; uses no test data, and chooses settings',
  ),
}
LOWER_IS_BETTER = (
  'eer',
  'eer_normalised',
  'false_positive_rate_at_normal_quantile',
)
HEADLINE = (
  'auroc',
  'auroc_normalised',
  'auroc_macro',
  'auroc_contrast',
  'average_precision',
  'f1_at_ratio',
  'eer',
  'f1_at_normal_quantile',
)
_BELOW_ZERO = ('variance_explained',)
PIXELS = ('pixel_auroc', 'pixel_average_precision', 'aupro', 'rbdc')
KINDS = {
  'rotate': 'Turned by 90°',
  'flip': 'Upside down',
  'blend': 'Lighter of two',
  'cutpaste': 'Patch of another',
  'shuffle': 'Quadrants swapped',
}
SWEPT = {
  'slots': 'the number of slots',
  'threshold': 'the shrinkage threshold in multiples of 1/N',
  'alpha': 'the weight of the entropy loss',
  'learning_rate': 'the learning rate',
}
RULES = {
  'last': 'the weights at the end of training; nothing was chosen',
  'validation': 'the weights with the lowest error on validation normals',
  'oracle': 'CHOSEN ON THE TEST LABELS: an upper bound, not a result',
}
_LONG = 24  # Of a list, this many are shown.


def label(name: str) -> str:
  """Returns the name of a method or baseline that a reader knows."""
  if name in registry.names():
    return registry.find(name).label
  return BASELINES.get(name, name)


def is_reference(name: str) -> bool:
  """Whether a method or baseline is only there to be compared with."""
  if name in registry.names():
    return registry.find(name).classical
  return name in BASELINES


def weights(checkpoint: Mapping[str, Any]) -> str:
  """Says which weights were scored: of `results.checkpoint`."""
  rule, step, steps = (checkpoint[k] for k in ('rule', 'step', 'of_steps'))
  if rule == 'last' and step < steps:
    return f'the weights of step {step:,} of {steps:,}; nothing was chosen'
  return RULES.get(rule, rule)


def title(metric: str) -> str:
  """Returns the title of a metric."""
  return METRICS[metric][0]


def least(metric: str) -> float:
  """Returns the least value that a metric can have; the most is 1."""
  return -math.inf if metric in _BELOW_ZERO else 0.0


def share(value: float, digits: int = 1) -> str:
  """Writes a share, 0 to 1; "0%" and "100%" only where it is none or all."""
  beyond = min(value, 1 - value)
  if 0 < beyond < 10 ** -(digits + 2):
    digits = -math.floor(math.log10(beyond)) - 1
  return f'{value:.{digits}%}'


def percent(value: float) -> str:
  """Writes a share that somebody chose: 95%, 66.7% or 99.95%."""
  text = f'{100 * value:.3g}'
  return f'{100 * value:.10g}%' if text in ('0', '100') else f'{text}%'


def number(value: float | None, digits: int = 3, sign: bool = False) -> str:
  """Writes a number with fixed digits, a dash for None, never "-0.000".

  One of 1,000 or more has no digits behind the point.
  """
  if value is None:
    return '—'
  if abs(value) >= 1000:
    text = f'{value:+,.0f}' if abs(value) < 1e9 else f'{value:+.2e}'
    return (text if sign else text.removeprefix('+')).replace('-', '−', 1)
  value = round(value, digits) or 0.0
  text = f'{value:+.{digits}f}' if sign and value else f'{value:.{digits}f}'
  return text.replace('-', '−')


def span(values: Sequence[float], show) -> str:
  """Writes the range of `values`, each end as `show` writes it."""
  low, high = min(values), max(values)
  return show(low) if low == high else f'{show(low)} to {show(high)}'


def plain(value: Any) -> str:
  """Writes any value of `results.json` for a reader."""
  if isinstance(value, bool) or value is None:
    return {True: 'yes', False: 'no', None: '—'}[value]
  if isinstance(value, float):
    plain_ = abs(value) < 1000 or abs(value) >= 1e15
    return f'{value:.4g}' if plain_ else f'{value:,.0f}'
  if isinstance(value, int):
    return f'{value:,}'
  if isinstance(value, Mapping):
    if set(value) == {'min', 'max'} and all(map(_is_number, value.values())):
      return span(list(value.values()), plain)
    return _listed([f'{k}: {plain(v)}' for k, v in value.items()])
  if isinstance(value, (list, tuple)):
    return _listed([plain(v) for v in value])
  return str(value)


def _is_number(value: Any) -> bool:
  return isinstance(value, (int, float)) and not isinstance(value, bool)


def _listed(items: Sequence[str]) -> str:
  if len(items) > _LONG:
    items = [*items[:_LONG], f'and {len(items) - _LONG:,} more']
  return ', '.join(items) or 'none'
