"""The words of the report: names, meanings, and how numbers are written."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from memae_jax.evaluation.metrics import registry as metric_facts
from memae_jax.methods import registry

BASELINES = {  # That are no methods, which say their names themselves.
  'random': 'Random scores',
  'untrained': 'Untrained network',
  'frame_difference': 'Frame difference',
  'nearest': 'Nearest normals (5)',
  'k_means': 'k-means centres (100)',
  'brightness': 'Brightness alone',
  'contrast': 'Contrast alone',
  'contrast_mean': 'Mean of contrast-normalised',
}
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
  method = registry.get(name)
  return method.label if method else BASELINES.get(name, name)


def is_reference(name: str) -> bool:
  """Whether a method or baseline is only there to be compared with."""
  method = registry.get(name)
  return method.classical if method else name in BASELINES


def weights(checkpoint: Mapping[str, Any]) -> str:
  """Says which weights were scored: of `results.checkpoint`."""
  rule, step, steps = (checkpoint[k] for k in ('rule', 'step', 'of_steps'))
  if rule == 'last' and step < steps:
    return f'the weights of step {step:,} of {steps:,}; nothing was chosen'
  return RULES.get(rule, rule)


def title(metric: str) -> str:
  """Returns the title of a metric."""
  return metric_facts.find(metric).title


def share(value: float, digits: int = 1) -> str:
  """Writes a share, 0 to 1; "0%" and "100%" only where it is none or all."""
  beyond = min(value, 1 - value)
  if 0 < beyond < 10 ** -(digits + 2):
    digits = -math.floor(math.log10(beyond)) - 1
  return f'{value:.{digits}%}'


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
